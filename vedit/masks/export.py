"""Mattes as files: a grey video or pictures on the clip's timing, the clip with the matte as alpha, a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.display.contact_sheet import check_sheet, is_sheet
from vedit.errors import InputError, MediaError
from vedit.masks.mattes import SourceMattes, area, open_mattes
from vedit.masks.sheet import MatteSheet
from vedit.masks.source import masked_clip
from vedit.masks.subjects import segmenters
from vedit.media.color.convert import BT709
from vedit.media.output import CodecName, OutputOptions, PresetName
from vedit.media.writing.atomic import stamp
from vedit.media.writing.by_product import BY_PRODUCT, ByProduct, by_product, hash_of_clip, is_kept, plan_data
from vedit.media.writing.containers import container_for
from vedit.media.writing.output_plan import check_output, plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import source_hash
from vedit.media.writing.target import check_target
from vedit.media.writing.write import VideoWriter
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.ranges import full_scale, to_integer
from vedit.shots.clip_part import AS_IT_IS, ClipPart, admit_source, open_part
from vedit.types import ColorTags, FrameRange, Shot
from vedit.weights.store import identity

if TYPE_CHECKING:
    import torch

    from vedit.options.masks import MaskSpec
    from vedit.types import Clip, IntFrames

_TOGETHER = 8
"""Frames at most that are masked together."""
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
    reading: SourceOptions = AS_IT_IS,
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
        reading: how the clip is read.
        on_progress: told as mattes are made.

    Raises:
        InputError: the mask or a file cannot be read or written, or the output holds no alpha.
        ModelError: the mask needs weights that are absent.
        ContractError: the written file breaks the timing contract.
    """
    admit_source(source, reading)
    options = replace(BY_PRODUCT, codec=codec, preset=preset, overwrite=overwrite, interlaced=reading.interlaced)
    product = None
    if output is not None:
        facts = {"alpha": alpha, "frames": frames, "codec": codec, "preset": preset}
        product = _product(output, spec, source, reading, options, facts)
        check_output(output, source, product.options)
    if preview is not None:
        _check_preview(preview, source, overwrite=overwrite)
    with ExitStack() as stack:
        clip = stack.enter_context(open_part(source, frames, reading))
        plan = None if product is None else plan_mattes(product, clip, alpha=alpha)
        if preview is not None and plan is not None and plan.takes(preview):
            raise InputError(f"{preview} is one of the mattes", remedy="give the picture another name")
        masked = masked_clip(clip, source, reading)
        mattes = stack.enter_context(open_mattes(spec, masked))
        kept = plan is not None and is_kept(plan)
        writer = None if plan is None or kept else stack.enter_context(VideoWriter(plan))
        sheet = None if preview is None else MatteSheet(clip.shots)
        areas: list[float] = []
        for piece, made in _matted(clip, mattes, min(_TOGETHER, masked.chunk), on_progress):
            areas += area(made)
            if writer is not None:
                writer.write(with_alpha(piece, made) if alpha else grey(made))
            if sheet is not None:
                sheet.take(piece, made)
        if writer is not None:
            writer.finish()
        if preview is not None and sheet is not None:
            sheet.draw(areas, preview)
        told = [f"{plan.path.name} is kept: it is there, made of the same clip and mask"] if plan and kept else []
        planned = () if plan is None else plan.notes
        notes = (*told, *clip.reader.warnings, *mattes.notes, *planned, *_gaps(areas, clip.frames))
        return MatteReport(
            output=None if plan is None else plan.path,
            preview=preview,
            shots=clip.shots,
            areas=tuple(areas),
            notes=tuple(dict.fromkeys(notes)),
        )


def _product(
    output: Path,
    spec: MaskSpec,
    source: Path,
    reading: SourceOptions,
    options: OutputOptions,
    facts: Mapping[str, object],
) -> ByProduct:
    """The mattes, known again by the mask, what is in its files, its weights, and all that was asked for."""
    weights = {name: identity(name) for name in segmenters(spec)}
    facts = {
        **facts,
        "mask": repr(spec),
        "files": [_content(file.path) for file in spec.files],
        "rate": reading.rate,
        "fields": reading.interlaced,
        **({} if reading.track is None else {"track": reading.track}),
        **({"weights": weights} if weights else {}),
    }
    return by_product("mask", output, source_sha256=hash_of_clip(source), facts=facts, options=options)


def _content(file: Path) -> str | None:
    """SHA-256 of a mask's file, or of all pictures of its pattern; None where there is none, as its opening says."""
    try:
        return source_hash(file)[0]
    except OSError:
        return None


def _check_preview(preview: Path, source: Path, *, overwrite: bool) -> None:
    """Raises InputError where the contact sheet cannot be written; one that was drawn here may be replaced."""
    check_sheet(preview)
    drawn = filter(None, (stamp(preview),)) if is_sheet(preview) else ()
    check_target(preview, source, overwrite=overwrite, replaces=tuple(drawn))


def _matted(
    clip: ClipPart, mattes: SourceMattes, size: int, on_progress: OnProgress
) -> Iterator[tuple[Clip, torch.Tensor]]:
    """The clip's frames with their mattes, `size` at a time; what came is done with when the next is asked for."""
    course = Course(on_progress)
    course.expect(evenly(len(clip.frames), {"mask": 1.0}))
    for shot in clip.shots:
        for piece in clip.reader.chunks(shot.frames, size):
            stop = piece.start + len(piece)
            yield piece, mattes(FrameRange(start=piece.start, stop=stop))
            course(clip.reached("mask", shot, stop))


def plan_mattes(product: ByProduct, clip: ClipPart, *, alpha: bool) -> OutputSpec:
    """The file of mattes: the clip's times and sound, and 8 bits of BT.709 grey, or its picture with alpha."""
    if not alpha:
        return plan_data(product, clip.metadata, clip.index, clip.frames, pixel_format="yuv420p", color=_MATTE_TAGS)
    container = container_for(product.path)
    if container.alpha_codec is None:
        raise MediaError(
            f"{container.suffix} cannot hold the mask as alpha",
            remedy="write .mov (ProRes 4444), .mkv, .webm or pictures (clip_%04d.png), or leave out --alpha",
        )
    clear = replace(clip.metadata, has_alpha=True)
    return plan_output(
        product.path, clear, clip.index, frames=clip.frames, options=product.options, recipe=product.recipe
    )


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


def _gaps(areas: Sequence[float], part: FrameRange) -> list[str]:
    """A note where frames have no mask at all."""
    bare = [number for number, share in enumerate(areas, part.start) if share == 0]
    if not bare:
        return []
    if len(bare) == len(areas):
        return ["the mask is empty on every frame"]
    return [f"the mask is empty on {len(bare)} of {len(areas)} frames, the first is #{bare[0]}"]
