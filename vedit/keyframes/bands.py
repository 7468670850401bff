"""The coarse and the fine band of a picture, and how strong they are: what keyframes are joined by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from vedit.keyframes.motion import Floats

SIGMA = 3.0
"""Pixels of the working size; finer differences are strokes and texture, as in `vedit.finishing.deflicker`."""
AROUND = 6.0
"""Pixels over which the contrast of strokes is measured, and doubt is."""
NEAR = 2.0
"""Pixels over which the strength of detail is held against that of what it is made of."""
_EVENLY = np.full((1, 3), 1 / 3, np.float32)


def blur(image: Floats, sigma: float) -> Floats:
    """A Gaussian mean of a picture, (h, w) or (h, w, C)."""
    side = 2 * round(2.5 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(image, (side, side), sigma), np.float32)


def over_colours(image: Floats) -> Floats:
    """(h, w): the mean over the colours of a picture (h, w, 3)."""
    return np.asarray(cv2.transform(image, _EVENLY), np.float32).reshape(image.shape[:2])


def power(detail: Floats) -> Floats:
    """(h, w): mean square over the colours."""
    return over_colours(np.square(detail))


def grey_power(image: Floats) -> Floats:
    """(h, w): strength of the fine band around each pixel, of brightness alone, (h, w, 3)."""
    grey = over_colours(image)
    return blur(np.square(grey - blur(grey, SIGMA)), NEAR)
