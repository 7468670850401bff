"""The black bars of each shot of a clip, and what to tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from vedit.media.timecode import parse_moment
from vedit.shots.bars import Sought, brightness, may_have_bars, seek_bars
from vedit.types import Bars, FrameRange, Shot

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest
    from vedit.protocols import Reader
    from vedit.shots.bars import Bright

_FRAMES = 9
"""Frames of a shot that are looked at, spread evenly."""


def bars_of_shots(reader: Reader, shots: Iterable[Shot]) -> dict[int, Bars]:
    """Shot number -> the black bars that lie in it from its first frame to its last; shots without are left out.

    A shot too dark to tell has the bars of the nearest shot that has some, where all of them are black in it too.
    """
    sought = {shot.number: _sought(reader, shot.frames) for shot in shots}
    plain = [(number, one.found) for number, one in sought.items() if one.found]

    def nearest(number: int) -> Bars:
        return min(plain, key=lambda other: abs(other[0] - number), default=(number, Bars()))[1]

    found = {number: one.like(nearest(number)) for number, one in sought.items()}
    return {number: bars for number, bars in found.items() if bars}


def kept_bars(request: RenderRequest, reader: Reader, shots: Sequence[Shot]) -> tuple[dict[int, Bars], dict[int, Bars]]:
    """`bars_of_shots` for the shots that a render restyles and whose look keeps their bars; and the bars by frame of
    those anchors that lie in none of the shots."""
    looks = {shot.number: request.options for shot in shots} if request.looks is None else request.looks
    looks = {n: look for n, look in looks.items() if look.bars == "keep" and n not in request.locked}
    index, timecode = reader.index(), reader.metadata.timecode
    moments = {look.anchor for look in looks.values() if look.anchor is not None}
    frames = {parse_moment(moment, index, timecode) for moment in moments}
    alone = [
        Shot(number=frame, frames=FrameRange(start=frame, stop=frame + 1))
        for frame in sorted(frames)
        if not any(frame in shot.frames for shot in shots)
    ]
    return (
        bars_of_shots(reader, (shot for shot in shots if shot.number in looks)),
        bars_of_shots(reader, alone),
    )


def told_of_bars(bars: Mapping[int, Bars], shots: Sequence[Shot]) -> tuple[str, ...]:
    """A line for each kind of bars: how wide they are, and in which shots they stay."""
    lines: list[str] = []
    kinds = dict.fromkeys(bars.values())
    for kind in kinds:
        numbers = [number for number, own in bars.items() if own == kind]
        where = "" if len(numbers) == len(shots) else f" in {_numbered(numbers)}"
        widths = ", ".join(f"{width} {side}" for side, width in kind.sides.items() if width)
        lines.append(f"black bars ({widths}, in pixels){where} stay as they are; `bars` set to paint restyles them too")
    return tuple(lines)


def _sought(reader: Reader, frames: FrameRange) -> Sought:
    """Of some frames; one is enough where it has no dark border."""
    count = min(_FRAMES, len(frames))
    numbers = sorted({frames.start + (2 * n + 1) * len(frames) // (2 * count) for n in range(count)})
    middle = numbers[len(numbers) // 2]
    seen: dict[int, Bright] = {middle: _frame(reader, middle)}
    if not may_have_bars(seen[middle]):
        return Sought(found=Bars(), room=Bars())
    for number in numbers:
        if number not in seen:
            seen[number] = _frame(reader, number)
    return seek_bars([seen[number] for number in numbers])


def _frame(reader: Reader, number: int) -> Bright:
    clip = reader.read(FrameRange(start=number, stop=number + 1))
    return brightness(clip.frames[0], clip.bit_depth)


def _numbered(numbers: Sequence[int]) -> str:
    """`shots 1, 3-5`."""
    runs: list[str] = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        own = [number for _, number in run]
        runs.append(str(own[0]) if len(own) == 1 else f"{own[0]}-{own[-1]}")
    return f"shot{'s' if len(numbers) > 1 else ''} {', '.join(runs)}"
