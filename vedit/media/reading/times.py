"""The times of frames where a file's own repeat, step back or are missing: as few as possible are moved."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

NO_PTS = -(2**63)
"""Stands for an absent timestamp; FFmpeg's own value for that."""

WORTHLESS = Fraction(1, 4)
"""Where more of the steps than this go back, the times are no clock with faults, but none at all."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Strictly increasing times of all frames."""

    pts: tuple[int, ...]
    moved: tuple[int, ...] = ()
    """Frames whose time is not the file's own."""
    even: bool = False
    """All of them were replaced by an even grid."""


def mend(pts: Sequence[int], *, rate: Fraction, time_base: Fraction, end: int | None = None) -> Times:
    """Times that strictly increase, with as few frames as can be at another than their own.

    The longest run of the file's own times is kept that leaves a tick for each frame between. The others are put
    on the grid of the rate where the kept ones lie on it, else evenly between those they lie between; before the first
    and behind the last, at the distance that they had from each other.

    Args:
        pts: as the decoder presents the frames; `NO_PTS` where there is none.
        rate: what the container names, for where the times tell nothing.
        time_base: seconds per tick.
        end: where the track ends, if that is told.
    """
    if NO_PTS not in pts and all(a < b for a, b in pairwise(pts)):
        return Times(pts=tuple(pts))
    known = [value for value in pts if value != NO_PTS]
    back = sum(a > b for a, b in pairwise(known))
    if not known or back > WORTHLESS * len(known):
        first = known[0] if known else 0
        step = 1 / (rate * time_base)
        even = tuple(first + round(number * step) for number in range(len(pts)))
        return Times(pts=even, moved=tuple(range(len(pts))), even=True)
    kept = _kept(pts)
    step = _typical(pts, kept) or max(1, round(1 / (rate * time_base)))
    # Broadcast streams are said to end with the start of their last frame.
    room = (end - pts[kept[-1]]) / (len(pts) - kept[-1]) if end is not None else 0
    close = end if 4 * room >= max(4, 3 * step) else None
    kept = _widened(pts, kept, close)
    grid = _grid(pts, kept, 1 / (rate * time_base))
    found = list(pts)
    anchors = [(number, pts[number]) for number in kept]
    if close is not None and grid is None:
        anchors.append((len(pts), close))
    for (a, low), (b, high) in pairwise(anchors):
        for number in range(a + 1, b):
            found[number] = grid[number] if grid else low + round(Fraction((number - a) * (high - low), b - a))
    for number in range(anchors[-1][0] + 1, len(pts)):
        usual = grid[number] - grid[number - 1] if grid else step
        found[number] = found[number - 1] + _own_step(pts, number, usual, outside=number - 1 > anchors[-1][0])
    for number in reversed(range(kept[0])):
        found[number] = found[number + 1] - _own_step(pts, number + 1, step, outside=number + 1 < kept[0])
    return Times(pts=tuple(found), moved=tuple(n for n in range(len(pts)) if found[n] != pts[n]))


def _kept(pts: Sequence[int]) -> list[int]:
    """Numbers of the frames that keep their time: as many as can be, the first among them unless that costs others.

    Times less their numbers must not fall, which is what leaves a tick for every frame between two kept ones.
    """
    free = _longest(pts, floor=None)
    if free[0] == 0 or pts[0] == NO_PTS:
        return free
    # What goes with the pictures is timed from the first of them.
    first = [0, *_longest(pts, floor=pts[0])]
    return first if len(pts) - len(first) <= 2 * (len(pts) - len(free)) else free


def _longest(pts: Sequence[int], floor: int | None) -> list[int]:
    """The longest non-decreasing run of times less their numbers, by patience sorting; from `floor`, behind frame 0."""
    tails: list[int] = []
    at: list[int] = []
    before = [-1] * len(pts)
    for number, value in enumerate(pts):
        if value == NO_PTS or (floor is not None and (number == 0 or value - number < floor)):
            continue
        place = bisect_right(tails, value - number)
        before[number] = at[place - 1] if place else -1
        tails[place : place + 1] = [value - number]
        at[place : place + 1] = [number]
    found: list[int] = []
    number = at[-1] if at else -1
    while number >= 0:
        found.append(number)
        number = before[number]
    return found[::-1]


def _widened(pts: Sequence[int], kept: list[int], close: int | None) -> list[int]:
    """The same number of kept frames, where of frames at one time that one is kept which leaves the most even steps."""
    found = list(kept)
    for place in range(len(found)):
        number = found[place]
        low, high = place - 1, place + 1
        begin = found[low] if low >= 0 else -1
        stop = found[high] if high < len(found) else len(pts)
        if stop - begin <= 2:
            continue
        start = pts[begin] if begin >= 0 else None
        end = pts[stop] if stop < len(pts) else close
        if start is None:
            continue  # the first that is kept stays
        best = _evenness(pts, begin, number, stop, start, end)
        for other in range(begin + 1, stop):
            if other == number or pts[other] == NO_PTS:
                continue
            if pts[other] - start < other - begin or (end is not None and end - pts[other] < stop - other):
                continue
            score = _evenness(pts, begin, other, stop, start, end)
            if score > best:
                best, found[place] = score, other
    return found


def _grid(pts: Sequence[int], kept: Sequence[int], step: Fraction) -> tuple[int, ...] | None:
    """The times of all frames on the grid that the kept ones lie on within half a tick; None where they do not."""
    off = [pts[number] - number * step for number in kept]
    if len(kept) < 2 or max(off) - min(off) > 1:
        return None
    phase = (max(off) + min(off)) / 2
    even = [round(phase + number * step) for number in range(len(pts))]
    for number in kept:
        even[number] = pts[number]
    return tuple(even) if all(a < b for a, b in pairwise(even)) else None


def _evenness(pts: Sequence[int], begin: int, number: int, stop: int, start: int, end: int | None) -> Fraction:
    """The shortest step between two kept frames where `number` is kept between them."""
    steps = [Fraction(pts[number] - start, number - begin)]
    if end is not None:
        steps.append(Fraction(end - pts[number], stop - number))
    return min(steps)


def _typical(pts: Sequence[int], kept: Sequence[int]) -> int:
    """The median step between kept neighbours; 0 where there are none."""
    steps = [pts[b] - pts[a] for a, b in pairwise(kept) if b - a == 1]
    return statistics.median_low(steps) if steps else 0


def _own_step(pts: Sequence[int], number: int, step: int, *, outside: bool) -> int:
    """From the frame before to frame `number`: their own step where neither is kept and it goes on."""
    a, b = pts[number - 1], pts[number]
    return b - a if outside and NO_PTS not in (a, b) and b > a else step


def spelled(numbers: Sequence[int], most: int = 5) -> str:
    """Frame 30; frames 30 and 31; frames 3, 4, 5, 6, 7 and 20 more."""
    shown = [str(number) for number in numbers[:most]]
    rest = len(numbers) - len(shown)
    if rest:
        shown.append(f"{rest} more")
    *first, last = shown
    return f"frame{'s' if len(numbers) > 1 else ''} {', '.join(first)}{' and ' if first else ''}{last}"
