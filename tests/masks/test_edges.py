"""Growing and feathering, against distances computed pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.masks import shapes
from vedit.masks.edges import shape_edge, signed_distance

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.floating[Any]]


def blob(seed: int, height: int, width: int) -> Mask:
    """A hard mask of a few discs, never empty and never full."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    mask = np.zeros((height, width), bool)
    for _ in range(int(generator.integers(1, 4))):
        middle = generator.uniform((0, 0), (height, width))
        mask |= np.hypot(y - middle[0], x - middle[1]) <= generator.uniform(1, 0.35 * min(height, width))
    mask[height // 2, width // 2], mask[0, -1] = True, False
    return mask.astype(np.float32)


def true_distance(mask: Mask) -> Mask:
    """To the edge, positive inside, every pixel against every other; the edge is half a pixel before a centre."""
    height, width = mask.shape
    places = np.argwhere(np.ones((height, width), bool)).astype(np.float64)
    inside = mask.reshape(-1) > 0.5

    def nearest(given: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.sqrt(np.square(given[:, None] - others[None]).sum(-1)).min(1) - 0.5

    out = np.empty(len(places))
    out[inside] = nearest(places[inside], places[~inside])
    out[~inside] = -nearest(places[~inside], places[inside])
    return out.reshape(height, width)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(9, 26), st.integers(9, 26)),
    grow=st.floats(-4, 4),
    feather=st.floats(0, 9),
)
def test_falls_with_the_distance_and_spans_the_feather(
    seed: int, size: tuple[int, int], grow: float, feather: float
) -> None:
    mask = blob(seed, *size)
    distance = true_distance(mask)
    made = shape_edge(mask, grow=grow, feather=feather)
    assert made.dtype == np.float32
    assert made.min() >= 0 and made.max() <= 1
    if not grow and not feather:
        assert np.array_equal(made, mask)
        return
    order = np.argsort(distance, axis=None)
    assert (np.diff(made.reshape(-1)[order]) >= -1e-5).all(), "never rises away from the mask"
    half = max(feather, 1.0) / 2
    assert (made[distance + grow < -half - 1e-3] == 0).all(), "exactly 0 beyond half the feather"
    assert (made[distance + grow > half + 1e-3] == 1).all(), "exactly 1 within it"


def test_growing_is_exact() -> None:
    mask = np.zeros((41, 41), np.float32)
    mask[20, 20] = 1
    y, x = np.mgrid[0:41, 0:41]
    far = np.hypot(y - 20, x - 20)
    grown = shape_edge(mask, grow=10, feather=0)
    assert (grown[far <= 10] == 1).all()
    assert (grown[far >= 11] == 0).all()
    assert shape_edge(grown, grow=-10.6, feather=0).max() <= 0.5, "shrinks again to nothing much"


def test_fractions_of_a_pixel_count() -> None:
    areas = [float(shape_edge(shapes.ellipse(64, 64, (16, 16)), grow=grow, feather=0).sum()) for grow in (0.25, 0.5)]
    for grow, area in zip((0.25, 0.5), areas, strict=True):
        assert area == pytest.approx(np.pi * (16 + grow) ** 2, rel=0.01)


def test_an_anti_aliased_edge_keeps_its_place() -> None:
    mask = np.zeros((9, 21), np.float32)
    mask[:, :10], mask[:, 10] = 1, 0.3  # the edge is at 10.3
    distance = signed_distance(mask)[4]
    assert distance == pytest.approx(10.3 - (np.arange(21) + 0.5), abs=1e-5)


def test_the_frame_is_no_edge() -> None:
    mask = np.zeros((30, 40), np.float32)
    mask[:, :20] = 1
    made = shape_edge(mask, grow=-3, feather=6)
    assert (made == made[0]).all(), "the rows at the frame's edge are like all the others"
    assert (made[:, 0] == 1).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("grow", [-5.0, 5.0])
def test_nothing_and_everything_stay(value: float, grow: float) -> None:
    mask = np.full((12, 17), value, np.float32)
    assert np.array_equal(shape_edge(mask, grow=grow, feather=4), mask)


def test_soft_parts_stay_soft() -> None:
    ramp = np.tile(np.linspace(1, 0, 60, dtype=np.float32), (20, 1))
    made = shape_edge(ramp, grow=2, feather=2)
    assert ((made > 0.05) & (made < 0.95)).mean() > 0.7
    assert made.sum() > ramp.sum(), "it grew"
    assert (np.diff(made[10]) <= 1e-6).all()


def test_a_negative_feather_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        shape_edge(np.zeros((4, 4), np.float32), grow=0, feather=-1)
