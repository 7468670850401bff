"""Line drawing without weights: thin white lines on black, as the lineart ControlNet takes them."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from vedit.flow.estimate import grey_levels

SIGMA = 1.2
"""Pixels; half the width of a line."""
RATIO = 1.6
"""Of the wider Gaussian to the narrower: the one at which their difference is nearest to a Laplacian."""
FLOOR = 0.008
"""Difference, in units of [0, 1], that is still no line: noise and faint texture."""
GAIN = 40.0
"""How fast a line grows white above the floor."""


def lineart(frames: torch.Tensor) -> torch.Tensor:
    """Thin lines on the dark side of edges, graded by contrast.

    The difference of Gaussians with the soft threshold of XDoG (Winnemoeller, Kyprianidis and Olsen, 2012, equations
    1 and 5), inverted: max(0, tanh(gain (wide - narrow - floor))). Constants are fixed, so a line does not change with
    what else is in the picture.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        Float (T, 3, H, W) in [0, 1], 0 = no line. The three channels are one in memory.
    """
    lines = np.empty((len(frames), *frames.shape[-2:]), np.float32)
    for frame, out in zip(frames, lines, strict=True):
        grey = grey_levels(frame).astype(np.float32) / 255
        dark = cv2.GaussianBlur(grey, (0, 0), SIGMA * RATIO) - cv2.GaussianBlur(grey, (0, 0), SIGMA)
        np.maximum(np.tanh(GAIN * (dark - FLOOR)), 0, out=out)
    return torch.from_numpy(lines).to(frames)[:, None].expand_as(frames)
