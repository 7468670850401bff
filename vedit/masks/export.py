"""Mattes as files: a grey video or pictures on the clip's timing, the clip with the matte as alpha, a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.display.contact_sheet import check_sheet, contact_sheet, is_sheet
from vedit.errors import InputError, MediaError
from vedit.masks.mattes import area, open_mattes
from vedit.masks.source import MatteSource
from vedit.media.color.convert import BT709
from vedit.media.output import CodecName, Interlaced, OutputOptions, PresetName
from vedit.media.reading.admitted import admit
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import split_counter
from vedit.media.reading.source import checked_path
from vedit.media.timecode import parse_range
from vedit.media.writing.atomic import stamp
from vedit.media.writing.containers import container_for
from vedit.media.writing.encode import choose_encoding
from vedit.media.writing.made import carriers, key_of_making, recipe_of
from vedit.media.writing.numbered import numbered
from vedit.media.writing.output_plan import check_output, plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import source_hash
from vedit.media.writing.target import check_target
from vedit.media.writing.write import VideoWriter
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.ranges import full_scale, to_integer
from vedit.shots.detect import detect_shots
from vedit.types import ColorTags, FrameRange, Shot

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from vedit.options.masks import MaskSpec
    from vedit.types import Clip, FrameIndex, IntFrames, VideoMetadata

_SHOWN = 4
"""Frames of each shot in the contact sheet."""
_CELL = 320
"""Pixels of the width of a cell: cells of all shots are held until the sheet is drawn."""
_TINT = np.array([255, 48, 48], np.float32)
_MATTE_TAGS = ColorTags(primaries=BT709, transfer=BT709, matrix=BT709, full_range=False)
"""What every editor reads without asking; the level of a matte is a number, not a light."""


@dataclass(frozen=True, kw_only=True)
class MatteReport:
    """What `write_mattes` did."""

    output: Path | None
    preview: Path | None
    shots: tuple[Shot, ...]
    areas: tuple[float, ...]
    """The share of the picture that the matte covers, of each frame from the first shot's first on."""
    notes: tuple[str, ...]

    def of_shot(self, shot: Shot) -> tuple[float, ...]:
        """The areas of a shot."""
        first = self.shots[0].frames.start
        return self.areas[shot.frames.start - first : shot.frames.stop - first]


