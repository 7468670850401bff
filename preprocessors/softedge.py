"""The soft edge control: outlines with graded strength, without weights.

Plays the part of HED or PiDiNet soft edges: Gaussian-smoothed Scharr gradients at three scales. Gain and saturation are
constants, never taken from the frame: a per-frame normalisation flickers when anything bright enters the picture.
"""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

SCALES: tuple[tuple[float, float], ...] = ((0.8, 0.5), (1.6, 0.3), (3.2, 0.2))
"""(sigma of the smoothing in pixels, weight): fine lines count most, broad ones hold an outline together."""

KNEE = 0.12
"""Gradient magnitude (change of [0, 1] over one pixel) that maps to 0.5; noise of a few levels stays near black."""


def _weigh(planes: "Tensor", taps: tuple[float, ...], dim: int) -> "Tensor":
    """Correlate along `dim` (-1 or -2) with an odd number of taps, edges replicated.

    Sums of shifted views: for one-channel planes several times faster on a CPU than a convolution.
    """
    radius = len(taps) // 2
    pad = (radius, radius, 0, 0) if dim == -1 else (0, 0, radius, radius)
    padded = F.pad(planes, pad, mode="replicate")
    size = planes.shape[dim]
    total = padded.narrow(dim, 0, size) * taps[0]
    for index, weight in enumerate(taps[1:], start=1):
        if weight != 0:
            total.add_(padded.narrow(dim, index, size), alpha=weight)
    return total


def _blur(planes: "Tensor", sigma: float) -> "Tensor":
    """Separable Gaussian cut at 2.5 sigma; (T, C, H, W)."""
    radius = max(1, math.ceil(2.5 * sigma))
    raw = [math.exp(-0.5 * (x / sigma) ** 2) for x in range(-radius, radius + 1)]
    taps = tuple(value / sum(raw) for value in raw)
    return _weigh(_weigh(planes, taps, -1), taps, -2)


def _gradient(planes: "Tensor") -> "Tensor":
    """Scharr gradient magnitude, as change per pixel; (T, C, H, W)."""
    smooth, change = (3 / 16, 10 / 16, 3 / 16), (-0.5, 0.0, 0.5)
    along_x = _weigh(_weigh(planes, smooth, -2), change, -1)
    along_y = _weigh(_weigh(planes, smooth, -1), change, -2)
    return torch.hypot(along_x, along_y)


def soft_edges(frames: "Tensor") -> "Tensor":
    """Soft edges of each frame.

    Args:
        frames: (T, 3, H, W) in [0, 1], RGB, of any size.

    Returns:
        (T, 3, H, W) in [0, 1], the three channels equal, 0 = no edge. The strongest of the colour planes counts, so
        edges between colours of equal brightness are seen. Every frame on its own, with fixed gain.

    Raises:
        ValueError: not (T, 3, H, W).
    """
    if frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"soft_edges takes (T, 3, H, W), got shape {tuple(frames.shape)}")
    planes = frames.float()
    strength = torch.zeros_like(planes)
    for sigma, weight in SCALES:
        # A step edge smoothed by sigma has a gradient of 1 / (sigma sqrt(2 pi)); undone, so that scales compare.
        strength.add_(_gradient(_blur(planes, sigma)), alpha=weight * sigma * math.sqrt(2 * math.pi))
    squared = strength.amax(1, keepdim=True).square()
    soft = squared / (squared + KNEE**2)
    return soft.expand_as(planes).contiguous().to(frames.dtype)
