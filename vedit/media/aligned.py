"""Which frame of another clip belongs to which frame of the source: control videos and mask videos made elsewhere."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from vedit.errors import MediaError
from vedit.types import FrameIndex, FrameRange


def align(
    source: FrameIndex,
    other: FrameIndex,
    *,
    part: FrameRange | None = None,
    timed: bool = True,
    name: str = "the other clip",
) -> tuple[int, ...]:
    """The frame of `other` that is shown with each frame of the source, by time since each one's first frame.

    The nearest one counts, within half a frame of the source (its median frame duration) and a tick of the coarser
    time base, so a clip of a higher rate passes and one of a lower rate does not. `other` covers the whole source, or
    exactly the part that is asked for; it may not go on behind the end either, since then it is another clip's.

    Args:
        source: times of the clip that is edited.
        other: times of the clip that goes with it.
        part: the frames that are asked for; None is all of them.
        timed: `other` has times; else (an image sequence) frames go together by number.
        name: what `other` is called in the error.

    Returns:
        One frame number of `other` for each frame of `part`.

    Raises:
        MediaError: `other` is shorter or longer, or a frame has none at its time; with both lengths.
    """
    whole = FrameRange(start=0, stop=len(source))
    wanted = whole if part is None else part
    # A clip that fits the whole source is taken for that: an export of a part could only fit by a coincidence.
    for covered in dict.fromkeys((whole, wanted)):
        found = _by_time(source, other, covered) if timed else _by_number(other, covered)
        if found is not None:
            return found[wanted.start - covered.start : wanted.stop - covered.start]
    also = f", the part {_length(source, wanted)}" if wanted != whole else ""
    raise MediaError(
        f"{name} has {_length(other, FrameRange(start=0, stop=len(other)), timed=timed)}, "
        f"the source {_length(source, whole, timed=timed)}{also}",
        remedy="export it with the source's frames at the source's times",
    )


def goes_by_part(numbers: Sequence[int], part: FrameRange) -> bool:
    """Whether what `align` found for a part holds for that part alone: another one would have other frames.

    So it is where the other clip begins with the part and not with the source, unless it is a single picture.
    """
    return part.start > 0 and numbers[:1] == (0,) and any(numbers)


def _by_number(other: FrameIndex, covered: FrameRange) -> tuple[int, ...] | None:
    return tuple(range(len(other))) if len(other) == len(covered) else None


def _by_time(source: FrameIndex, other: FrameIndex, covered: FrameRange) -> tuple[int, ...] | None:
    if not len(other) or not len(covered):
        return None
    times = [other.seconds(number) for number in range(len(other))]
    own, others = frame_duration(source), frame_duration(other)
    # Both have rounded times; where a tick is as long as a frame they are exact.
    slack = own / 2 + min(own / 4, max(source.time_base, other.time_base))
    end = _end(source, covered)
    if times[-1] > end - min(own, others) / 4:
        return None
    first = source.seconds(covered.start)
    found: list[int] = []
    for number in range(covered.start, covered.stop):
        wanted = source.seconds(number) - first
        after = bisect_left(times, wanted)
        near = min((n for n in (after - 1, after) if 0 <= n < len(times)), key=lambda n: abs(times[n] - wanted))
        if abs(times[near] - wanted) > slack:
            return None
        found.append(near)
    return tuple(found)


def frame_duration(index: FrameIndex) -> Fraction:
    """Seconds between two frames: the median."""
    steps = [after - before for before, after in pairwise(index.pts)] or [index.last_duration]
    return Fraction(statistics.median_low(steps)) * index.time_base


def _end(index: FrameIndex, part: FrameRange) -> Fraction:
    """When the last frame of the part is over, in seconds after its first frame."""
    last = index.last_duration if part.stop == len(index) else index.pts[part.stop] - index.pts[part.stop - 1]
    return index.seconds(part.stop - 1) - index.seconds(part.start) + last * index.time_base


def _length(index: FrameIndex, part: FrameRange, *, timed: bool = True) -> str:
    frames = f"{len(part)} frame{'' if len(part) == 1 else 's'}"
    return f"{frames} ({float(_end(index, part)):.3f} s)" if timed and len(part) else frames
