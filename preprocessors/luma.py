"""Brightness alone, for models that colour or relight."""

from __future__ import annotations

import torch


def luma(frames: torch.Tensor) -> torch.Tensor:
    """Luma by the weights of ITU-R BT.601, as the image models were trained on.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        Float (T, 3, H, W) in [0, 1], the three channels equal.
    """
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=frames.dtype, device=frames.device).view(1, 3, 1, 1)
    return (frames * weights).sum(1, keepdim=True).expand_as(frames).contiguous()
