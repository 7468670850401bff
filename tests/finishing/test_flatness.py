"""The lattice of an autoencoder's cells: measured right, and taken out of flat parts without a stroke being blurred."""

# The bench is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vedit.finishing.flatness import even_out

PERIOD, SIDE = 8, 128


@pytest.fixture(scope="module")
def bench() -> object:
    """The bench's measure."""
    pytest.importorskip("skimage", reason="the training styles need the extra: pip install 'vedit[train]'")
    pytest.importorskip("scipy", reason="the training styles need the extra: pip install 'vedit[train]'")
    for folder in ("bench_embedded", "train_embedded"):
        path = str(Path(__file__).parents[2] / "examples" / folder)
        if path not in sys.path:
            sys.path.insert(0, path)
    from scores import lattice

    return lattice


def waves(period: float, levels: float, axis: int = 1, side: int = SIDE) -> torch.Tensor:
    """(side, side): a sine of so many levels of 255."""
    place = torch.arange(float(side)).reshape((1, -1) if axis else (-1, 1))
    return (levels / 255 * torch.sin(2 * torch.pi * place / period + 0.4)).expand(side, side)


def sky() -> torch.Tensor:
    """(1, 3, SIDE, SIDE): a slow gradient, and a wall of noise on its right quarter."""
    slope = torch.linspace(0.3, 0.5, SIDE).reshape(-1, 1).expand(SIDE, SIDE)
    picture = slope.repeat(1, 3, 1, 1).clone()
    wall = torch.from_numpy(np.random.default_rng(0).random((3, SIDE, SIDE // 4), np.float32))
    picture[..., -SIDE // 4 :] = wall
    return picture


def grain(levels: float, seed: int = 1) -> torch.Tensor:
    draws = np.random.default_rng(seed).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    return torch.from_numpy(draws) * levels / 255


@pytest.mark.parametrize("period", [8.0, 16.0, 12.75])
@pytest.mark.parametrize("levels", [0.2, 1.0])
def test_a_lattice_of_known_amplitude_is_measured_right(bench: object, period: float, levels: float) -> None:
    side = 256
    ground = torch.full((3, side, side), 0.4)
    flat = np.ones((side, side), bool)
    measure = bench.lattice  # type: ignore[attr-defined]
    for axis in (0, 1):
        for harmonic in (1, 2):
            made = ground + waves(period / harmonic, levels, axis, side)
            assert measure(made, flat, period) == pytest.approx(levels, rel=0.05)
    both = ground + waves(period, levels, 0, side) + waves(period, levels, 1, side)
    assert measure(both, flat, period) == pytest.approx(levels * 2**0.5, rel=0.05)
    assert measure(ground, flat, period) < 0.01


def test_what_is_no_lattice_is_not_measured(bench: object) -> None:
    measure, flat = bench.lattice, np.ones((SIDE, SIDE), bool)  # type: ignore[attr-defined]
    ground = torch.full((3, SIDE, SIDE), 0.4)
    assert measure(ground + grain(1.0)[0], flat, 8) < 0.15
    assert measure(ground + waves(11.5, 2.0), flat, 8) < 0.3
    parts = bench.flat_parts(sky()[0], 8)  # type: ignore[attr-defined]
    assert parts[:, : SIDE // 2].all() and not parts[:, -SIDE // 4 :].any()
    assert np.isnan(measure(ground, np.zeros((SIDE, SIDE), bool), 8))


def test_the_lattice_goes_and_the_grain_stays() -> None:
    source = sky()
    lattice = (waves(8, 0.8) + waves(4, 0.4, axis=0)).repeat(1, 3, 1, 1)
    drawn = grain(2.0)
    made = source + 0.1 + lattice + drawn
    out = even_out(source, source, made, period=PERIOD)
    inner = (..., slice(16, -16), slice(16, SIDE // 2))
    left = (out - source - 0.1 - drawn)[inner]
    assert left.square().mean() < 0.05 * lattice[inner].square().mean() + (0.25 * 2 / 255) ** 2
    kept = (out - source - 0.1)[inner]
    assert kept.square().mean() > 0.85 * drawn[inner].square().mean(), "little of the grain lines up with the grid"
    assert torch.equal(out[..., -SIDE // 8 :], made[..., -SIDE // 8 :]), "what the source fills stays as it is"


def test_stripes_along_the_grid_go() -> None:
    source = sky()
    place = torch.arange(float(SIDE))
    stripes = (1.5 / 255 * torch.sin(2 * torch.pi * place / 9.3) * torch.exp(-place / 40)).reshape(-1, 1)
    made = source + stripes
    out = even_out(source, source, made, period=PERIOD)
    inner = (..., slice(0, SIDE // 2))
    assert (out - source)[inner].std() < 0.35 * (made - source)[inner].std()


def test_what_a_look_draws_is_left() -> None:
    """A weave or a mosaic may have the cells' very period; as strong as a look draws it, it is none of ours."""
    source = sky()
    drawn = source + waves(8, 12.0).repeat(1, 3, 1, 1)
    change = (even_out(source, source, drawn, period=PERIOD) - drawn).abs() * 255
    assert change[..., 16:-16, 16 : SIDE // 2].max() < 0.5 and change.max() < 1.5, "of 12 levels"
    strokes = source + waves(13.0, 6.0).repeat(1, 3, 1, 1)
    kept = even_out(source, source, strokes, period=PERIOD) - source
    inner = (..., slice(16, -16), slice(16, SIDE // 2))
    assert kept[inner].std() > 0.9 * (strokes - source)[inner].std()


def test_a_result_that_equals_the_source_comes_back() -> None:
    source = sky() + waves(8, 1.0).repeat(1, 3, 1, 1)
    assert torch.equal(even_out(source, source, source, period=PERIOD), source)
    seen = source + grain(1.0)
    assert torch.equal(even_out(source, seen, seen, period=PERIOD), seen)


def test_each_frame_is_treated_alone() -> None:
    source = torch.cat([sky(), sky().flip(-1), sky().flip(-2)])
    made = source + waves(8, 1.0).repeat(3, 3, 1, 1) + torch.cat([grain(1.0, seed) for seed in range(3)])
    whole = even_out(source, source, made, period=PERIOD)
    alone = torch.cat([even_out(s[None], s[None], m[None], period=PERIOD) for s, m in zip(source, made, strict=True)])
    assert torch.equal(whole, alone)


@pytest.mark.parametrize("size", [(8, 8), (7, 30), (40, 9), (130, 41)])
def test_any_size_is_taken(size: tuple[int, int]) -> None:
    source = torch.full((1, 3, *size), 0.4)
    out = even_out(source, source, source + 0.1, period=PERIOD)
    assert out.shape == source.shape and torch.allclose(out, source + 0.1, atol=1e-5)
