"""The size of a render before its source is read: what the header and the request tell of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.media.timecode import parse_range
from vedit.models.loading import loading_of
from vedit.render.costs import Outline
from vedit.render.evaluations import outline_of_look
from vedit.render.fitting import fit_of
from vedit.types import FrameIndex, FrameRange

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.options.request import RenderRequest, RestyleOptions
    from vedit.types import VideoMetadata

_USUAL_CODEC = "h264"

OnOutline = Callable[[Outline | None], None]
"""Told what is known of a render's size each time that more is; None is nothing yet."""


def ignore_outline(outline: Outline | None) -> None:
    """The caller that does not want to know."""


def foreseen(
    request: RenderRequest,
    model: ModelRef,
    metadata: VideoMetadata,
    device: str,
    *,
    frames: FrameRange | None = None,
    count: int | None = None,
    is_scanned: bool = False,
) -> Outline | None:
    """The outline of a render whose shots are not known; without a plan it is taken for a single one.

    Args:
        request: with the controls that will act.
        model: that it asks for.
        metadata: of the source.
        device: that the networks run on.
        frames: that are rendered; None is what the header and the request tell.
        count: of the whole clip's frames; None is what the header tells.
        is_scanned: the times of the frames are known and need no decode.

    Returns:
        None where the header does not tell how long the clip is.
    """
    count = _declared(metadata) if count is None else count
    if count is None:
        return None
    part = frames or _part(request, metadata, count)
    loading = loading_of(request, device).on_this_machine(bears_bfloat16=model.traits.bears_bfloat16)
    looks = {request.options: (part,)} if request.looks is None else _planned(request, part)
    return Outline(
        pixels=metadata.width * metadata.height,
        source_codec=metadata.codec,
        model=model.name,
        loading=loading,
        frames=part,
        looks=tuple(
            outline_of_look(
                model,
                options,
                fit_of((metadata.width, metadata.height), options, model.traits),
                shots,
                loading,
            )
            for options, shots in looks.items()
        ),
        scanned=0 if is_scanned else count,
        searched=len(part) if request.shots is None else 0,
        codec=_USUAL_CODEC,
    )


def _declared(metadata: VideoMetadata) -> int | None:
    """How many frames the header promises."""
    if metadata.declared_frames:
        return metadata.declared_frames
    if metadata.duration is None or metadata.average_rate is None:
        return None
    return round(metadata.duration * metadata.average_rate) or None


def _part(request: RenderRequest, metadata: VideoMetadata, count: int) -> FrameRange:
    """The frames that are asked for, of a clip of even frames."""
    whole = FrameRange(start=0, stop=count)
    if request.frames is None:
        return whole
    tick = 1 / (metadata.average_rate or Fraction(25))
    even = FrameIndex(pts=tuple(range(count)), time_base=tick, last_duration=1, rate=metadata.average_rate)
    try:
        return parse_range(request.frames, even, metadata.timecode)
    except InputError:
        return whole  # it may be right by the times that the frames have


def _planned(request: RenderRequest, part: FrameRange) -> dict[RestyleOptions, tuple[FrameRange, ...]]:
    """The looks of a plan, and what of their shots lies in the part."""
    found: dict[RestyleOptions, tuple[FrameRange, ...]] = {}
    for shot in request.shots or ():
        options = (request.looks or {}).get(shot.number)
        start, stop = max(shot.frames.start, part.start), min(shot.frames.stop, part.stop)
        if options is not None and shot.number not in request.locked and start < stop:
            found[options] = (*found.get(options, ()), FrameRange(start=start, stop=stop))
    return found
