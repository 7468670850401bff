"""Frames of another clip by the source's times."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vedit.errors import MediaError
from vedit.media.aligned import align, frame_duration, goes_by_part
from vedit.types import FrameIndex, FrameRange


def constant(count: int, rate: Fraction | int, *, base: Fraction | None = None, first: int = 0) -> FrameIndex:
    tick = base or 1 / Fraction(rate)
    pts = tuple(first + round(n / Fraction(rate) / tick) for n in range(count))
    return FrameIndex(pts=pts, time_base=tick, last_duration=round(1 / rate / tick), rate=Fraction(rate))


NTSC = Fraction(24000, 1001)
MILLISECONDS = Fraction(1, 1000)


def test_the_same_times_in_another_time_base_and_from_another_start() -> None:
    assert align(constant(48, NTSC), constant(48, NTSC, base=MILLISECONDS, first=70)) == tuple(range(48))


def test_a_higher_rate_gives_the_nearest_frame() -> None:
    assert align(constant(5, 24), constant(10, 48)) == (0, 2, 4, 6, 8)
    found = align(constant(24, 24), constant(30, 30))
    assert all(abs(Fraction(n, 24) - Fraction(near, 30)) <= Fraction(1, 60) for n, near in enumerate(found))
    assert len(found) == 24


def test_variable_rate() -> None:
    uneven = FrameIndex(pts=(0, 40, 50, 120, 160, 300), time_base=MILLISECONDS, last_duration=40, rate=None)
    shifted = FrameIndex(
        pts=tuple(90 * pts + 5 for pts in uneven.pts), time_base=Fraction(1, 90000), last_duration=3600, rate=None
    )
    assert align(uneven, shifted) == tuple(range(6))
    with pytest.raises(MediaError, match=r"6 frames \(0.240 s\), the source 6 frames \(0.340 s\)"):
        align(uneven, constant(6, 25))


@pytest.mark.parametrize(
    ("count", "rate"),
    [(47, NTSC), (49, NTSC), (24, Fraction(12)), (1, NTSC), (600, NTSC)],
)
def test_another_length_is_an_error_with_both(count: int, rate: Fraction) -> None:
    with pytest.raises(MediaError, match=rf"^maps\.mp4 has {count} frames? \([\d.]+ s\), the source 48 frames \(2"):
        align(constant(48, NTSC), constant(count, rate), name="maps.mp4")


def test_a_part() -> None:
    source, part = constant(48, NTSC), FrameRange(start=10, stop=30)
    assert align(source, constant(48, NTSC), part=part) == tuple(range(10, 30)), "covers the whole source"
    assert align(source, constant(20, NTSC), part=part) == tuple(range(20)), "covers the part"
    with pytest.raises(MediaError, match=r"21 frames .*, the source 48 frames .*, the part 20 frames"):
        align(source, constant(21, NTSC), part=part)


def test_images_go_by_number() -> None:
    source, images = constant(48, NTSC), constant(48, 25)
    assert align(source, images, timed=False) == tuple(range(48))
    assert align(source, constant(4, 25), timed=False, part=FrameRange(start=2, stop=6)) == (0, 1, 2, 3)
    with pytest.raises(MediaError, match="has 47 frames, the source 48 frames"):
        align(source, constant(47, 25), timed=False)


def test_one_frame() -> None:
    assert align(constant(1, 25), constant(1, NTSC)) == (0,)
    assert frame_duration(constant(1, 25)) == Fraction(1, 25)


def test_what_fits_the_part_alone_is_told_from_what_fits_the_whole() -> None:
    """The same six frames go with whatever part is six frames long; what fits the source goes with all parts alike."""
    source, part = constant(10, 25), FrameRange(start=3, stop=9)
    for timed in (True, False):
        assert goes_by_part(align(source, constant(6, 25), part=part, timed=timed), part)
        assert not goes_by_part(align(source, constant(10, 25), part=part, timed=timed), part)
    begun = FrameRange(start=0, stop=6)
    assert not goes_by_part(align(source, constant(6, 25), part=begun), begun)
    assert not goes_by_part((0,) * len(part), part), "one picture for all frames"
