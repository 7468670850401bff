"""A camera whose way is known."""

from __future__ import annotations

from math import hypot, radians, sin

import numpy as np
import pytest

from tests.support.made_frames import HEIGHT, WIDTH, Frames, canvas, grey, noise, pan, panned, still, turning
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.camera_path import METRIC
from vedit.testing.metrics import scores_of

FRAMES = 7


def off(source: Frames, result: Frames | None = None, *, cuts: tuple[int, ...] = ()) -> tuple[Score, Score]:
    scores = scores_of(METRIC, source, result, cuts=cuts)
    return scores["camera_path"], scores["camera_path_end"]


@pytest.mark.parametrize("source", [pan(FRAMES, step=3), turning(FRAMES, degrees=1.0)], ids=["pan", "turn"])
def test_the_source_goes_where_it_goes(source: Frames) -> None:
    assert [score.value for score in off(source)] == [0, 0]


# A camera that pans by v pixels where the source's pans by d is off by |v - d| each step, and by as much times the
# steps at the end; 1.28 px is 1 % of the shorter side of 128.
@pytest.mark.parametrize(("speed", "pixels"), [(0, 3), (1, 2), (3, 0), (-3, 6)])
def test_a_pan_at_another_speed(speed: int, pixels: int) -> None:
    step, end = off(pan(FRAMES, step=3), pan(FRAMES, step=speed, seed=5))
    assert step.value == pytest.approx(pixels / 1.28, abs=0.1)
    assert end.value == pytest.approx((FRAMES - 1) * pixels / 1.28, abs=0.4)
    assert end.series[2] == pytest.approx(2 * pixels / 1.28, abs=0.2)


# The four points lie r = hypot(w / 4, h / 4) from the middle; turned by an angle they move by 2 r sin(angle / 2). The
# estimator itself finds a turn of so few pixels up to 4 % short.
@pytest.mark.parametrize(("degrees", "apart"), [(0.0, 1.0), (-1.0, 2.0)], ids=["frozen", "the other way"])
def test_a_turn_that_is_lost(degrees: float, apart: float) -> None:
    step, end = off(turning(FRAMES, degrees=1.0), turning(FRAMES, degrees=degrees))
    reach = hypot(WIDTH / 4, HEIGHT / 4) / HEIGHT * 100
    assert step.value == pytest.approx(2 * reach * sin(radians(apart / 2)), rel=0.05)
    assert end.value == pytest.approx(2 * reach * sin(radians((FRAMES - 1) * apart / 2)), rel=0.05)


def test_a_subject_is_not_the_camera() -> None:
    ground = still(pan(FRAMES, step=0))
    moving = ground.copy()
    subject = grey(panned(canvas(60, 200, seed=3), FRAMES, step=3, height=60, width=100))
    moving[:, 34:94, 46:146] = subject
    step, end = off(moving, ground)
    assert (step.value or 0) < 0.02
    assert (end.value or 0) < 0.1


def test_each_shot_begins_anew() -> None:
    source = np.concatenate([pan(4, step=3), pan(3, step=3, seed=4)])
    frozen = np.concatenate([still(source[:4]), still(source[4:])])
    step, end = off(source, frozen, cuts=(4,))
    # Three steps of 3 px in the one shot, two in the other.
    assert step.value == pytest.approx(3 / 1.28, abs=0.1)
    assert end.value == pytest.approx((9 + 6) / 2 / 1.28, abs=0.3)


def test_a_plain_border_tells_nothing() -> None:
    source = pan(FRAMES, step=3)
    source[:, :32], source[:, -32:], source[:, :, :45], source[:, :, -45:] = 0.5, 0.5, 0.5, 0.5
    for score in off(source, still(source)):
        assert score.value is None
        assert "too plain" in score.why


def test_a_result_without_a_camera_is_told_from_one() -> None:
    boiling = grey(np.stack([0.5 + noise(HEIGHT, WIDTH, sigma=2, deviation=0.1, seed=t) for t in range(FRAMES)]))
    step, end = off(pan(FRAMES, step=3), boiling)
    assert step.value is None
    assert step.why == end.why == "in 6 of 6 steps the result's border does not move as under one camera"


def test_a_single_frame_has_no_camera_path() -> None:
    assert {score.why for score in off(pan(1, step=0))} == {"no two frames of a shot follow each other"}
