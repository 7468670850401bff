"""Control maps as files on the source's timing: videos, image sequences, or data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch.nn import functional as F

from vedit.control_maps.export_data import DataMaps
from vedit.control_maps.export_paths import Format, MapOutput, is_folder, map_outputs, title_of
from vedit.control_maps.export_places import check_places, made_folders
from vedit.control_maps.export_sheet import CELL, ControlSheet
from vedit.control_maps.maps import control_stream
from vedit.display.contact_sheet import contact_sheet, is_sheet
from vedit.geometry import fit, unfit, working_fit
from vedit.media.color.convert import BT709
from vedit.media.output import OutputOptions, PresetName
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import DEFAULT_RATE, split_counter
from vedit.media.writing.by_product import BY_PRODUCT, ByProduct, by_product, hash_of_clip, is_kept, plan_data
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.write import VideoWriter
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.ranges import to_integer, to_unit
from vedit.registry.entry import Needs
from vedit.registry.preprocessors import needs_of, preprocessors
from vedit.shots.clip_part import AS_IT_IS, ClipPart, admit_source, open_part
from vedit.types import ColorTags, Fit, FrameRange, VideoMetadata
from vedit.weights.store import identity, local

_CHUNK_FRAMES = 8
_CHUNK_BYTES = 128_000_000
"""Of frames as floats that are read together."""
_KEPT = "kept: it is there, made of the same clip with the same settings"
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
    reading: SourceOptions = AS_IT_IS,
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
        reading: how the clip is read.
        on_progress: told as frames are written.

    Raises:
        InputError: a kind is unknown, or a file cannot be read or written.
        ModelError: weights are absent.
        ContractError: a written file breaks the timing contract.
    """
    admit_source(source, reading)
    names = tuple(dict.fromkeys(preprocessors()[kind].name for kind in kinds))
    needs = {name: check_needs(name) for name in names}
    outputs = map_outputs(source, names, output, wanted=wanted)
    in_folder = is_folder(output)
    if sheet is None and in_folder:
        sheet = Path(output) / f"{title_of(source)}.controls.png"
    options = replace(BY_PRODUCT, overwrite=overwrite, preset=preset, interlaced=reading.interlaced)
    facts = {"frames": frames, "side": short_side, "preset": preset}
    digest = hash_of_clip(source)
    products = {out: _product(out, needs[out.kind], digest, options, reading, facts) for out in outputs}
    check_places(products, sheet, source, overwrite=overwrite, makes_folders=in_folder)
    with ExitStack() as stack:
        if in_folder:
            files = (*(out.path for out in outputs), *filter(None, (sheet,)))
            stack.enter_context(made_folders(file.parent for file in files))
        clip = stack.enter_context(open_part(source, frames, reading))
        sets = [
            MapSet(output=out, needs=needs[out.kind], writer=_writer(out, product, clip, short_side))
            for out, product in products.items()
        ]
        kept = [f"{one.output.path.name} is {_KEPT}" for one in sets if one.whole]
        if len(kept) == len(sets) and (sheet is None or is_sheet(sheet)):
            return _written(sets, sheet, (*clip.reader.warnings, *kept))
        due = [one for one in sets if not one.whole]
        for one in due:
            stack.enter_context(one.writer)
        cells = _make_maps(sets, clip, short_side, on_progress, is_shown=sheet is not None)
        drawn = cells.draw(clip.reader, clip.index) if sheet is not None else None
        for one in due:
            one.writer.finish()
        if sheet is not None and drawn is not None:
            contact_sheet(*drawn, sheet, cell_width=CELL)
        notes = dict.fromkeys([*kept, *(note for one in sets for note in one.writer.notes)])
        return _written(sets, sheet, (*clip.reader.warnings, *notes))


