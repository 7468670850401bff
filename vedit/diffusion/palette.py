"""The palette and tone of a picture, carried over to latents: what a reference gives any model.

A shot's anchor gives the others the change of its own colours (`vedit.diffusion.color_match`). Here the colours come
from elsewhere: a linear map takes the anchor's mean and covariance of colours to the picture's, along the shortest way
there is between two normal distributions (Monge-Kantorovich; Pitie & Kokaram 2007, "The linear Monge-Kantorovitch
linear colour mapping for example-based colour transfer"). All frames that are sampled with the anchor go through its
map, so nothing flickers, and every window of a shot computes the same.

The map is one of colours, and latents hold strokes too. The colour of a cell is very nearly a linear function of its
latent, and the other way round: both are fitted by least squares to cells of which the colour is known, and the change
of a cell's colour is added to its latent as the change that such a colour makes. What of a latent says nothing of
colour stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

STEEPEST = 2.0
"""Colours are spread, or drawn together, by this factor at most: a plain picture would leave nothing of the shot's
contrast, and a gaudy one would show every fault of it."""
_SMALL = 1e-3
"""Added to variances of colours in [0, 1]: those of a flat picture say nothing."""


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of pictures, cell by cell."""

    latents: torch.Tensor
    """(K, C): of every cell of the pictures."""
    colors: torch.Tensor
    """(K, 3) in [0, 1]: what is seen in them."""
    shares: torch.Tensor
    """(K,) at least 0: how much each counts."""
    amount: float
    """How far colours go, 0 to 1."""

    @property
    def digest(self) -> str:
        """SHA-256 of the colours and how much they count."""
        told = torch.cat([self.colors, self.shares[:, None]], dim=1).double().contiguous()
        return hashlib.sha256(told.numpy().tobytes() + repr(self.amount).encode()).hexdigest()


def palette(pictures: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]], cell: int) -> Palette:
    """The palette of pictures together, each by its weight.

    Args:
        pictures: of each its latents (1, C, h, w), itself (1, 3, H, W) in [0, 1], where it is opaque (1, 1, H, W), and
            its weight in [0, 1]; one at least is above 0.
        cell: pixels to a side of a cell.
    """
    shares = [_cells(F.avg_pool2d(opacity, cell)) for _, _, opacity, _ in pictures]
    weights = [weight for *_, weight in pictures]
    return Palette(
        latents=torch.cat([_cells(latents) for latents, *_ in pictures]),
        colors=torch.cat([_cells(F.avg_pool2d(picture, cell)) for _, picture, *_ in pictures]),
        shares=torch.cat(
            [weight * share[:, 0] / share.sum().clamp_min(1e-9) for weight, share in zip(weights, shares, strict=True)]
        ),
        amount=min(1.0, sum(weights)),
    )


def take_palette(
    result: torch.Tensor,
    source: torch.Tensor,
    frames: torch.Tensor,
    colors: Palette,
    where: torch.Tensor | None = None,
    *,
    singly: bool = False,
) -> torch.Tensor:
    """Latents with the palette of pictures.

    Args:
        result: clean latents (T, C, h, w) of the new look, the anchor's first.
        source: those of the same frames before; the first is asked for.
        frames: (T, 3, H, W) in [0, 1], the frames that these are of.
        colors: the palette.
        where: (T, 1, h, w) in [0, 1], the cells that take it; None is all. Cells at 0 stay as they are.
        singly: every frame is its own anchor.

    Returns:
        (T, C, h, w). Where the anchor has no such cell, each frame goes by its own.
    """
    known = _cells(source[:1]), _cells(F.avg_pool2d(frames[:1], frames.shape[-1] // source.shape[-1]))
    to_colors = _fitted(torch.cat([known[0], colors.latents]), torch.cat([known[1], colors.colors]))
    to_latents = _fitted(torch.cat([known[1], colors.colors]), torch.cat([known[0], colors.latents]))[:-1]
    cells = torch.ones_like(result[:, :1]) if where is None else where.to(result).expand(len(result), -1, -1, -1)
    by_anchor = not singly and bool(cells[0].any())
    found: list[torch.Tensor] = []
    change: _Change | None = None
    for frame, weight in zip(result, cells, strict=True):
        own = _with_one(_cells(frame[None])) @ to_colors
        if change is None or not by_anchor:
            change = _change(own, _cells(weight[None])[:, 0], colors)
        moved = ((change(own) - own) @ to_latents * colors.amount).T.reshape(frame.shape)
        found.append(frame + weight * moved.to(frame))
    return torch.stack(found)


@dataclass(frozen=True, kw_only=True)
class _Change:
    """A linear map of colours (N, 3), about a mean."""

    before: torch.Tensor
    after: torch.Tensor
    matrix: torch.Tensor

    def __call__(self, colors: torch.Tensor) -> torch.Tensor:
        return (colors - self.before) @ self.matrix + self.after


def _change(own: torch.Tensor, weight: torch.Tensor, colors: Palette) -> _Change:
    """From the colours of a frame, by how much each counts, to the palette's; where none counts, none changes."""
    if not weight.any():
        return _Change(before=own.mean(0), after=own.mean(0), matrix=torch.eye(3, dtype=own.dtype))
    (before, spread), (after, wanted) = _statistics(own, weight), _statistics(colors.colors, colors.shares)
    root = _root(spread)
    inverse = torch.linalg.inv(root)
    values, axes = torch.linalg.eigh(inverse @ _root(root @ wanted @ root) @ inverse)
    return _Change(before=before, after=after, matrix=(axes * values.clamp(1 / STEEPEST, STEEPEST)) @ axes.T)


def _statistics(colors: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean (3,) and covariance (3, 3) of colours (N, 3)."""
    share = (weight.double() / weight.double().sum())[:, None]
    mean = (share * colors.double()).sum(0)
    off = colors.double() - mean
    return mean, (share * off).T @ off + _SMALL * torch.eye(3, dtype=torch.float64)


def _root(matrix: torch.Tensor) -> torch.Tensor:
    """The square root of a symmetric matrix that is positive."""
    values, axes = torch.linalg.eigh(matrix)
    return (axes * values.clamp_min(0).sqrt()) @ axes.T


def _cells(values: torch.Tensor) -> torch.Tensor:
    """(1, C, h, w) -> (h * w, C), where small matrices are best worked with."""
    return values[0].flatten(1).T.double().cpu()


def _with_one(values: torch.Tensor) -> torch.Tensor:
    return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)


def _fitted(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The affine map of least squares, (inputs + 1, outputs), the least of them where several fit alike."""
    return torch.linalg.lstsq(_with_one(given), wanted, driver="gelsd").solution
