"""Canny's edges (1986): one pixel wide, white on black."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from vedit.flow.estimate import grey_levels

SIGMA = 0.8
"""Pixels of the blur that keeps single noisy pixels from being edges."""


def canny(frames: torch.Tensor, *, low: int = 100, high: int = 200) -> torch.Tensor:
    """Hard edges of each frame, found on luma after a slight blur.

    The thresholds are fixed, not adapted to the frame, so that an edge does not come and go with the exposure.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        low: gradient, in levels of 255, from which an edge goes on.
        high: gradient from which an edge begins.

    Returns:
        Float (T, 3, H, W), 1 on edges and 0 elsewhere. The three channels are one in memory.
    """
    edges = np.empty((len(frames), *frames.shape[-2:]), np.float32)

    def draw(numbers: range) -> None:
        # Kept from frame to frame: fresh memory costs as much as the blur.
        work, soft, found = torch.empty(0), *np.empty((2, *frames.shape[-2:]), np.uint8)
        for number in numbers:
            cv2.GaussianBlur(grey_levels(frames[number], work=work), (0, 0), SIGMA, dst=soft)
            cv2.Canny(soft, low, high, edges=found)
            np.multiply(found, np.float32(1 / 255), out=edges[number])

    # OpenCV finds the edges of one frame on one thread, and lets others run meanwhile.
    threads = max(1, min(cv2.getNumThreads(), len(frames)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(draw, (range(first, len(frames), threads) for first in range(threads))))
    return torch.from_numpy(edges).to(frames)[:, None].expand_as(frames)
