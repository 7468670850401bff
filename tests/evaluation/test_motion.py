"""The source's motion: flow of a known translation and rotation, and ways over many frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.support.made_frames import pan
from vedit.evaluation.motion import LAG, Estimator, Motion, estimator
from vedit.evaluation.picture import Picture


@pytest.mark.parametrize("name", ["dis", "farneback"])
def test_a_translation(name: Estimator) -> None:
    frames = [Picture(frame) for frame in pan(2, step=3)]
    pair = estimator(name)(frames[0], frames[1])
    inside = np.s_[20:-20, 20:-20]
    # The content moves three pixels to the left with each frame.
    np.testing.assert_allclose(np.median(pair.forward[inside], (0, 1)), (-3, 0), atol=0.05)
    np.testing.assert_allclose(np.median(pair.backward[inside], (0, 1)), (3, 0), atol=0.05)
    assert pair.seen[inside].mean() > 0.95
    assert not pair.seen[:, -2:].any()  # what has come in on the right was nowhere before


def test_ways_add_up_over_frames() -> None:
    count = LAG + 3
    frames = [Picture(frame) for frame in pan(count, step=3)]
    motion, flow = Motion(first=True), estimator("dis")
    motion.begin(frames[0].size)
    assert motion.step is None
    for before, this in pairwise(frames):
        motion.push(flow(before, this))
    inside = np.s_[20:-20, 20:-60]
    for lag in (1, 2, LAG):
        way = motion.path(lag)
        moved = way.lay(frames[-1 - lag].luma)
        assert np.abs(moved - frames[-1].luma)[inside].mean() < 0.01
        assert way.seen[inside].mean() > 0.95
    first = motion.to_first()
    assert np.abs(first.lay(frames[0].luma) - frames[-1].luma)[inside].mean() < 0.01
    assert not first.seen[:, -3 * (count - 1) :].any()
    with pytest.raises(ValueError, match="9 frames back"):
        motion.path(LAG + 1)
    motion.begin(frames[0].size)
    with pytest.raises(ValueError, match="1 frames back of 0"):
        motion.path(1)