def write_mattes(
    source: Path,
    spec: MaskSpec,
    output: Path | None,
    *,
    alpha: bool = False,
    preview: Path | None = None,
    frames: str | None = None,
    overwrite: bool = False,
    codec: CodecName | None = None,
    preset: PresetName = "edit",
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    on_progress: OnProgress = ignore_progress,
) -> MatteReport:
    """Make the mattes of a clip, write them with its size, timing and sound, and measure them.

    Args:
        source: the clip.
        spec: the mask.
        output: a video or the pattern of an image sequence; None writes none.
        alpha: write the clip itself with the matte as its alpha channel rather than the matte in grey.
        preview: a picture with frames of every shot, the mask tinted.
        frames: START..END as `restyle` takes it; None is the whole clip.
        overwrite: replace files that exist.
        codec: of the video; None is the container's usual one.
        preset: of the video.
        rate: frames per second of an image sequence; None is 25.
        track: number of the video stream, as `vedit probe` lists them; None is the film.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.
        interlaced: what is done with interlaced material.
        on_progress: told as mattes are made.

    Raises:
        InputError: the mask or a file cannot be read or written, or the output holds no alpha.
        ModelError: the mask needs weights that are absent.
        ContractError: the written file breaks the timing contract.
    """

    def opened() -> VideoReader:
        return open_video(source, rate=rate, track=track, allow_huge=allow_huge, interlaced=interlaced)

    admit(source, rate=rate, track=track, allow_huge=allow_huge)
    options = OutputOptions(
        codec=codec,
        preset=preset,
        overwrite=overwrite,
        label=False,
        sidecar=False,
        drop_unsupported=True,
        interlaced=interlaced,
    )
    key = ""
    if output is not None:
        facts = {"alpha": alpha, "frames": frames, "codec": codec, "preset": preset, "rate": rate}
        content = [source_hash(file.path)[0] for file in spec.files if file.path.exists()]
        key = key_of_making(checked_path(source), {**facts, "mask": repr(spec), "files": content, "fields": interlaced})
        there = (
            [output] if split_counter(output.name) is None else numbered(output.absolute(), first=0, count=0).present()
        )
        options = replace(options, replaces=() if overwrite else carriers(there, key))
        check_output(output, source, options)
    if preview is not None:
        check_sheet(preview)
        drawn = filter(None, (stamp(preview),)) if is_sheet(preview) else ()
        check_target(preview, source, overwrite=overwrite, replaces=tuple(drawn))
    with ExitStack() as stack:
        reader = stack.enter_context(opened())
        metadata, index = reader.metadata, reader.index()
        part = FrameRange(start=0, stop=len(index))
        if frames is not None:
            part = parse_range(frames, index, metadata.timecode)
        plan = None
        if output is not None:
            recipe = recipe_of("mask", key)
            plan = plan_mattes(output, metadata, index, part, options, alpha=alpha, recipe=recipe)
        if preview is not None and plan is not None and plan.takes(preview):
            raise InputError(f"{preview} is one of the mattes", remedy="give the picture another name")
        clip = MatteSource(
            metadata=metadata,
            index=index,
            shots=detect_shots(reader, frames=part),
            frames=part,
            reopen=opened,
            allow_huge=allow_huge,
        )
        mattes = stack.enter_context(open_mattes(spec, clip))
        # What may be replaced without being asked to was made alike: where it is all there, nothing is to be made.
        kept = plan is not None and bool(options.replaces) and len(options.replaces) == _count(plan)
        writer = None if plan is None or kept else stack.enter_context(VideoWriter(plan))
        cells: dict[int, npt.NDArray[np.uint8]] = {}
        shown = {number for shot in clip.shots for number in shown_frames(shot)} if preview is not None else set[int]()
        areas: list[float] = []
        course = Course(on_progress)
        course.expect(evenly(len(part), {"mask": 1.0}))
        for shot in clip.shots:
            for piece in reader.chunks(shot.frames, min(8, clip.chunk)):
                made = mattes(FrameRange(start=piece.start, stop=piece.start + len(piece)))
                areas += area(made)
                if writer is not None:
                    writer.write(with_alpha(piece, made) if alpha else grey(made))
                for number in shown & set(range(piece.start, piece.start + len(piece))):
                    cells[number] = _small(tinted(piece, made, number - piece.start))
                done = piece.start + len(piece) - part.start
                course(Progress(stage="mask", done=done, total=len(part), shot=shot.number, shots=len(clip.shots)))
        if writer is not None:
            writer.finish()
        if preview is not None:
            _draw(cells, clip, areas, preview)
        told = f"{plan.path.name} is kept: it is there, made of the same clip and mask" if plan and kept else None
        notes = (
            *filter(None, (told,)),
            *reader.warnings,
            *mattes.notes,
            *(plan.notes if plan is not None else ()),
            *_gaps(areas, part),
        )
        return MatteReport(
            output=None if plan is None else plan.path,
            preview=preview,
            shots=clip.shots,
            areas=tuple(areas),
            notes=tuple(dict.fromkeys(notes)),
        )


def plan_mattes(
    path: Path,
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    options: OutputOptions,
    *,
    alpha: bool,
    recipe: Mapping[str, object] | None = None,
) -> OutputSpec:
    """The file of mattes: the clip's times and sound, and 8 bits of BT.709 grey, or its picture with alpha."""
    if alpha:
        container = container_for(path)
        if container.alpha_codec is None:
            raise MediaError(
                f"{container.suffix} cannot hold the mask as alpha",
                remedy="write .mov (ProRes 4444), .mkv, .webm or pictures (clip_%04d.png), or leave out --alpha",
            )
        clear = replace(metadata, has_alpha=True)
        return plan_output(path, clear, index, frames=part, options=options, recipe=recipe)
    bare = replace(metadata, pixel_format="yuv420p", bit_depth=8, has_alpha=False, color=_MATTE_TAGS)
    plan = plan_output(path, bare, index, frames=part, options=options, recipe=recipe, data=True)
    # Planned once more without the mastering display of an HDR source, which says nothing of a matte.
    plan = replace(plan, encoding=choose_encoding(bare, plan.container, options))
    if plan.container.sequence:
        plan = replace(plan, copied=(), covers=(), audio_rates=(), beside=None, notes=(), lost=())
    return plan


