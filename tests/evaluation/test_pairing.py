"""Which frames go together, and what is of another cut."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vedit.errors import MediaError
from vedit.evaluation.pairing import by_number, by_time
from vedit.types import FrameIndex, FrameRange


def index(count: int, step: int, base: int = 600) -> FrameIndex:
    return FrameIndex(
        pts=tuple(range(0, count * step, step)),
        time_base=Fraction(1, base),
        last_duration=step,
        rate=Fraction(base, step),
    )


def test_by_number() -> None:
    part = FrameRange(start=3, stop=6)
    assert by_number(part, index(3, 24), "r.mp4", told=True) == {3: 0, 4: 1, 5: 2}
    with pytest.raises(MediaError, match=r"r\.mp4 has 1 frame, the part #3\.\.#6 of the source has 3; .*vedit compare"):
        by_number(part, index(1, 24), "r.mp4", told=True)
    with pytest.raises(MediaError, match="has 4 frames, the source has 3"):
        by_number(part, index(4, 24), "r.mp4", told=False)


def test_by_time_a_result_of_half_the_rate() -> None:
    # Source frames at 0, 24, 48, ... ticks, the result's at 0, 48, ...: an odd one lies in the middle; the earlier is
    # taken, since it is still on the screen.
    found = by_time(index(6, 24), FrameRange(start=0, stop=6), index(3, 48))
    assert found == {0: 0, 1: 0, 2: 1, 3: 1, 4: 2, 5: 2}


def test_by_time_a_shorter_result_and_a_part() -> None:
    source = index(10, 24)
    assert by_time(source, FrameRange(start=4, stop=8), index(2, 24)) == {4: 0, 5: 1}
    assert by_time(source, FrameRange(start=0, stop=3), index(9, 24)) == {0: 0, 1: 1, 2: 2}
    # 25 to 30 frames a second: frame 5 of the source, at 1/5 s, is frame 6 of the result.
    assert by_time(source, FrameRange(start=0, stop=6), index(12, 20))[5] == 6
