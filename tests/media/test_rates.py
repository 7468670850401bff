"""Exact rates from rounded timestamps."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedit.media.rates import COARSE, STANDARD, average_rate, exact_rate, fits, simplest_between, snap

BASES = [Fraction(1, n) for n in (600, 1000, 12800, 15360, 24000, 30000, 90000)]


@given(
    rate=st.sampled_from(STANDARD),
    base=st.sampled_from(BASES),
    count=st.integers(2, 400),
    first=st.integers(-50, 10**9),
    phase=st.fractions(0, 1),
)
def test_rounded_grid_is_recognised(rate: Fraction, base: Fraction, count: int, first: int, phase: Fraction) -> None:
    pts = [first + round(n / rate / base + phase) for n in range(count)]
    assert fits(rate, pts, base)
    if pts[-1] - pts[0] < COARSE * (count - 1) and len({b - a for a, b in pairwise(pts)}) > 1:
        assert exact_rate(pts, base, (rate,)) is None, "frames dropped, for all that these ticks can tell"
        return
    assert exact_rate(pts, base, (rate,)) is not None
    # With enough frames no other standard rate fits, and no hint is needed.
    if count / rate > 5:
        assert exact_rate(pts, base) == rate


@given(steps=st.lists(st.integers(1, 60), min_size=1, max_size=25), rate=st.fractions(5, 60, max_denominator=50))
def test_fits_is_the_pairwise_condition(steps: list[int], rate: Fraction) -> None:
    base = Fraction(1, 1000)
    pts = [sum(steps[:n]) for n in range(len(steps) + 1)]
    step = 1 / (rate * base)
    if len(set(steps)) > 1 and sum(steps) < COARSE * len(steps):
        assert exact_rate(pts, base) is None
        return
    # A phase exists where the offsets from the grid span at most one tick.
    offsets = [value - n * step for n, value in enumerate(pts)]
    assert fits(rate, pts, base) == (max(offsets) - min(offsets) <= 1)
    found = exact_rate(pts, base)
    if found is not None:
        assert fits(found, pts, base)
    slopes = [(b[1] - a[1], b[0] - a[0]) for a, b in combinations(enumerate(pts), 2)]
    low = max(Fraction(rise - 1, run) for rise, run in slopes)
    high = min(Fraction(rise + 1, run) for rise, run in slopes)
    assert (found is None) == (low > high)


def test_variable_rate_is_none() -> None:
    assert exact_rate([0, 1000, 2500, 3000, 9000], Fraction(1, 90000), (Fraction(30),)) is None
    dropped = [n for n in range(30) if n != 11]
    assert exact_rate(dropped, Fraction(1, 25), (Fraction(25),)) is None


def test_short_clips_trust_the_container() -> None:
    pts = [0, 42, 83]
    assert exact_rate(pts, Fraction(1, 1000), (Fraction(24000, 1001),)) == Fraction(24000, 1001)
    assert exact_rate(pts, Fraction(1, 1000), (Fraction(24),)) == 24
    assert exact_rate([7], Fraction(1, 1000), (None, Fraction(2997, 100))) == Fraction(30000, 1001)
    assert exact_rate([7], Fraction(1, 1000)) is None


@pytest.mark.parametrize(
    ("told", "meant"), [("2997/50", "60000/1001"), ("23976/1000", "24000/1001"), ("24", "24"), ("13", "13")]
)
def test_snap(told: str, meant: str) -> None:
    assert snap(Fraction(told)) == Fraction(meant)


def test_snap_refuses_nonsense() -> None:
    assert snap(None) is None
    assert snap(Fraction(0)) is None


def test_average_rate() -> None:
    assert average_rate([0, 40, 100], Fraction(1, 1000), 60) == Fraction(3000, 160)
    assert average_rate([], Fraction(1, 1000), 60) is None
    assert average_rate([0], Fraction(1, 1000), 0) is None


@given(low=st.fractions(Fraction(1, 100), 100), width=st.fractions(0, 2))
def test_simplest_between(low: Fraction, width: Fraction) -> None:
    found = simplest_between(low, low + width)
    assert low <= found <= low + width
    assert found.denominator <= low.denominator
