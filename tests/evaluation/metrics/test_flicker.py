"""Flicker of known amplitude and pace."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
import pytest

from tests.support.made_frames import HEIGHT, WIDTH, Frames, grey, noise, pan, still, turning
from tests.support.made_steps import heats_of
from vedit.evaluation.metrics.flicker import METRIC
from vedit.testing.metrics import scores_of

FRAMES = 20
"""The fast figures are of 18 frames in the middle, the slow one of 12: whole periods of 2, 3 and 6 frames."""
LEVELS = 6


@pytest.fixture(scope="module")
def steady() -> Frames:
    return 0.5 + 0.5 * (still(pan(FRAMES, step=0)) - 0.5)


def brightness(values: np.ndarray) -> Frames:
    """Of 255, for each frame."""
    return (values / 255).astype(np.float32)[:, None, None, None]


def values(source: Frames, result: Frames | None = None, *, cuts: tuple[int, ...] = ()) -> dict[str, float | None]:
    return {name: score.value for name, score in scores_of(METRIC, source, result, cuts=cuts).items()}


def test_a_still_source_does_not_flicker(steady: Frames) -> None:
    assert set(values(steady).values()) == {0}


@pytest.mark.parametrize("source", [pan(12, step=3), turning(12, degrees=0.7)], ids=["pan", "turn"])
def test_what_rides_on_the_scene_hardly_flickers(source: Frames) -> None:
    found = values(source)
    # Of a texture of 22 levels; mirrored from frame to frame it has 1.2 and 17.
    assert (found["flicker_detail"] or 9) < 0.1
    assert (found["flicker_luma"] or 9) < 0.3
    assert (found["flicker_low"] or 9) < 0.3


# +-a by turns: x - (neighbours' mean) = 2 a. The slow band is blind to it: (1, 2, 1) / 4 leaves nothing.
def test_brightness_that_alternates_gives_twice_its_amplitude(steady: Frames) -> None:
    found = values(steady, steady + brightness(LEVELS * (-1.0) ** np.arange(FRAMES)))
    assert found["flicker_luma"] == pytest.approx(2 * LEVELS, rel=1e-3)
    assert found["flicker_frame"] == pytest.approx(2 * LEVELS, rel=1e-3)
    assert found["flicker_low"] == pytest.approx(0, abs=1e-3)
    assert found["flicker_detail"] == pytest.approx(0, abs=1e-3)


# x(t) - (x(t-k) + x(t+k)) / 2 of a sin(2 pi f t) is 2 sin^2(pi f k) of it, and (1, 2, 1) / 4 passes cos^2(pi f); the
# root mean square of a sinusoid is a / sqrt(2).
@pytest.mark.parametrize("period", [3, 6])
def test_a_sinusoid_is_passed_by_each_band_as_stated(steady: Frames, period: int) -> None:
    f = 1 / period
    found = values(steady, steady + brightness(LEVELS * np.sin(2 * pi * f * np.arange(FRAMES) + 0.3)))
    fast = sqrt(2) * LEVELS * sin(pi * f) ** 2
    slow = sqrt(2) * LEVELS * sin(3 * pi * f) ** 2 * cos(pi * f) ** 2
    assert found["flicker_luma"] == pytest.approx(fast, rel=1e-3)
    assert found["flicker_frame"] == pytest.approx(fast, rel=1e-3)
    assert found["flicker_low"] == pytest.approx(slow, rel=1e-3, abs=1e-3)


def test_a_fade_is_no_flicker(steady: Frames) -> None:
    found = values(steady, steady + brightness(np.arange(FRAMES) * 2.0 - 20))
    assert all((value or 0) < 1e-3 for value in found.values())


def test_a_flash_is_found_at_its_frame(steady: Frames) -> None:
    flash = np.zeros(FRAMES)
    flash[7] = 10
    series = scores_of(METRIC, steady, steady + brightness(flash))["flicker_luma"].series
    # 10 in its own frame, half of it in both beside.
    assert [series[frame] for frame in (5, 6, 7, 8, 9)] == pytest.approx([0, 5, 10, 5, 0], abs=1e-3)


# Frames that have nothing to do with each other: variance s^2 (1 + 1/4 + 1/4). Detail that is drawn in black and in
# white by turns: 2 x over x.
def test_detail_flickers_by_its_own_contrast(steady: Frames) -> None:
    fine = np.stack([noise(HEIGHT, WIDTH, sigma=1, deviation=0.05, seed=t) for t in range(FRAMES)])
    assert values(steady, grey(0.5 + fine))["flicker_detail"] == pytest.approx(sqrt(1.5), rel=0.01)
    assert values(steady, grey(0.5 + 0.1 * fine))["flicker_detail"] == pytest.approx(sqrt(1.5), rel=0.01)
    turns = fine[:1] * ((-1.0) ** np.arange(FRAMES, dtype=np.float32))[:, None, None]
    assert values(steady, grey(0.5 + turns.astype(np.float32)))["flicker_detail"] == pytest.approx(2, rel=0.01)


def test_a_frozen_and_a_shuffled_result_flicker_on_a_moving_scene() -> None:
    source = pan(12, step=3)
    shuffled = source[np.random.default_rng(0).permutation(12)]
    own = values(source)
    for result in (still(source), shuffled):
        found = values(source, result)
        for name in ("flicker_detail", "flicker_luma", "flicker_low"):
            assert (found[name] or 0) > 8 * (own[name] or 9)


def test_a_cut_is_no_flicker(steady: Frames) -> None:
    jump = steady + brightness(np.where(np.arange(FRAMES) < 10, 0.0, 40.0))
    assert set(values(steady, jump, cuts=(10,)).values()) == {0}


def test_what_cannot_be_measured_says_why(steady: Frames) -> None:
    two = scores_of(METRIC, steady[:2])
    assert {score.why for score in two.values()} == {
        "no shot has three frames",
        "no shot has 9 frames that stay in sight",
    }
    flat = scores_of(METRIC, steady[:4], np.full_like(steady[:4], 0.5))
    assert flat["flicker_detail"].value is None
    assert flat["flicker_detail"].why == "the result has no fine detail"
    assert flat["flicker_luma"].value == 0


def test_the_heat_is_where_detail_comes_and_goes(steady: Frames) -> None:
    result = steady[:6].copy()
    result[3, 50:54, 90:94] += 0.2
    heats = heats_of(METRIC, steady[:6], result)
    assert heats[1] is None
    # The frame after tells of it: it is then the one in the middle.
    assert heats[4] is not None
    y, x = np.unravel_index(int(heats[4].argmax()), heats[4].shape)
    assert 50 <= y < 54
    assert 90 <= x < 94
    assert heats[4][:30].max() < 1e-4
