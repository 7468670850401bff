"""`vedit.evaluation.metrics.preservation`: what stands outside the mask, to the last code value."""

from __future__ import annotations

from math import log10
from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from tests.support.heats import heats_of
from tests.support.made_pictures import Frames, blurred_noise, still
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.preservation import METRIC, ssim
from vedit.testing.metrics import scores_of

H, W, COUNT = 64, 96, 3
SOURCE: Frames = np.asarray(np.rint(still(blurred_noise(H, W, contrast=0.1), COUNT) * 255) / 255, np.float32)
MASK = np.zeros((H, W), np.float32)
MASK[:, W // 2 :] = 1
MASK[:, W // 2 - 4 : W // 2] = 0.5  # a soft edge
OUTSIDE = H * (W // 2 - 4) * COUNT


def scores(result: Frames | None, mask: Frames | None = MASK, **told: Any) -> dict[str, Score]:
    return scores_of(METRIC, SOURCE, result, mask=mask, **told)


def test_the_source_itself_is_ideal_and_leaks_nothing_that_could_be_shared() -> None:
    found = scores(None)
    assert [found[name].value for name in ("outside_max", "outside_psnr")] == [0, 100]
    assert found["outside_ssim"].value == pytest.approx(1, abs=1e-6)
    assert found["leak"].value is None
    assert "nothing was changed" in found["leak"].why


def test_what_changes_inside_and_on_the_soft_edge_is_none_of_it() -> None:
    result = np.where(MASK[..., None] > 0, 1 - SOURCE, SOURCE).astype(np.float32)
    found = scores(result)
    assert [found[name].value for name in ("outside_max", "outside_psnr", "leak")] == [0, 100, 0]
    assert found["outside_ssim"].value == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("depth", "top"), [(8, 255), (10, 1023)])
def test_one_code_value_in_one_pixel_is_found(depth: int, top: int) -> None:
    """Its square over 3 channels and all outside pixels; the one pixel inside that changed by 3 has 9 times of it."""
    step = 1 / top
    source = np.asarray(np.rint(SOURCE * top) / top, np.float32)
    result = source.copy()
    result[1, 10, 10, 2] += step
    result[1, 10, W - 5, 2] += 3 * step
    found = scores_of(METRIC, source, result, mask=MASK, bit_depth=depth)
    assert found["outside_max"].value == 1
    assert list(found["outside_max"].series.values()) == [0, 1, 0]
    assert found["outside_psnr"].value == pytest.approx(min(100.0, -10 * log10(step**2 / (3 * OUTSIDE))))
    assert found["leak"].value == pytest.approx(10, rel=1e-4)


def test_psnr_of_a_constant_difference() -> None:
    """5 of 255 everywhere: 20 log10(255 / 5); as many pixels outside as the mask leaves share the change."""
    found = scores(SOURCE + np.float32(5 / 255))
    assert found["outside_max"].value == 5
    assert found["outside_psnr"].value == pytest.approx(20 * log10(255 / 5), abs=1e-3)
    assert found["leak"].value == pytest.approx(100 * (W // 2 - 4) / W, rel=1e-3)


def test_every_figure_says_that_encoding_is_part_of_it() -> None:
    assert all("lossy" in score.why for score in scores(SOURCE + np.float32(5 / 255)).values())


def test_ssim_is_that_of_another_implementation() -> None:
    first, second = SOURCE[0, ..., 0], blurred_noise(H, W, seed=3)[..., 0]
    theirs = structural_similarity(
        first, second, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]
    inner = (slice(8, -8), slice(8, -8))
    assert ssim(first, second)[inner] == pytest.approx(theirs[inner], abs=1e-4)


def test_where_nothing_can_be_measured_it_says_why() -> None:
    for mask, why in ((None, "no mask was given"), (np.ones_like(MASK), "leaves nothing outside")):
        for score in scores(SOURCE, mask).values():
            assert score.value is None
            assert why in score.why
    narrow = np.ones_like(MASK)
    narrow[:, :3] = 0  # two windows of 11 pixels do not fit
    assert scores(SOURCE, narrow)["outside_ssim"].value is None
    assert scores(SOURCE, narrow)["outside_max"].value == 0


def test_heat_is_outside_alone() -> None:
    heat = heats_of(METRIC, SOURCE, SOURCE + np.float32(0.1), mask=MASK)[0]
    assert heat is not None
    assert heat[:, : W // 2 - 4] == pytest.approx(0.1, abs=1e-5)
    assert heat[:, W // 2 - 4 :].max() == 0
    assert heats_of(METRIC, SOURCE, SOURCE)[0] is None
