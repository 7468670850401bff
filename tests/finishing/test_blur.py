"""The blur that steadying goes by: kornia's, to the last bits."""

from __future__ import annotations

import pytest
import torch
from kornia.filters import gaussian_blur2d

from vedit.finishing.blur import blurred


@pytest.mark.parametrize("sigma", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("size", [(40, 56), (64, 32)])
def test_it_is_kornias(sigma: float, size: tuple[int, int]) -> None:
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3))
    reach = 2 * round(2.5 * sigma) + 1
    right = gaussian_blur2d(pictures, (reach, reach), (sigma, sigma))
    assert torch.allclose(blurred(pictures, sigma), right, atol=2e-6)
    strided = pictures.transpose(2, 3)
    assert torch.equal(blurred(strided, sigma), blurred(strided.contiguous(), sigma))


def test_what_is_even_stays_so_and_a_point_spreads_without_loss() -> None:
    assert torch.allclose(blurred(torch.full((1, 2, 9, 9), 0.25), 2.0), torch.full((1, 2, 9, 9), 0.25))
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    spread = blurred(point, 3.0)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert torch.allclose(spread, spread.flip(0), atol=1e-7)
    assert torch.allclose(spread, spread.T, atol=1e-7)
    away = torch.arange(41.0) - 20
    variance = float((spread.sum(0) * away.square()).sum())
    assert variance == pytest.approx(9, rel=0.12), "cut at two and a half sigma"


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_a_picture_smaller_than_the_kernel_is_mirrored_as_far_as_it_goes(side: int) -> None:
    pictures = torch.rand(1, 1, side, 20, generator=torch.Generator().manual_seed(0))
    found = blurred(pictures, 6.0)
    assert found.shape == pictures.shape
    assert float(found.min()) >= float(pictures.min()) - 1e-6
    assert float(found.max()) <= float(pictures.max()) + 1e-6
