"""Where a picture has texture: what can be followed, and what is flat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.picture import Picture, Plane

    Marks = npt.NDArray[np.bool_]

FLAT_LEVELS = 3
"""Of 255: where luma deviates less within the window, a picture is flat."""
_STEEP = 2 / 255
"""Luma a pixel: a place that is this steep in every direction is followed half as surely as any can be."""


def window(picture: Picture) -> int:
    """The side in pixels, odd, of the box that local figures are taken over: four sigmas of the fine band."""
    return 2 * round(2 * picture.sigma) + 1


def mean(plane: Plane, side: int) -> Plane:
    """Over a box around each pixel."""
    return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def flat(picture: Picture) -> Marks:
    """(h, w): luma deviates by less than `FLAT_LEVELS` within the `window`."""
    side = window(picture)
    middle = mean(picture.luma, side)
    variance = mean(picture.luma * picture.luma, side) - middle * middle
    return variance < np.float32((FLAT_LEVELS / 255) ** 2)


def surely_followed(picture: Picture) -> Plane:
    """(h, w) in [0, 1): how far the picture itself tells where a place went.

    The smaller eigenvalue of the structure tensor (Shi and Tomasi, "Good Features to Track", 1994), the mean over a
    window of five pixels, against its sum with the square of `_STEEP`: near 0 in flat parts and along plain edges,
    which an estimator of flow fills in by guessing, and near 1 on texture.
    """
    along_x, along_y = picture.gradient
    xx, yy, xy = (mean(product, 5) for product in (along_x * along_x, along_y * along_y, along_x * along_y))
    apart = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    least = np.maximum((xx + yy - apart) / 2, 0)
    return np.asarray(least / (least + np.float32(_STEEP**2)), np.float32)
