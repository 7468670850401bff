"""How much the texture of two latents differs: the sliced Wasserstein distance of their patches.

Squared errors ask for the mean of all the strokes there may be, which has none. This asks that the patches of a
neighbourhood be distributed as the target's, wherever each of them lies: the patches are projected onto random
directions and the sorted projections compared (Rabin et al. 2011, "Wasserstein Barycenter and its Application to
Texture Mixing"; Heitz et al. 2021, "A Sliced Wasserstein Loss for Neural Texture Synthesis", of network features).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 3
"""Cells along each side of a patch."""
WINDOW = 8
"""Cells along each side of a neighbourhood, where there are as many: strokes may lie elsewhere within it, colours may
not leave it."""
DIRECTIONS = 64


def sliced_distance(made: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    """Mean squared difference of the sorted projections, at the latents' own scale and at half of it.

    Args:
        made: latents (N, C, h, w), of at least 2 cells a side.
        target: of the same shape.
        generator: draws the directions and where the windows begin, on the CPU.
    """
    halves = (F.avg_pool2d(made, 2), F.avg_pool2d(target, 2))
    return (_at_one_scale(made, target, generator) + _at_one_scale(*halves, generator)) / 2


def _at_one_scale(made: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    directions = torch.randn(DIRECTIONS, made.shape[1], PATCH, PATCH, generator=generator).to(made)
    directions = directions / directions.square().sum((1, 2, 3), keepdim=True).sqrt()
    # Padded, so that a latent of 8 cells still has a window.
    here, there = (F.conv2d(latents, directions, padding=PATCH // 2) for latents in (made, target))
    height, width = (min(WINDOW, side) for side in made.shape[-2:])
    y, x = (
        int(torch.randint(0, side % size + 1, (), generator=generator))
        for side, size in zip(made.shape[-2:], (height, width), strict=True)
    )
    first, second = (
        _windows(projections[..., y:, x:], height, width).sort(dim=-1).values for projections in (here, there)
    )
    return F.mse_loss(first, second)


def _windows(projections: Tensor, height: int, width: int) -> Tensor:
    """(N, K, h, w) -> (N, K, rows, columns, height * width), what fills no window left out."""
    rows, columns = projections.shape[-2] // height, projections.shape[-1] // width
    inner = projections[..., : rows * height, : columns * width]
    split = inner.unflatten(-1, (columns, width)).unflatten(-3, (rows, height))  # (N, K, r, H, c, W)
    return split.transpose(-3, -2).flatten(-2)
