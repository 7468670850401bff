"""The one home of rates: from integer timestamps to an exact rational frame rate, or to the finding that there is none.

A rate is exact where every timestamp lies within half a tick of one evenly spaced grid. Containers with coarse ticks
(Matroska: 1 ms) round each timestamp, so the spacing is only known as an interval; the rate is then the one in that
interval that the container names, or a standard one, or the simplest fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

NTSC = tuple(Fraction(n * 1000, 1001) for n in (12, 15, 24, 30, 48, 60, 72, 90, 96, 120, 144, 240))
WHOLE = tuple(Fraction(n) for n in (5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 72, 75, 90, 96, 100, 120, 144, 200, 240))
STANDARD = NTSC + WHOLE
NO_RATE = "none"
"""What is said of a still picture, which has no rate."""

HALF = Fraction(1, 2)
COARSE = 4
"""Where frames are fewer ticks apart than this, uneven steps are dropped frames rather than rounding."""

SAME = Fraction(1, 20000)
"""Two rates nearer than this (relative) are one rate: 24 and 24000/1001 differ by 1/1000."""


def snap(rate: Fraction | None) -> Fraction | None:
    """The standard rate that `rate` stands for (2997/100 is 30000/1001), or `rate` itself where there is none."""
    if rate is None or rate <= 0:
        return None
    nearest = min(STANDARD, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= nearest * SAME else rate


def exact_rate(pts: Sequence[int], time_base: Fraction, hints: Iterable[Fraction | None] = ()) -> Fraction | None:
    """The frame rate of timestamps that lie on one grid within half a tick, else None (variable frame rate).

    Args:
        pts: presentation times in display order, in ticks of `time_base`; strictly increasing.
        time_base: seconds per tick.
        hints: rates the container names; one of them is taken only where the timestamps allow it.

    Returns:
        Frames per second; of a single frame, the first usable hint.
    """
    named = tuple(rate for rate in (snap(hint) for hint in hints) if rate is not None)
    if len(pts) < 2:
        return named[0] if named else None
    low, high = _step_interval(pts)
    if low > high or high <= 0:
        return None
    center = Fraction(pts[-1] - pts[0], len(pts) - 1)
    even = len({b - a for a, b in pairwise(pts)}) == 1
    if not even and center < COARSE:
        return None
    if even and high - low < center * SAME:
        return snap(1 / (center * time_base))

    exact = 1 / (center * time_base)
    candidates = ((exact,) if even and exact in STANDARD else ()) + named
    for rate in candidates:
        if low <= 1 / (rate * time_base) <= high:
            return rate
    standard = [rate for rate in STANDARD if low <= 1 / (rate * time_base) <= high]
    if standard:
        return min(standard, key=lambda rate: abs(rate - exact))
    if even:
        return exact
    return simplest_between(1 / (high * time_base), 1 / (low * time_base)) if low > 0 else exact


def fits(rate: Fraction, pts: Sequence[int], time_base: Fraction, slack: Fraction = HALF) -> bool:
    """Whether timestamps lie on one grid of this rate within `slack` ticks; of a single frame, always."""
    if len(pts) < 2:
        return True
    low, high = _step_interval(pts, slack)
    return low <= 1 / (rate * time_base) <= high


def average_rate(pts: Sequence[int], time_base: Fraction, last_duration: int) -> Fraction | None:
    """Frames by the time they fill, the last frame's duration included; None where no time passes."""
    if not pts:
        return None
    ticks = pts[-1] - pts[0] + last_duration
    return Fraction(len(pts)) / (ticks * time_base) if ticks > 0 else None


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of the smallest denominator in [low, high], 0 < low <= high."""
    floor = low.numerator // low.denominator
    if floor == low:
        return Fraction(floor)
    if floor + 1 <= high:
        return Fraction(floor + 1)
    return floor + 1 / simplest_between(1 / (high - floor), 1 / (low - floor))


def _step_interval(pts: Sequence[int], slack: Fraction = HALF) -> tuple[Fraction, Fraction]:
    """The steps s for which some phase p gives |pts[i] - p - i * s| <= slack for all i; empty where low > high.

    For i < j that says (pts[j] - pts[i] - 2 slack) / (j - i) <= s <= (pts[j] - pts[i] + 2 slack) / (j - i).
    """
    low = _steepest(pts, 2 * slack)
    high = -_steepest([-value for value in pts], 2 * slack)
    return low, high


def _steepest(pts: Sequence[int], drop: Fraction) -> Fraction:
    """max over i < j of (pts[j] - pts[i] - drop) / (j - i), in O(n log n) by tangents to a hull."""
    best = pts[1] - pts[0] - drop
    hull: list[tuple[int, int]] = []
    for j, value in enumerate(pts):
        if hull:
            # The steepest line from the hull of the earlier points to this one touches at the tangent point.
            left, right = 0, len(hull) - 1
            target = value - drop
            while left < right:
                middle = (left + right) // 2
                (x0, y0), (x1, y1) = hull[middle], hull[middle + 1]
                if (target - y1) * (j - x0) > (target - y0) * (j - x1):
                    left = middle + 1
                else:
                    right = middle
            x, y = hull[left]
            best = max(best, (target - y) / (j - x))
        # Upper-left points can never give a steeper line: only the lower hull is kept.
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2], hull[-1]
            if (y1 - y0) * (j - x0) >= (value - y0) * (x1 - x0):
                hull.pop()
            else:
                break
        hull.append((j, value))
    return best
