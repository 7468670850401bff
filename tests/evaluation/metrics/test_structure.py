"""`vedit.evaluation.metrics.structure`: values that follow from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.heats import heats_of
from tests.support.made_pictures import Frames, blurred_noise, panned, still
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.structure import METRIC, structure_term
from vedit.testing.metrics import scores_of

H, W, COUNT = 96, 144, 4
SOURCE = panned(blurred_noise(H, W + 3 * COUNT), H, W, COUNT)


def scores(result: Frames | None = None, **told: Any) -> dict[str, Score]:
    return scores_of(METRIC, SOURCE, result, **told)


def test_the_source_itself_is_ideal() -> None:
    found = scores()
    for one in METRIC.figures:
        assert found[one.name].value == pytest.approx(one.ideal, abs=1e-6)
        assert list(found[one.name].series) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ("half the contrast", 0.5 + 0.5 * (SOURCE - 0.5)),
        ("darker", SOURCE * 0.999 - 0.1),
    ],
)
def test_contrast_and_brightness_are_apart(what: str, result: Frames) -> None:
    """A gradient times c correlates fully; (c v + C3) / (c v + C3) = 1."""
    found = scores(result)
    assert found["edge_correlation"].value == pytest.approx(1, abs=1e-4), what
    assert found["structure_ssim"].value == pytest.approx(1, abs=1e-4), what


def test_a_negative_keeps_edges_and_turns_the_pattern() -> None:
    """|grad(1 - x)| = |grad x|; (C3 - v) / (C3 + v) with v the local variance, here about 0.15^2 against 0.00045."""
    found = scores(1 - SOURCE)
    assert found["edge_correlation"].value == pytest.approx(1, abs=1e-5)
    assert found["structure_ssim"].value is not None
    assert -1 < found["structure_ssim"].value < -0.75


def test_frames_in_another_order_and_other_scenes_lose_it() -> None:
    shuffled, other = scores(SOURCE[[2, 3, 0, 1]]), scores(still(blurred_noise(H, W, seed=9), COUNT))
    for found in (shuffled, other):
        assert found["edge_correlation"].value == pytest.approx(0, abs=0.25)
        assert found["structure_ssim"].value == pytest.approx(0, abs=0.25)


def test_a_picture_of_one_colour_has_no_edges_and_says_so() -> None:
    found = scores(np.full_like(SOURCE, 0.5))
    assert found["edge_correlation"].value is None
    assert "no edges" in found["edge_correlation"].why


def test_the_term_is_that_of_the_paper() -> None:
    """Of one window, by hand: weights of the Gaussian, their means, deviations and covariance."""
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 31, 31)).astype(np.float32)
    places = np.arange(-5, 6)
    weights = np.exp(-(places**2) / (2 * 1.5**2))
    window = np.outer(weights, weights) / weights.sum() ** 2
    a, b = (plane[10:21, 10:21].astype(np.float64) for plane in (first, second))
    a, b = a - (window * a).sum(), b - (window * b).sum()
    c3 = 0.03**2 / 2
    expected = ((window * a * b).sum() + c3) / (np.sqrt((window * a * a).sum() * (window * b * b).sum()) + c3)
    assert structure_term(first, second)[15, 15] == pytest.approx(expected, rel=1e-4)


def test_only_what_may_change_is_measured() -> None:
    """The left half is the source, the right half another scene; the mask names the right one."""
    result = SOURCE.copy()
    result[:, :, W // 2 :] = blurred_noise(H, W, seed=9)[:, W // 2 :]
    mask = np.zeros((H, W), np.float32)
    mask[:, W // 2 :] = 1
    whole, part = scores(result)["structure_ssim"].value, scores(result, mask=mask)["structure_ssim"].value
    assert whole is not None and part is not None
    assert whole > 0.4 > 0.25 > part
    assert scores(result, mask=np.zeros_like(mask))["structure_ssim"].value is None


def test_heat_is_where_the_structure_is_lost() -> None:
    result = SOURCE.copy()
    result[:, :, W // 2 :] = blurred_noise(H, W, seed=9)[:, W // 2 :]
    heat = heats_of(METRIC, SOURCE, result)[-1]
    assert heat is not None
    assert heat.shape == (H, W)
    assert heat[:, : W // 2 - 8].max() < 1e-3 < 0.5 < heat[:, W // 2 + 8 :].mean()
