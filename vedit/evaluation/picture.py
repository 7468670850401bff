"""One frame at the size at which it is measured, and what several metrics need of it, each made once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from vedit.geometry import resize
from vedit.ranges import full_scale

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import IntFrames

    Plane = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as the project's flow has it."""
FINE_SIGMA = 3 / 256
"""Of the Gaussian that parts fine detail from the rest, in shorter sides of the frame."""


class Picture:
    """A frame, float32 (h, w, 3) RGB in [0, 1]; nobody writes to it."""

    def __init__(self, rgb: Plane) -> None:
        self.rgb = rgb

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def sigma(self) -> float:
        """Of `fine`, in pixels of this frame."""
        return FINE_SIGMA * min(self.size)

    @cached_property
    def luma(self) -> Plane:
        """(h, w) in [0, 1]."""
        return np.asarray(self.rgb @ LUMA, np.float32)

    @cached_property
    def fine(self) -> Plane:
        """(h, w): luma minus its Gaussian of 3 pixels at a shorter side of 256: strokes, dots and edges."""
        return np.asarray(cv2.subtract(self.luma, cv2.GaussianBlur(self.luma, (0, 0), self.sigma)), np.float32)

    @cached_property
    def gradient(self) -> Plane:
        """(2, h, w): Sobel derivatives of luma along x and y, in luma a pixel."""
        # A Sobel kernel weighs a step of one pixel by 8.
        return np.stack(
            [np.asarray(cv2.Sobel(self.luma, cv2.CV_32F, *order, scale=1 / 8), np.float32) for order in _ORDERS]
        )

    def forget(self) -> None:
        """Let go of what later frames do not ask for."""
        self.__dict__.pop("gradient", None)

    @property
    def tensor(self) -> torch.Tensor:
        """(3, h, w), for what works in torch."""
        return torch.from_numpy(np.ascontiguousarray(self.rgb.transpose(2, 0, 1)))


_ORDERS = ((1, 0), (0, 1))


def picture_of(frame: IntFrames, bit_depth: int, size: tuple[int, int]) -> Picture:
    """A decoded frame, (3 or 4, H, W) integers of `bit_depth`, at (h, w): areas averaged on the way down."""
    scale = np.float32(1 / full_scale(bit_depth))
    whole = np.ascontiguousarray(frame[:3].transpose(1, 2, 0), dtype=np.float32)
    whole *= scale
    return Picture(np.clip(resize(whole, size), 0, 1))


def measuring_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """(h, w) of an even scaling whose shorter side is `short_side`; a smaller frame stays as it is."""
    scale = min(1.0, short_side / min(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
