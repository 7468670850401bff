"""Flat parts stay flat: faint lattices and stripes along the grid are taken out where the source shows nothing.

Latents that a denoiser makes of an even surface are not quite even. The decoder turns what is left into a faint lattice
with the period of its cells, and the frame's borders cast stripes along the grid. The mean over the same place in the
cells around, along a row or along a column holds those; strokes and grain do not line up with the grid and average out.
So that mean is taken off, unless it is as strong as a look would draw it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from vedit.flow.planes import as_image
from vedit.threads import each_on_a_thread

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

_FLAT = 3.0 / 255
"""Deviation of the source, over a cell, at which a place counts half as flat."""
_REACH = 2
"""Cells on either side that the mean cell is taken over: of what does not repeat, a 25th is in it."""
_STRIPE = 6
"""Cells over which a stripe along the grid is followed."""
_DRAWN = 3.0 / 255
"""RMS of a pattern at which half of it is taken for drawn."""
_ENOUGH = 0.2
"""Share of a neighbourhood that is flat below which its mean is mostly what the few pixels happen to show."""


def even_out(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor, *, period: int) -> torch.Tensor:
    """The result without the lattice of the autoencoder's cells, where the source is flat.

    Only what the result has more than `seen` is looked at, so a result that equals it comes back as it is. Each frame
    is treated alone.

    Args:
        source: (T, 3, h, w) in [0, 1] at the working size.
        seen: the same as the autoencoder returns it.
        result: what the look has made of it.
        period: pixels of a cell.
    """

    def even(trio: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Array:
        shown, coded, made = map(as_image, trio)
        return _even(shown, coded, made, period)

    frames = each_on_a_thread(even, zip(source, seen, result, strict=True))
    return torch.from_numpy(np.stack(list(frames)).transpose(0, 3, 1, 2).copy()).to(result)


def _even(source: Array, seen: Array, result: Array, period: int) -> Array:
    """One frame of `even_out`, (h, w, 3)."""
    flat = _flat(source, period)
    if not flat.any():
        return result
    change = result - seen
    # A mean over whole cells holds nothing of the lattice, and all that is broader.
    left = change - _over_cells(change, period)
    taken = np.zeros_like(left)
    for mean in (_of_neighbours, _along_rows, _along_columns):
        weighed, count = (mean(image, period) for image in (left * flat[..., None], flat))
        pattern = weighed / np.maximum(count, 1e-3)[..., None]
        strength = _over_cells(np.square(pattern).mean(axis=2), period)
        share = flat * np.clip(count / _ENOUGH - 1, 0, 1) / (1 + (strength / _DRAWN**2) ** 4)
        found = pattern * share[..., None]
        left, taken = left - found, taken + found
    return np.asarray(result - taken, np.float32)


def _flat(source: Array, period: int) -> Array:
    """(h, w) in [0, 1]: 1 where the source is flat for a cell around."""
    side = period | 1
    mean, square = (cv2.blur(image, (side, side)) for image in (source, source * source))
    variance = np.maximum(square - mean * mean, 0).mean(axis=2)
    flat = 1 / (1 + np.square(variance / _FLAT**2))
    # What an edge casts over the next cell is no lattice.
    return np.asarray(cv2.erode(np.where(flat > 0.05, flat, 0), np.ones((side, side), np.uint8)), np.float32)


def _over_cells(image: Array, period: int) -> Array:
    """The mean over a cell, twice, so that it is centred for an even period too."""
    for anchor in (period // 2, (period - 1) // 2):
        image = np.asarray(cv2.blur(image, (period, period), anchor=(anchor, anchor)), np.float32)
    return image


def _along_rows(image: Array, period: int) -> Array:
    """The mean along each row over some cells: what is left are stripes."""
    return np.asarray(cv2.blur(image, (_STRIPE * period + 1, 1), borderType=cv2.BORDER_CONSTANT), np.float32)


def _along_columns(image: Array, period: int) -> Array:
    """The same along each column."""
    return np.asarray(cv2.blur(image, (1, _STRIPE * period + 1), borderType=cv2.BORDER_CONSTANT), np.float32)


def _of_neighbours(image: Array, period: int) -> Array:
    """The mean of the same place in the cells around; beyond the frame there is nothing."""
    for axis in (0, 1):
        total = image.copy()
        for step in range(period, 1 + min(_REACH * period, image.shape[axis] - 1), period):
            ahead = (slice(step, None), slice(None, -step))
            for to, of in (ahead, ahead[::-1]):
                here, there = ((to,), (of,)) if axis == 0 else ((slice(None), to), (slice(None), of))
                total[here] += image[there]
        image = total
    return image / np.float32((2 * _REACH + 1) ** 2)
