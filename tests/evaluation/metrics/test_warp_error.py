"""Warp errors worked out by hand, and the rule of occlusion to the letter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.made_frames import WIDTH, Frames, pan, still, turning
from tests.support.made_steps import heats_of, uniform_pair
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.warp_error import METRIC, occluded
from vedit.evaluation.motion import FlowPair
from vedit.testing.metrics import scores_of

FRAMES = 12
SHORT, LONG, FIRST = "warp_error", "warp_error_long", "warp_error_first"


def scores(source: Frames, result: Frames | None = None, *, cuts: tuple[int, ...] = ()) -> dict[str, Score]:
    return scores_of(METRIC, source, result, cuts=cuts)


def values(source: Frames, result: Frames | None = None) -> tuple[float | None, ...]:
    found = scores(source, result)
    return tuple(found[name].value for name in (SHORT, LONG, FIRST))


@pytest.fixture(scope="module")
def steady() -> Frames:
    return 0.5 + 0.6 * (still(pan(FRAMES, step=0)) - 0.5)


def test_a_still_source_has_none(steady: Frames) -> None:
    assert values(steady) == (0, 0, 0)
    assert scores(steady)["first_seen"].value == 1


# The texture has a variance of 7.4 x 10^-3; what is left is the estimator's error of some hundredths of a pixel.
@pytest.mark.parametrize("source", [pan(FRAMES, step=3), turning(FRAMES, degrees=0.7)], ids=["pan", "turn"])
def test_what_rides_on_the_scene_has_next_to_none(source: Frames) -> None:
    short, long, first = values(source)
    assert (short or 9) < 0.02
    assert (long or 9) < 0.3
    assert (first or 9) < 0.4


def test_unrelated_noise_has_twice_its_variance(steady: Frames) -> None:
    # E (a - b)^2 = 2 s^2, whatever the distance in time.
    noisy = steady + np.random.default_rng(1).normal(0, 0.03, steady.shape).astype(np.float32)
    assert values(steady, noisy) == pytest.approx((2000 * 0.03**2,) * 3, rel=0.02)


def test_brightness_that_alternates_has_the_square_of_its_swing(steady: Frames) -> None:
    # +-a from frame to frame: 2 a between neighbours, and between the first and the twelfth; nothing 8 frames apart.
    shaken = steady + np.where(np.arange(FRAMES) % 2, 0.05, -0.05).astype(np.float32)[:, None, None, None]
    assert values(steady, shaken) == pytest.approx((1000 * 0.1**2, 0, 1000 * 0.1**2), abs=1e-3)


def test_a_drift_grows_with_the_distance(steady: Frames) -> None:
    drifting = steady + (0.004 * np.arange(FRAMES)).astype(np.float32)[:, None, None, None]
    expected = [1000 * (0.004 * apart) ** 2 for apart in (1, 8, FRAMES - 1)]
    assert values(steady, drifting) == pytest.approx(expected, rel=1e-3)
    series = scores(steady, drifting)[FIRST].series
    assert series[5] == pytest.approx(1000 * 0.02**2, rel=1e-3)


def test_a_frozen_result_has_that_of_the_texture_against_itself_elsewhere() -> None:
    # The frozen frame moved along the pan: mean of (x(p + 3) - x(p))^2 over the columns that stay in the frame.
    source = pan(FRAMES, step=3)
    frame = source[0, ..., 0]
    apart = float(np.square(frame[:, 3:] - frame[:, :-3]).mean())
    assert values(source, still(source))[0] == pytest.approx(1000 * apart, rel=0.1)


def test_the_share_that_is_seen_shrinks_as_the_camera_pans() -> None:
    # In 11 steps of 3 pixels 33 columns have come in anew.
    assert scores(pan(FRAMES, step=3))["first_seen"].value == pytest.approx(1 - 33 / WIDTH, abs=0.02)


def test_where_the_first_frame_has_left_nothing_is_said_of_it() -> None:
    # 39 steps of 5 pixels are 195; the frame has 192.
    found = scores(pan(40, step=5))
    assert (found["first_seen"].value or 0) < 0.01
    assert found[FIRST].value is None
    assert "hardly anything is seen" in found[FIRST].why


def test_shots_are_measured_apart(steady: Frames) -> None:
    jump = np.concatenate([steady[:6], steady[6:] + 0.2])
    found = scores(steady, jump, cuts=(6,))
    assert (found[SHORT].value, found[FIRST].value) == (0, 0)
    assert found[LONG].value is None
    assert found[LONG].why == "no shot has 9 frames that stay in sight"


def test_the_heat_is_the_difference_from_the_frame_before(steady: Frames) -> None:
    result = steady.copy()
    result[5, 40:60, 80:120] += 0.1
    heats = heats_of(METRIC, steady, result)
    assert heats[0] is None
    assert heats[4] is not None
    assert heats[4].max() == 0
    assert heats[5] is not None
    assert heats[5][40:60, 80:120] == pytest.approx(0.1, abs=1e-5)
    assert heats[5].sum() == pytest.approx(0.1 * 20 * 40, rel=1e-4)


def marked(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Occlusion of flows (h, w, 2)."""
    planes = [torch.from_numpy(flow.astype(np.float32).transpose(2, 0, 1)[None].copy()) for flow in (forward, backward)]
    return occluded(FlowPair(*planes))


def test_what_leaves_the_frame_is_occluded() -> None:
    found = occluded(uniform_pair(8, 20, 3, 0))
    assert found[:, -3:].all()
    assert not found[:, :-3].any()


# |F + B|^2 > 0.01 (|F|^2 + |B|^2) + 0.5 with B = 0: F^2 > 0.5 / 0.99, from 0.7107 pixels.
@pytest.mark.parametrize(("pixels", "expected"), [(-0.70, False), (-0.72, True)])
def test_ways_that_do_not_close_are_occluded(pixels: float, expected: bool) -> None:
    forward = np.zeros((8, 20, 2))
    forward[..., 0] = pixels
    assert marked(forward, np.zeros_like(forward))[4, 10] == expected


# |grad F|^2 > 0.01 |F|^2 + 0.002 beside a place at rest: a step of more than 0.0447 pixels.
@pytest.mark.parametrize(("pixels", "expected"), [(0.044, False), (0.046, True)])
def test_motion_boundaries_are_occluded(pixels: float, expected: bool) -> None:
    forward = np.zeros((8, 20, 2))
    forward[:, 10:, 1] = pixels
    found = marked(forward, -forward)
    assert found[3, 9] == expected
    assert not found[3, 12]
    assert not found[3, 6]
