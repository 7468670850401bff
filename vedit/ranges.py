"""The one home of value ranges: integers at a depth <-> floats in [0, 1] <-> the autoencoder's [-1, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vedit.checks.finite import finite

if TYPE_CHECKING:
    from vedit.types import IntFrames

TOLERANCE = 1e-3


def full_scale(bit_depth: int) -> int:
    """The largest value at a depth: 255 for 8 bits, 1023 for 10."""
    return (1 << bit_depth) - 1


def to_unit(frames: IntFrames, bit_depth: int) -> torch.Tensor:
    """Integer frames at `bit_depth` -> float32 in [0, 1], any shape."""
    return torch.from_numpy(frames.astype(np.float32)) / full_scale(bit_depth)


def to_integer(frames: torch.Tensor, bit_depth: int) -> IntFrames:
    """Float frames -> integers at `bit_depth`, rounded; values outside [0, 1] are clipped.

    Raises:
        NotFiniteError: a value is NaN or infinite, which would turn black or white.
    """
    finite(frames, "finished frames")
    scaled = (frames.float().clamp(0, 1) * full_scale(bit_depth)).round().cpu().numpy()
    return scaled.astype(np.uint8) if bit_depth == 8 else scaled.astype(np.uint16)


def to_symmetric(frames: torch.Tensor) -> torch.Tensor:
    """[0, 1] -> [-1, 1]. Raises ValueError where a value lies outside [0, 1]."""
    low, high = float(frames.min()), float(frames.max())
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(f"frames must lie in [0, 1], got [{low:.4f}, {high:.4f}]")
    return frames * 2 - 1


def from_symmetric(frames: torch.Tensor) -> torch.Tensor:
    """[-1, 1] -> [0, 1]; an autoencoder may overshoot, so the result is clipped."""
    return ((frames + 1) / 2).clamp(0, 1)