def _product(
    out: MapOutput,
    needs: Needs,
    source_sha256: str,
    options: OutputOptions,
    reading: SourceOptions,
    facts: Mapping[str, object],
) -> ByProduct:
    """The maps of a kind, known again by the kind, its weights and all that was asked for."""
    return by_product(
        "controls",
        out.path,
        source_sha256=source_sha256,
        facts={
            **facts,
            "maps": out.kind,
            "format": out.format,
            "rate": reading.rate,
            "track": reading.track,
            "interlaced": reading.interlaced,
            "weights": [identity(name) for name in needs.weights],
        },
        options=options,
    )


def _writer(out: MapOutput, product: ByProduct, clip: ClipPart, side: int | None) -> PictureMaps | DataMaps:
    """What writes the maps of a kind. Raises InputError where they cannot be written."""
    if not out.data:
        return PictureMaps(out.kind, plan_maps(product, clip))
    return DataMaps(
        out,
        clip.metadata.path,
        clip.frames,
        clip.shots,
        overwrite=product.options.overwrite,
        tags=product.tags,
        replaces=product.options.replaces,
        side=side,
    )


def _make_maps(
    sets: Sequence[MapSet], clip: ClipPart, side: int | None, on_progress: OnProgress, *, is_shown: bool
) -> ControlSheet:
    """Write the maps that are missing, kind by kind; the cells of a contact sheet, of those that are kept where it
    `is_shown`."""
    course = Course(on_progress)
    course.expect(evenly(len(clip.frames), {one.output.kind: 1.0 for one in sets if not one.whole}))
    cells = ControlSheet(tuple(one.output.kind for one in sets if not (one.whole and one.output.data)), clip.frames)
    for one in sets:
        kind = one.output.kind
        if one.whole:
            if is_shown and not one.output.data:
                _show_again(one.output, cells, clip.frames)
            continue
        place = _place(clip.metadata, one.needs, side)
        for shot in clip.shots:
            done = shot.frames.start
            for maps in one.writer.write_shot(_chunks(clip.reader, shot.frames, place), place):
                cells.take(kind, done, maps)
                done += len(maps)
                course(clip.reached(kind, shot, done))
    return cells


def _written(sets: Sequence[MapSet], sheet: Path | None, notes: tuple[str, ...]) -> WrittenControls:
    return WrittenControls(outputs=tuple(one.output.path for one in sets), sheet=sheet, notes=notes)


@dataclass(frozen=True, kw_only=True)
class MapSet:
    """The maps of one kind."""

    output: MapOutput
    needs: Needs
    writer: PictureMaps | DataMaps

    @property
    def whole(self) -> bool:
        """All of them are there, made alike: they are kept."""
        return self.writer.whole


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
        self.whole = is_kept(plan)

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


def plan_maps(product: ByProduct, clip: ClipPart) -> OutputSpec:
    """A file of maps: the source's timing and sound, but full range, BT.709, and colour as sharp as luma."""
    return plan_data(product, clip.metadata, clip.index, clip.frames, pixel_format="yuv444p", color=_TAGS)


def _show_again(out: MapOutput, cells: ControlSheet, part: FrameRange) -> None:
    """Take the cells of maps that are kept from their file."""
    with open_video(out.path, rate=DEFAULT_RATE if split_counter(out.path.name) else None, allow_huge=True) as maps:
        for number in cells.numbers:
            clip = maps.read(FrameRange(start=number - part.start, stop=number - part.start + 1))
            cells.take(out.kind, number, to_unit(clip.frames[:, :3], clip.bit_depth))


def _place(metadata: VideoMetadata, needs: Needs, short_side: int | None) -> Fit:
    size = (metadata.height, metadata.width)
    side = short_side or needs.short_side or min(size)
    return working_fit(size, short_side=side, multiple_of=needs.multiple_of, minimum=needs.minimum)


def _chunks(reader: VideoReader, frames: FrameRange, place: Fit) -> Iterator[torch.Tensor]:
    """The frames of a shot at the size of their maps."""
    each = 12 * place.source[0] * place.source[1]
    for clip in reader.chunks(frames, max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // each))):
        yield fit(clip, place)
