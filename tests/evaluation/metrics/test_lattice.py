"""`vedit.evaluation.metrics.lattice`: an amplitude that is known, and what is no lattice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support.made_pictures import Frames, blurred_noise, still
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.lattice import METRIC
from vedit.testing.metrics import scores_of

H, W, COUNT = 128, 192, 2
Y, X = np.mgrid[:H, :W].astype(np.float32)
SKY = still(np.repeat((0.3 + 0.0008 * X + 0.001 * Y)[..., None], 3, axis=2).astype(np.float32), COUNT)


def wave(place: Frames, period: float, phase: float = 0.4) -> Frames:
    return np.sin(2 * np.pi * place / period + phase)


def lattice(pattern: Frames, *, source: Frames = SKY, cell: float | None = 8.0) -> Score:
    """Of a pattern in levels, drawn over the source; values as floats, then rounded to 16 bits as "decoded"."""
    result = (source + pattern[..., None] / 255).astype(np.float32)
    return scores_of(METRIC, source, result, cell=cell, bit_depth=16)["lattice"]


@pytest.mark.parametrize("level", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("cell", [8.0, 10.5, 16.0])
def test_a_sine_of_an_amplitude_gives_it(cell: float, level: float) -> None:
    assert lattice(level * wave(X, cell), cell=cell).value == pytest.approx(level, rel=0.02)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (wave(Y, 8), 1.0),
        (wave(X, 8) + wave(Y, 8), 2**0.5),  # squares are added
        (wave(X, 8) * wave(Y, 8), 0.5**0.5),  # two diagonals of half the amplitude
        (wave(X, 4), 1.0),  # the second harmonic
        (0.6 * wave(X, 8) + 0.8 * wave(X, 4), 1.0),
    ],
)
def test_directions_and_harmonics_are_added_as_squares(pattern: Frames, value: float) -> None:
    assert lattice(pattern).value == pytest.approx(value, rel=0.02)


def test_a_smooth_sky_and_other_periods_give_nothing() -> None:
    assert lattice(0 * X).value == pytest.approx(0, abs=1e-3)
    assert lattice(3 * wave(X, 48)).value == pytest.approx(0, abs=0.05)
    assert lattice(0 * X, cell=None).value == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 3.0])
def test_noise_gives_about_nothing(sigma: float) -> None:
    noise = np.random.default_rng(0).standard_normal((H, W)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma) if sigma else noise
    assert lattice(2 * noise / noise.std()).value == pytest.approx(0, abs=0.1)


def test_a_lattice_is_found_under_noise() -> None:
    noise = np.random.default_rng(0).standard_normal((H, W)).astype(np.float32)
    assert lattice(2 * noise + wave(X, 8)).value == pytest.approx(1, rel=0.1)


def test_half_a_level_survives_eight_bits() -> None:
    result = SKY + 0.6 / 255 * wave(X, 8)[..., None]
    value = scores_of(METRIC, SKY, result.astype(np.float32), cell=8.0)["lattice"].value
    assert value == pytest.approx(0.6, rel=0.15)


def test_only_flat_parts_are_looked_at() -> None:
    """The right half is no flat part; a lattice there is not seen, one on the left keeps its amplitude."""
    source = SKY.copy()
    source[:, :, W // 2 :] = blurred_noise(H, W // 2)
    assert lattice(2 * wave(X, 8) * (X > W // 2 + 8), source=source).value == pytest.approx(0, abs=0.05)
    assert lattice(2 * wave(X, 8) * (X < W // 2 + 8), source=source).value == pytest.approx(2, rel=0.02)
    nowhere = lattice(0 * X, source=still(blurred_noise(H, W), COUNT))
    assert nowhere.value is None
    assert "flat" in nowhere.why


def test_what_is_not_known_or_does_not_fit_is_said() -> None:
    assert "8 pixels are taken" in lattice(wave(X, 8), cell=None).why
    assert lattice(wave(X, 8), cell=8.0).why == ""
    for cell in (2.0, 64.0):
        score = lattice(0 * X, cell=cell)
        assert score.value is None
        assert f"{cell:g} pixels" in score.why