def _count(plan: OutputSpec) -> int:
    """Files of the output, where no other of its pattern is there."""
    if plan.pictures is None:
        return 1
    present = {file.name for file in plan.pictures.present()}
    return len(present) if present == set(plan.pictures.names) else -1


def grey(mattes: torch.Tensor) -> IntFrames:
    """(T, 1, H, W) in [0, 1] -> (T, 3, H, W) of 8 bits."""
    return to_integer(mattes.expand(-1, 3, -1, -1), 8)


def with_alpha(clip: Clip, mattes: torch.Tensor) -> IntFrames:
    """The clip's own pixels with the matte as alpha, (T, 4, H, W); alpha that it has stays as far as the matte goes."""
    values = mattes[:, 0].numpy()
    if clip.frames.shape[1] == 4:
        values = values * (clip.frames[:, 3] / np.float32(full_scale(clip.bit_depth)))
    frames = clip.frames
    channel = np.round(values * full_scale(clip.bit_depth))[:, None]
    if frames.dtype == np.uint8:
        return np.concatenate([frames[:, :3], channel], axis=1, dtype=np.uint8, casting="unsafe")
    return np.concatenate([frames[:, :3], channel], axis=1, dtype=np.uint16, casting="unsafe")


def shown_frames(shot: Shot) -> list[int]:
    """Frames of a shot for the contact sheet: the first, the last, and some evenly between."""
    last = shot.frames.stop - 1
    return sorted({round(place) for place in np.linspace(shot.frames.start, last, min(_SHOWN, len(shot.frames)))})


def tinted(clip: Clip, mattes: torch.Tensor, number: int) -> npt.NDArray[np.uint8]:
    """A frame of 8 bits, (3, H, W): red lies over the mask, what is outside is darker."""
    picture = clip.frames[number, :3].astype(np.float32) * np.float32(255 / full_scale(clip.bit_depth))
    matte = mattes[number].numpy()
    over = picture * np.float32(0.5) + _TINT[:, None, None] * np.float32(0.5)
    return np.round(over * matte + picture * np.float32(0.55) * (1 - matte)).astype(np.uint8)


def _draw(cells: dict[int, npt.NDArray[np.uint8]], clip: MatteSource, areas: Sequence[float], preview: Path) -> None:
    rows: list[list[npt.NDArray[np.uint8]]] = []
    labels: list[list[str]] = []
    for shot in clip.shots:
        numbers = shown_frames(shot)
        rows.append([cells[number] for number in numbers])
        labels.append([f"shot {shot.number}, #{n}: {100 * areas[n - clip.frames.start]:.1f} %" for n in numbers])
    contact_sheet(rows, labels, preview, cell_width=_CELL)


def _small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(3, H, W), no wider than a cell."""
    height, width = picture.shape[1:]
    if width <= _CELL:
        return picture
    size = (_CELL, max(1, round(height * _CELL / width)))
    scaled = cv2.resize(np.ascontiguousarray(picture.transpose(1, 2, 0)), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.uint8)


def _gaps(areas: Sequence[float], part: FrameRange) -> list[str]:
    """A note where frames have no mask at all."""
    bare = [number for number, share in enumerate(areas, part.start) if share == 0]
    if not bare:
        return []
    if len(bare) == len(areas):
        return ["the mask is empty on every frame"]
    return [f"the mask is empty on {len(bare)} of {len(areas)} frames, the first is #{bare[0]}"]
