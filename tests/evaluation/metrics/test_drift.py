"""`vedit.evaluation.metrics.drift`: ramps, palindromes and jumps of a known size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.made_pictures import Frames, blurred_noise, panned, still
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.drift import METRIC
from vedit.testing.metrics import scores_of

H, W, COUNT = 48, 64, 24
SOURCE = still(blurred_noise(H, W, contrast=0.1), COUNT)
RAMP: Frames = np.asarray(np.linspace(0, 1, COUNT), np.float32)[:, None, None, None]
DRIFTS, STEPS = ("colour_drift", "contrast_drift", "sharpness_drift"), ("colour_step", "sharpness_step")


def ramped(height: float | Frames) -> Frames:
    return np.asarray(SOURCE + RAMP * height, np.float32)


def values(result: Frames | None, names: tuple[str, ...] = DRIFTS, **told: Any) -> list[float | None]:
    found = scores_of(METRIC, SOURCE, result, **told)
    return [found[name].value for name in names]


def test_the_source_itself_is_ideal() -> None:
    assert values(None, (*DRIFTS, *STEPS), joins=(8, 16)) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("levels", [-6.0, 2.0, 10.0])
def test_a_ramp_of_brightness_is_its_height_from_the_first_frame_to_the_last(levels: float) -> None:
    assert values(ramped(levels / 255)) == pytest.approx([abs(levels), 0, 0], abs=1e-3)


def test_the_channel_that_moves_most_counts() -> None:
    tint = np.asarray(np.array([3.0, -4.0, 0.0]) / 255, np.float32)
    assert values(ramped(tint))[0] == pytest.approx(4, abs=1e-3)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_ramp_of_contrast_is_its_relative_height_up_or_down(ratio: float) -> None:
    """Geometric from 1 to r: r - 1, and where it falls 1 / r - 1. Sharpness is contrast of the fine band."""
    result = 0.5 + np.asarray(ratio**RAMP, np.float32) * (SOURCE - 0.5)
    drifted = values(np.asarray(result, np.float32))
    assert drifted[1:] == pytest.approx([25, 25], rel=2e-3)


def test_a_constant_look_of_a_palindrome_does_not_drift() -> None:
    """The scene goes and comes back; the look squares, so that it answers to what it sees."""
    there = panned(blurred_noise(H, W + 6 * COUNT, contrast=0.1), H, W, COUNT // 2, (0, 6))
    source = np.concatenate([there, there[::-1]])
    found = scores_of(METRIC, source, source**2)
    assert [found[name].value for name in DRIFTS] == pytest.approx([0, 0, 0], abs=1e-3)
    assert max(found["colour_drift"].series.values()) - min(found["colour_drift"].series.values()) > 0.1


def test_frozen_and_constant_clips_do_not_drift() -> None:
    assert values(still(SOURCE[0] ** 2, COUNT)) == pytest.approx([0, 0, 0], abs=1e-4)


def test_shots_are_apart_and_the_worst_counts() -> None:
    """The look changes by 40 levels at the cut, which is no drift; within the second shot it moves by 3."""
    result = SOURCE.copy()
    result[12:] += 40 / 255 + np.asarray(np.linspace(0, 3 / 255, 12), np.float32)[:, None, None, None]
    assert scores_of(METRIC, SOURCE, result, cuts=(12,))["colour_drift"].value == pytest.approx(3, abs=1e-3)


def test_a_jump_at_a_join_is_measured_against_the_usual_step() -> None:
    """Frames alternate by 1 level; the join adds 5 to its own step of 1, and contrast there grows by 10 % for good."""
    flicker = (np.arange(COUNT) % 2).astype(np.float32)[:, None, None, None] / 255
    jumped = (np.arange(COUNT) >= 9).astype(np.float32)[:, None, None, None]
    result = SOURCE + flicker + jumped * (5 / 255 + 0.1 * (SOURCE - SOURCE.mean()))
    found = scores_of(METRIC, SOURCE, result, joins=(9,))
    assert found["colour_step"].value == pytest.approx(5, abs=1e-3)
    assert found["sharpness_step"].value == pytest.approx(10, abs=0.01)


def test_where_nothing_can_be_measured_it_says_why() -> None:
    found = scores_of(METRIC, SOURCE[:9], SOURCE[:9] + 0.1)
    for name, why in (
        (DRIFTS[0], "10 frames"),
        (DRIFTS[1], "contrast"),
        (STEPS[0], "no window"),
        (STEPS[1], "no window"),
    ):
        score: Score = found[name]
        assert score.value is None
        assert why in score.why
    flat = scores_of(METRIC, np.full_like(SOURCE, 0.5), SOURCE)
    assert flat["contrast_drift"].value is None
    assert flat["colour_drift"].value is not None
