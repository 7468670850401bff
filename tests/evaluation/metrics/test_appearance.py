"""`vedit.evaluation.metrics.appearance`: distances that are known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.made_pictures import Frames, blurred_noise, panned, still
from vedit.evaluation.metrics.appearance import METRIC
from vedit.evaluation.picture import Picture
from vedit.testing.metrics import scores_of

H, W, COUNT = 128, 192, 3
SOURCE = panned(blurred_noise(H, W + 3 * COUNT, contrast=0.1), H, W, COUNT)


def value(name: str, result: Frames | None, **told: Any) -> float:
    found = scores_of(METRIC, SOURCE, result, **told)[name].value
    assert found is not None
    return found


def from_lab(lab: Frames) -> Frames:
    return np.stack([cv2.cvtColor(frame.astype(np.float32), cv2.COLOR_Lab2RGB) for frame in lab])


def test_the_source_itself_is_ideal() -> None:
    assert value("colour_distance", None) == 0
    assert value("texture_distance", None) == 0


@pytest.mark.parametrize("shift", [(10.0, 0.0, 0.0), (0.0, 6.0, 8.0), (4.0, -2.0, 4.0)])
def test_a_shift_of_all_colours_is_its_length(shift: tuple[float, float, float]) -> None:
    """(10), (6, 8) -> 10 and (4, 2, 4) -> 6 in CIE L*a*b*; the pattern is grey, so no colour leaves the gamut."""
    lab = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2Lab) for frame in SOURCE])
    expected = float(np.linalg.norm(shift))
    result = from_lab(lab + np.array(shift, np.float32))
    assert value("colour_distance", result) == pytest.approx(expected, rel=0.02)


def test_where_pixels_stand_does_not_matter_and_a_still_picture_is_no_change_of_look() -> None:
    assert value("colour_distance", SOURCE[:, ::-1, ::-1].copy()) == pytest.approx(0, abs=0.5)
    assert value("texture_distance", still(SOURCE[0], COUNT)) == pytest.approx(0, abs=0.8)


@pytest.mark.parametrize("contrast", [0.0, 0.5, 2.0])
def test_texture_of_another_contrast_is_that_much_of_the_fine_luma(contrast: float) -> None:
    """|c - 1| times the RMS of fine luma; all of the texture lies in the fine band, at half size too."""
    result = 0.5 + contrast * (SOURCE - 0.5)
    planes = [Picture(frame).fine for frame in SOURCE]
    halves = [cv2.resize(plane, (W // 2, H // 2), interpolation=cv2.INTER_AREA) for plane in planes]
    rms = np.mean([[plane.std() for plane in planes], [half.std() for half in halves]]) * 255
    assert value("texture_distance", result) == pytest.approx(abs(contrast - 1) * rms, rel=0.06)


def test_brightness_alone_is_no_texture() -> None:
    assert value("texture_distance", SOURCE + 0.1) == pytest.approx(0, abs=0.01)


def test_only_what_may_change_is_measured() -> None:
    result, mask = SOURCE.copy(), np.zeros((H, W), np.float32)
    mask[:, W // 2 :] = 1
    result[:, :, W // 2 :] = 0.5 + 2 * (result[:, :, W // 2 :] - 0.5)
    for name in ("colour_distance", "texture_distance"):
        assert value(name, result, mask=mask) > 1.5 * value(name, result)
        nowhere = scores_of(METRIC, SOURCE, result, mask=np.zeros_like(mask))[name]
        assert nowhere.value is None
        assert "mask" in nowhere.why
