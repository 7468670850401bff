"""Contrast of fine detail, of known strength."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.made_frames import grey, noise, pan, still
from vedit.evaluation.metrics.contrast import METRIC
from vedit.testing.metrics import scores_of


# The band is linear in luma and has no mean: it scales as the deviations from grey do.
@pytest.mark.parametrize("gain", [0.0, 0.5, 1.0, 1.5])
def test_contrast_scales_with_the_amplitude(gain: float) -> None:
    source = 0.5 + 0.5 * (pan(3, step=2) - 0.5)
    scores = scores_of(METRIC, source, 0.5 + gain * (source - 0.5))
    assert scores["contrast"].value == pytest.approx(gain, abs=1e-4)
    assert scores["contrast"].series == pytest.approx({0: gain, 1: gain, 2: gain}, abs=1e-4)


def test_a_checkerboard_has_its_amplitude() -> None:
    # +-20 levels by turns; its Gaussian is flat, so all of it is in the band.
    board = np.indices((128, 192)).sum(0) % 2
    source = grey((0.5 + 20 / 255 * (2 * board[None] - 1)).astype(np.float32))
    assert scores_of(METRIC, source)["contrast_levels"].value == pytest.approx(20, rel=0.01)


def test_blur_costs_contrast() -> None:
    spots = grey(0.5 + noise(128, 192, sigma=1, deviation=0.1)[None])
    soft = grey(0.5 + noise(128, 192, sigma=4, deviation=0.1)[None])
    assert (scores_of(METRIC, spots, soft)["contrast"].value or 1) < 0.3


def test_a_frozen_video_has_the_contrast_of_its_frame() -> None:
    source = pan(4, step=2)
    frozen = scores_of(METRIC, source, still(source))
    assert frozen["contrast_levels"].value == pytest.approx(scores_of(METRIC, source[:1])["contrast_levels"].value)


def test_a_flat_source_has_nothing_to_be_held_against() -> None:
    flat = np.full((2, 64, 96, 3), 0.4, np.float32)
    found = scores_of(METRIC, flat, pan(2, step=0, height=64, width=96))
    assert found["contrast"].value is None
    assert found["contrast"].why == "the source has no fine detail"
    assert (found["contrast_levels"].value or 0) > 1
