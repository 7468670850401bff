"""Windows cover a shot, share what they should, and their weights sum to 1."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedit.diffusion.windows import windows
from vedit.types import FrameRange


@given(
    start=st.integers(0, 50),
    length=st.integers(0, 400),
    size=st.integers(1, 40),
    share=st.floats(0, 1),
)
def test_weights_sum_to_one_over_the_shot(start: int, length: int, size: int, share: float) -> None:
    overlap = int(share * (size // 3))
    shot = FrameRange(start=start, stop=start + length)
    parts = windows(shot, size=size, overlap=overlap)
    total = dict.fromkeys(range(shot.start, shot.stop), 0.0)
    holders = dict.fromkeys(total, 0)
    for part in parts:
        assert len(part.frames) == len(part.weights) <= size
        for frame, weight in zip(range(part.frames.start, part.frames.stop), part.weights, strict=True):
            assert 0 < weight <= 1
            total[frame] += weight
            holders[frame] += 1
    assert all(abs(weight - 1) < 1e-9 for weight in total.values())
    assert all(1 <= count <= 2 for count in holders.values())
    for left, right in itertools.pairwise(parts):
        assert left.frames.stop - right.frames.start == overlap
    if parts:
        assert max(len(p.frames) for p in parts) - min(len(p.frames) for p in parts) <= 1


def test_a_short_shot_is_one_window() -> None:
    (only,) = windows(FrameRange(start=7, stop=31), size=24, overlap=4)
    assert only.frames == FrameRange(start=7, stop=31)
    assert only.weights == (1.0,) * 24


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (24, 9), (24, -1)])
def test_sizes_out_of_range(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="windows need"):
        windows(FrameRange(start=0, stop=100), size=size, overlap=overlap)
