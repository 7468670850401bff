"""Noise that depends on the seed and the frame alone, so that any split of the work draws the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_MASK = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What is drawn for a render, but for the frames: the seed, and how a model's latents lie in the picture."""

    seed: int
    channels: int
    cell: int
    """Pixels to a latent cell, along each side."""


def frame_seed(seed: int, frame: int) -> int:
    """A 63-bit seed for one frame: SplitMix64's finaliser over seed and frame (Steele et al. 2014)."""
    z = (seed * 0x9E3779B97F4A7C15 + frame * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) >> 1


def frame_noise(shape: Sequence[int], *, seed: int, frames: Sequence[int]) -> torch.Tensor:
    """Standard normal noise (T, *shape), shape (C, h, w), float32 on the CPU, drawn for each frame on its own.

    The generator is the CPU's, so that a GPU render starts from the same noise.
    """
    return torch.stack(
        [
            torch.randn(
                tuple(shape), generator=torch.Generator().manual_seed(frame_seed(seed, frame)), dtype=torch.float32
            )
            for frame in frames
        ]
    )
