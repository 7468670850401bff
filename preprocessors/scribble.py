"""A few thick lines, as drawn by hand: the scribble ControlNet's input, without weights."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from vedit.flow.estimate import grey_levels

SIGMA = 3.0
"""Pixels of the blur that leaves outlines and takes texture."""
LOW, HIGH = 15, 40
"""Gradients, in levels of 255, on the blurred picture: see `vedit.preprocessors.canny`."""
SHORTEST = 40
"""Pixels of line below which a stroke is dropped."""
WIDTH = 5
"""Pixels of a stroke's width."""


def scribble(frames: torch.Tensor) -> torch.Tensor:
    """Outlines of what is large, as white strokes of one width on black.

    Lines are the ridges of the gradient (non-maximum suppression with hysteresis, Canny 1986) of a blurred picture;
    short ones are dropped and the others widened to strokes. Thresholds are fixed.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        Float (T, 3, H, W), 1 on strokes and 0 elsewhere. The three channels are one in memory.
    """
    strokes = np.empty((len(frames), *frames.shape[-2:]), np.uint8)
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDTH, WIDTH))
    for frame, out in zip(frames, strokes, strict=True):
        lines = cv2.Canny(cv2.GaussianBlur(grey_levels(frame), (0, 0), SIGMA), LOW, HIGH)
        _, labels, parts, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
        long_enough = parts[:, cv2.CC_STAT_AREA] >= SHORTEST
        long_enough[0] = False  # the ground
        out[:] = cv2.dilate(long_enough[np.asarray(labels, np.intp)].astype(np.uint8), pen)
    return torch.from_numpy(strokes).to(frames)[:, None].expand_as(frames)
