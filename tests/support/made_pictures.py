"""Clips of known content, float32 (T, H, W, 3) in [0, 1], for what measures them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]


def blurred_noise(height: int, width: int, *, seed: int = 0, sigma: float = 2.0, contrast: float = 0.15) -> Frames:
    """(height, width, 3): grey noise of a standard deviation of `contrast` around 0.5, smooth enough to move."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((height, width)), (0, 0), sigma)
    plane = 0.5 + contrast * (noise - noise.mean()) / noise.std()
    return np.repeat(np.clip(plane, 0, 1)[..., None], 3, axis=2).astype(np.float32)


def still(frame: Frames, count: int) -> Frames:
    """A picture that stands for `count` frames."""
    return np.repeat(frame[None], count, axis=0)


def panned(canvas: Frames, height: int, width: int, count: int, step: tuple[int, int] = (0, 3)) -> Frames:
    """A camera that moves by whole pixels (down, right) each frame over a canvas that is large enough."""
    corners = [(step[0] * number, step[1] * number) for number in range(count)]
    return np.stack([canvas[y : y + height, x : x + width] for y, x in corners])
