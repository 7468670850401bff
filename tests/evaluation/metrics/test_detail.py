"""`vedit.evaluation.metrics.detail`: values that follow from the definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support.made_pictures import blurred_noise, panned
from vedit.evaluation.metrics.detail import METRIC
from vedit.testing.metrics import scores_of

H, W, COUNT = 64, 96, 3
SOURCE = panned(blurred_noise(H, W + 3 * COUNT, contrast=0.1), H, W, COUNT)


def test_the_source_itself_is_ideal() -> None:
    found = scores_of(METRIC, SOURCE)
    assert [found[one.name].value for one in METRIC.figures] == [1, 0, 0]


@pytest.mark.parametrize("contrast", [0.5, 1.5])
def test_energy_is_the_square_of_contrast(contrast: float) -> None:
    found = scores_of(METRIC, SOURCE, 0.5 + contrast * (SOURCE - 0.5))
    assert found["gradient_energy"].value == pytest.approx(contrast**2, rel=1e-4)
    assert found["gradient_energy"].series[2] == pytest.approx(contrast**2, rel=1e-4)


def test_blur_takes_energy_away_by_the_law_of_gaussians() -> None:
    """Noise under a Gaussian of s has a gradient energy that goes with 1 / s^4: s^2 of 4 and of 4 + 4 give 1/4."""
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in SOURCE])
    value = scores_of(METRIC, SOURCE, soft)["gradient_energy"].value
    assert value == pytest.approx(0.25, rel=0.15)


def test_a_source_of_one_colour_has_no_energy_to_be_a_multiple_of() -> None:
    score = scores_of(METRIC, np.full_like(SOURCE, 0.5), SOURCE)["gradient_energy"]
    assert score.value is None
    assert "one colour" in score.why


def test_clipping_is_the_share_that_was_added() -> None:
    """Of 64 x 96 pixels, 6 rows turned white are 9.375 %, 3 columns turned black 3.125 % less 6 / 64 of them."""
    result = SOURCE.copy()
    result[:, :, :3] = 0
    result[:, :6] = 1
    found = scores_of(METRIC, SOURCE, result)
    assert found["clipped_highlights"].value == pytest.approx(9.375)
    assert found["clipped_shadows"].value == pytest.approx(3.125 * 58 / 64)


def test_clipping_may_be_less_than_the_source_has_and_a_full_channel_counts() -> None:
    source = np.full((2, H, W, 3), 0.5, np.float32)
    source[:, :32] = (1.0, 0.2, 0.2)
    found = scores_of(METRIC, source, np.full_like(source, 0.5))
    assert found["clipped_highlights"].value == -50
    assert scores_of(METRIC, source, source, bit_depth=10)["clipped_highlights"].value == 0


@pytest.mark.parametrize(("code", "share"), [(254, 100.0), (253, 0.0), (1, -100.0), (2, 0.0)])
def test_ends_are_a_code_value_wide_at_eight_bits(code: int, share: float) -> None:
    grey, result = np.full((1, H, W, 3), 0.5, np.float32), np.full((1, H, W, 3), code / 255, np.float32)
    found = scores_of(METRIC, grey, result)
    assert found["clipped_highlights"].value == max(share, 0)
    assert found["clipped_shadows"].value == max(-share, 0)
