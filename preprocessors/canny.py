"""Canny's edges (1986): one pixel wide, white on black."""

from __future__ import annotations

import cv2
import numpy as np
import torch


def canny(frames: torch.Tensor, *, low: int = 100, high: int = 200) -> torch.Tensor:
    """Hard edges of each frame, found on luma after a slight blur.

    The thresholds are fixed, not adapted to the frame, so that an edge does not come and go with the exposure.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        low: gradient, in levels of 255, from which an edge goes on.
        high: gradient from which an edge begins.

    Returns:
        Float (T, 3, H, W), 1 on edges and 0 elsewhere.
    """
    images = (frames.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    edges = np.empty(images.shape[:3], np.uint8)
    for number, image in enumerate(images):
        grey = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), (0, 0), 0.8)
        edges[number] = cv2.Canny(grey, low, high)
    return (torch.from_numpy(edges).to(frames) / 255)[:, None].expand_as(frames).contiguous()
