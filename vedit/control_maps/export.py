"""Control maps as files on the source's timing: videos, image sequences, or data."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch.nn import functional as F

from vedit.control_maps.export_data import DataMaps
from vedit.control_maps.export_paths import Format, MapOutput, is_folder, map_outputs, title_of
from vedit.control_maps.export_sheet import CELL, ControlSheet
from vedit.control_maps.maps import control_stream
from vedit.display.contact_sheet import check_sheet, contact_sheet, is_sheet
from vedit.errors import InputError
from vedit.geometry import fit, unfit, working_fit
from vedit.media.color.convert import BT709
from vedit.media.output import Interlaced, OutputOptions, PresetName
from vedit.media.reading.admitted import admit
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import DEFAULT_RATE, split_counter
from vedit.media.reading.source import checked_path
from vedit.media.timecode import parse_range
from vedit.media.writing.atomic import Stamp, stamp
from vedit.media.writing.encode import choose_encoding
from vedit.media.writing.made import carriers, key_of_making, recipe_of, tags_of
from vedit.media.writing.numbered import numbered
from vedit.media.writing.output_plan import check_output, plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.target import check_folder, check_name, check_target
from vedit.media.writing.write import VideoWriter
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.ranges import to_integer, to_unit
from vedit.registry.entry import Needs
from vedit.registry.preprocessors import needs_of, preprocessors
from vedit.shots.detect import detect_shots
from vedit.types import ColorTags, Fit, FrameIndex, FrameRange, VideoMetadata
from vedit.weights.store import identity, local

_CHUNK_FRAMES = 8
_CHUNK_BYTES = 128_000_000
"""Of frames as floats that are read together."""
_TAGS = ColorTags(primaries=BT709, transfer=BT709, matrix=BT709, full_range=True)


@dataclass(frozen=True, kw_only=True)
class WrittenControls:
    """What `write_controls` wrote."""

    outputs: tuple[Path, ...]
    """One for each kind: a video, or the pattern of numbered files."""
    sheet: Path | None
    notes: tuple[str, ...]
    """What the user should know, one line each."""


def write_controls(
    source: Path,
    kinds: Sequence[str],
    output: Path | str,
    *,
    wanted: Format | None = None,
    frames: str | None = None,
    overwrite: bool = False,
    short_side: int | None = None,
    sheet: Path | None = None,
    preset: PresetName = "archive",
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> WrittenControls:
    """Write control maps with the source's size and timing: every shot is one stream through a preprocessor.

    Videos hold 8 bits of full range without subsampled colour, and the source's sound. All files get their names
    together at the end; an error leaves none. Maps that are there already, made of the same clip with the same
    settings, are kept, and the others are made; so the call completes what a killed one has left.

    Args:
        source: the clip.
        kinds: one or more; unknown ones, and ones whose weights are absent, end before anything is read or written.
        output: a folder, a file or a pattern, see `vedit.control_maps.export_paths.map_outputs`.
        wanted: the format; None goes by the extension.
        frames: START..END as `restyle` takes it; None is the whole clip.
        overwrite: replace files that exist.
        short_side: pixels at which the maps are computed, as the model sees them; None is each kind's own, else the
            source's size.
        sheet: a picture with a few frames of every kind; None writes NAME.controls.png into a folder, else none.
        preset: of videos; `archive` is lossless where the codec can be.
        rate: frames per second of an image sequence; None is 25.
        track: number of the video stream, as `vedit probe` lists them; None is the film.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.
        interlaced: what is done with interlaced material.
        on_progress: told as frames are written.

    Raises:
        InputError: a kind is unknown, or a file cannot be read or written.
        ModelError: weights are absent.
        ContractError: a written file breaks the timing contract.
    """
    admit(source, rate=rate, track=track, allow_huge=allow_huge)
    names = tuple(dict.fromkeys(preprocessors()[kind].name for kind in kinds))
    needs = {name: check_needs(name) for name in names}
    outputs = map_outputs(source, names, output, wanted=wanted)
    if sheet is None and is_folder(output):
        sheet = Path(output) / f"{title_of(source)}.controls.png"
    options = OutputOptions(
        overwrite=overwrite,
        label=False,
        sidecar=False,
        preset=preset,
        drop_unsupported=True,
        interlaced=interlaced,
    )
    keys = {
        out.kind: key_of_making(
            checked_path(source),
            {
                "maps": out.kind,
                "format": out.format,
                "frames": frames,
                "side": short_side,
                "preset": preset,
                "rate": rate,
                "track": track,
                "interlaced": interlaced,
                "weights": [identity(name) for name in needs[out.kind].weights],
            },
        )
        for out in outputs
    }
    ours = {out.kind: () if overwrite else carriers(_there(out.path), keys[out.kind]) for out in outputs}
    old_sheet = () if sheet is None or not is_sheet(sheet) else filter(None, (stamp(sheet),))
    replaces = {**{out.path: ours[out.kind] for out in outputs}, **({sheet: tuple(old_sheet)} if sheet else {})}
    _check_places(outputs, sheet, source, options, replaces, made=is_folder(output))
    with (
        open_video(source, rate=rate, track=track, allow_huge=allow_huge, interlaced=interlaced) as reader,
        ExitStack() as stack,
    ):
        metadata, index = reader.metadata, reader.index()
        part = FrameRange(start=0, stop=len(index))
        if frames is not None:
            part = parse_range(frames, index, metadata.timecode)
        if is_folder(output):
            files = [*(out.path for out in outputs), *([sheet] if sheet else [])]
            stack.enter_context(_folders([file.parent for file in files]))
        shots = detect_shots(reader, frames=part)
        writers: list[PictureMaps | DataMaps] = []
        for out in outputs:
            if out.data:
                tags = tags_of("controls", keys[out.kind])
                made = DataMaps(
                    out,
                    metadata.path,
                    part,
                    shots,
                    overwrite=overwrite,
                    tags=tags,
                    replaces=ours[out.kind],
                    side=short_side,
                )
            else:
                chosen = replace(options, replaces=ours[out.kind])
                recipe = recipe_of("controls", keys[out.kind])
                made = PictureMaps(out.kind, plan_maps(out.path, metadata, index, part, chosen, recipe=recipe))
            writers.append(made)
        kept = [out for out, writer in zip(outputs, writers, strict=True) if writer.whole]
        told = [f"{out.path.name} is kept: it is there, made of the same clip with the same settings" for out in kept]
        if len(kept) == len(outputs) and (sheet is None or is_sheet(sheet)):
            paths = tuple(out.path for out in outputs)
            return WrittenControls(outputs=paths, sheet=sheet, notes=(*reader.warnings, *told))
        for writer in writers:
            if not writer.whole:
                stack.enter_context(writer)
        course = Course(on_progress)
        due = [out.kind for out, writer in zip(outputs, writers, strict=True) if not writer.whole]
        course.expect(evenly(len(part), dict.fromkeys(due, 1.0)))
        cells = ControlSheet(tuple(out.kind for out in outputs if not (out in kept and out.data)), part)
        for out, writer in zip(outputs, writers, strict=True):
            if writer.whole:
                if sheet is not None and not out.data:
                    _show_again(out, cells, part)
                continue
            place = _place(metadata, needs[out.kind], short_side)
            for shot in shots:
                done = shot.frames.start
                for maps in writer.write_shot(_chunks(reader, shot.frames, place), place):
                    cells.take(out.kind, done, maps)
                    done += len(maps)
                    course(
                        Progress(
                            stage=out.kind,
                            done=done - part.start,
                            total=len(part),
                            shot=shot.number,
                            shots=len(shots),
                        )
                    )
        drawn = cells.draw(reader, index) if sheet is not None else None
        for writer in writers:
            if not writer.whole:
                writer.finish()
        if sheet is not None and drawn is not None:
            contact_sheet(*drawn, sheet, cell_width=CELL)
        notes = dict.fromkeys([*told, *(note for writer in writers for note in writer.notes)])
        return WrittenControls(
            outputs=tuple(out.path for out in outputs), sheet=sheet, notes=(*reader.warnings, *notes)
        )


class PictureMaps:
    """Writes the maps of one kind as a video or pictures; use it as a context manager.

    Args:
        kind: name of the preprocessor.
        plan: of the file, by `plan_maps`.
    """

    def __init__(self, kind: str, plan: OutputSpec) -> None:
        self._kind = kind
        self._size = (plan.source.height, plan.source.width)
        self._writer = VideoWriter(plan)
        self.notes = plan.notes
        # What may be replaced without being asked to was made alike: where it is all there, nothing is to be made.
        present = plan.pictures.present() if plan.pictures is not None else [plan.path] if plan.path.exists() else []
        names = set(plan.pictures.names) if plan.pictures is not None else {plan.path.name}
        self.whole = {file.name for file in present} == names and len(plan.options.replaces) == len(present)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write_shot(self, chunks: Iterable[torch.Tensor], place: Fit) -> Iterator[torch.Tensor]:
        """Write the maps of the next shot and yield them: float (T, 3, H, W) at the source's size.

        Args:
            chunks: the shot, float (T, 3, h, w) in [0, 1] of `place.outer`.
            place: how the source's frames lie in those.
        """
        for made in control_stream(self._kind, chunks):
            maps = unfit(made, place)
            if place.inner != self._size:
                maps = F.interpolate(maps, self._size, mode="bicubic", antialias=True).clamp(0, 1)
            self._writer.write(to_integer(maps, 8))
            yield maps

    def finish(self) -> None:
        """Check the file against the source and give it its name."""
        self._writer.finish()


def check_needs(kind: str) -> Needs:
    """What a kind asks of its surroundings, where this machine has it.

    Raises:
        InputError: the kind is unknown or cannot be imported.
        ModelError: its weights are absent.
    """
    needs = needs_of(kind)
    for name in needs.weights:
        local(name)
    return needs


def plan_maps(
    path: Path,
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    options: OutputOptions,
    *,
    recipe: Mapping[str, object] | None = None,
) -> OutputSpec:
    """A file of maps: the source's timing and sound, but 8 bits of full range, BT.709, and colour as sharp as luma.

    Maps are data: a source's subsampled colour, range, HDR curve or transparency would only bend them. Numbered
    pictures get no sound beside them.
    """
    bare = replace(metadata, pixel_format="yuv444p", bit_depth=8, has_alpha=False, color=_TAGS)
    plan = plan_output(path, bare, index, frames=part, options=options, recipe=recipe, data=True)
    # Planned once more without the mastering display of an HDR source, which says nothing of a map.
    encoding = choose_encoding(bare, plan.container, options)
    if plan.container.sequence:
        plan = replace(plan, copied=(), covers=(), audio_rates=(), beside=None, notes=(), lost=())
    return replace(plan, encoding=encoding)


def _there(path: Path) -> list[Path]:
    """The files of an output that are there already."""
    if split_counter(path.name) is None:
        return [path]
    return numbered(path.absolute(), first=0, count=0).present() if path.parent.is_dir() else []


def _show_again(out: MapOutput, cells: ControlSheet, part: FrameRange) -> None:
    """Take the cells of maps that are kept from their file."""
    with open_video(out.path, rate=DEFAULT_RATE if split_counter(out.path.name) else None, allow_huge=True) as maps:
        for number in cells.numbers:
            clip = maps.read(FrameRange(start=number - part.start, stop=number - part.start + 1))
            cells.take(out.kind, number, to_unit(clip.frames[:, :3], clip.bit_depth))


def _check_places(
    outputs: Sequence[MapOutput],
    sheet: Path | None,
    source: Path,
    options: OutputOptions,
    replaces: Mapping[Path, Collection[Stamp]],
    *,
    made: bool,
) -> None:
    """Raises InputError where a file cannot be written, before the clip is decoded; `made`: their folders will be."""
    if sheet is not None:
        check_sheet(sheet)
    for path in [*(out.path for out in outputs), *([sheet] if sheet is not None else [])]:
        check_name(path)
        absent = [folder for folder in path.absolute().parents if not folder.exists()] if made else []
        if absent:
            check_folder(absent[-1].parent, absent[-1].name)
        elif path == sheet:
            check_target(path, source, overwrite=options.overwrite, replaces=replaces[path])
        elif any(out.path == path and out.data for out in outputs):
            files = numbered(path.absolute(), first=0, count=0)
            check_target(path, source, files, overwrite=options.overwrite, replaces=replaces[path])
        else:
            check_output(path, source, replace(options, replaces=tuple(replaces[path])))


def _place(metadata: VideoMetadata, needs: Needs, short_side: int | None) -> Fit:
    size = (metadata.height, metadata.width)
    side = short_side or needs.short_side or min(size)
    return working_fit(size, short_side=side, multiple_of=needs.multiple_of, minimum=needs.minimum)


def _chunks(reader: VideoReader, frames: FrameRange, place: Fit) -> Iterator[torch.Tensor]:
    """The frames of a shot at the size of their maps."""
    each = 12 * place.source[0] * place.source[1]
    for clip in reader.chunks(frames, max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // each))):
        yield fit(clip, place)


@contextlib.contextmanager
def _folders(folders: Sequence[Path]) -> Generator[None]:
    """Make folders that are absent; after an error those that were made are removed again."""
    made: list[Path] = []
    try:
        for folder in dict.fromkeys(folders):
            absent = [parent for parent in (folder, *folder.parents) if not parent.exists()]
            for parent in reversed(absent):
                parent.mkdir(exist_ok=True)
                made.append(parent)
    except OSError as error:
        _remove(made)
        raise InputError(f"{error.filename} cannot be made: {error.strerror}", remedy="name another folder") from error
    try:
        yield
    except BaseException:
        _remove(made)
        raise


def _remove(folders: Sequence[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):  # it holds something, then it is not ours alone
            folder.rmdir()
