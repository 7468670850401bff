"""Small pictures that shots and transitions are told by: whole frames, and rows of 32 x 18 averages."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Row = npt.NDArray[np.floating]

_SHORT_SIDE = 144
_ROW_SIZE = (32, 18)
_EVEN = 10.0
"""Levels of 255 that a blank picture spans at most, but for its brightest tenth: a title may stand in it."""
_ONE_TONE = 0.5
_DARK, _BRIGHT = 24.0, 231.0


def small_bgr(frame: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bit_depth: int) -> npt.NDArray[np.uint8]:
    """(3 or 4, H, W) integers -> (h, w, 3) 8-bit, BGR as OpenCV has it; a cut does not hide in the fine detail."""
    height, width = frame.shape[-2:]
    # Whole rows and columns are left out first: converting all of a 4K frame would cost more than decoding it.
    step = max(1, min(height, width) // (2 * _SHORT_SIDE))
    image = np.ascontiguousarray(frame[2::-1, ::step, ::step].transpose(1, 2, 0))
    if bit_depth > 8:
        image = (image >> (bit_depth - 8)).astype(np.uint8)
    scale = min(1.0, _SHORT_SIDE / min(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cast("npt.NDArray[np.uint8]", cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def row_of(image: npt.NDArray[np.uint8]) -> Row:
    """The averages of 32 x 18 parts of a small picture, in one row: noise and what a codec does to detail are gone."""
    return np.asarray(cv2.resize(image, _ROW_SIZE, interpolation=cv2.INTER_AREA), np.float32).reshape(-1)


def difference(first: Row, second: Row) -> float:
    """Levels of 255, RMS."""
    return float(np.sqrt(np.mean((first - second) ** 2)))


def alike(first: Row, second: Row) -> float:
    """Correlation of two pictures, -1 to 1; of one tone each they are alike, one alone is like no other."""
    pair = first - first.mean(), second - second.mean()
    one_tone = [float(row.std()) < _ONE_TONE for row in pair]
    if any(one_tone):
        return float(all(one_tone))
    return float(pair[0] @ pair[1]) / float(np.sqrt((pair[0] @ pair[0]) * (pair[1] @ pair[1])))


def is_blank(row: Row) -> bool:
    """Whether a picture is black or white all over; a few letters in it do not count."""
    low, high = (float(value) for value in np.percentile(row, (5, 90)))
    if low > _BRIGHT:
        low, high = (float(value) for value in np.percentile(row, (10, 95)))
    return high - low < _EVEN and not _DARK < (low + high) / 2 < _BRIGHT
