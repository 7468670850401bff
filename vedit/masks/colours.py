"""What an object's colours say of its outline, where they are others than those around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vedit.masks.motion import Window
from vedit.ranges import full_scale

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.masks.source import Plane
    from vedit.types import IntFrames

    Flags = npt.NDArray[np.bool_]
    Histogram = npt.NDArray[np.floating[Any]]

_BINS = 16
"""Of each of the three channels."""
_BAND = 5.0
"""Working pixels from the foretold outline within which colours are heard."""
_TELLING = 0.86
"""Accuracy near the drawn outline, on either side of it, from which colours are believed at all."""
_BLOCK = 6
"""Working pixels of the squares that are learnt from in turn, when the accuracy is taken."""
_LEARNT = 0.05
"""Share of the model that each frame renews: light and surroundings change."""
_FIRM = 4.0
"""Log-odds of the foretold mask at the band's border."""
_RARE = 1e-4
"""Share of a side's pixels that a colour needs to be heard."""


class ColourModel:
    """Histograms of the object and of what is around it, and whether they differ enough to be of use.

    Args:
        frame: that of the mask, integers (3 or 4, H, W).
        mask: (h, w) in the window.
        view: the window.
        bit_depth: of the frames.
    """

    def __init__(self, frame: IntFrames, mask: Plane, view: Window, *, bit_depth: int) -> None:
        self._depth = bit_depth
        bins = self._bins(frame, view)
        distance = _distance(mask > 0.5)
        y, x = np.indices(view.shape) // _BLOCK
        learnt = (x + y) % 2 == 0
        right: list[float] = []
        # What is learnt from some blocks of pixels has to tell the others apart: there are more bins than pixels.
        for part in (learnt, ~learnt):
            self._inside = _histogram(bins[part & (distance > 0)])
            self._outside = _histogram(bins[part & (distance < 0)])
            says = self._odds(bins, frame, view) > 0
            for side in (True, False):
                asked = ~part & (np.abs(distance) < 2 * _BAND) & ((distance > 0) == side)
                right.append(float((says == side)[asked].mean()) if asked.any() else 0.0)
        self.telling = min(right) > _TELLING
        self._inside = _histogram(bins[distance > 0])
        self._outside = _histogram(bins[distance < 0])

    def snapped(self, foretold: Flags, frame: IntFrames, view: Window) -> Flags:
        """The mask with its outline moved to where the colours change, by a few pixels at most."""
        if not foretold.any():
            return foretold
        distance = _distance(foretold)
        bins = self._bins(frame, view)
        odds = self._odds(bins, frame, view) + _FIRM * distance / _BAND
        found = np.where(np.abs(distance) < _BAND, odds > 0, foretold)
        # Specks and pinholes are noise of the colours, not parts of the outline.
        clean = cv2.medianBlur(found.astype(np.uint8), 5) > 0
        found = np.where(np.abs(distance) < _BAND, clean, foretold)
        distance = _distance(found)
        for model, side in ((self._inside, distance > _BAND), (self._outside, distance < -_BAND)):
            if side.any():
                fresh = _histogram(bins[side])
                model *= 1 - _LEARNT
                model += fresh * (_LEARNT * model.sum() / max(float(fresh.sum()), 1.0))
        return found

    def _odds(self, bins: npt.NDArray[np.intp], frame: IntFrames, view: Window) -> Plane:
        """Log-odds that a pixel is the object's, smoothed but not across edges of the picture."""
        # The same for both: a colour that neither has shown says nothing.
        inside = self._inside[bins] / max(float(self._inside.sum()), 1.0) + _RARE
        outside = self._outside[bins] / max(float(self._outside.sum()), 1.0) + _RARE
        odds = np.clip(np.log(inside) - np.log(outside), -3, 3).astype(np.float32)
        luma = view.cut(frame[1].astype(np.float32) / np.float32(full_scale(self._depth)))
        return guided(odds, luma)

    def _bins(self, frame: IntFrames, view: Window) -> npt.NDArray[np.intp]:
        """The bin of every pixel of the window: (h, w)."""
        scale = np.float32(_BINS / (full_scale(self._depth) + 1))
        found = np.zeros(view.shape, np.intp)
        for channel in range(3):
            level = np.clip(view.cut(frame[channel].astype(np.float32)) * scale, 0, _BINS - 1).astype(np.intp)
            found = found * _BINS + level
        return found


def guided(values: Plane, guide: Plane, *, radius: int = 3, smooth: float = 1e-3) -> Plane:
    """The guided filter (He et al., "Guided Image Filtering", 2013): smooth, but with the edges of the guide."""
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(np.asarray(plane, np.float32), side), np.float32)

    about, level = mean(guide), mean(values)
    slope = (mean(guide * values) - about * level) / (mean(guide * guide) - about * about + np.float32(smooth))
    return mean(slope) * guide + mean(level - slope * about)


def _distance(mask: Flags) -> Plane:
    """Signed, in pixels, positive inside."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, 1e3 if mask.any() else -1e3, np.float32)
    inside = mask.astype(np.uint8)
    to_out = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    to_in = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.where(mask, to_out - 0.5, 0.5 - to_in)


def _histogram(bins: npt.NDArray[np.intp]) -> Histogram:
    """Counts by colour, spread a little to the neighbouring ones."""
    counts = np.bincount(bins.reshape(-1), minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(np.float32)
    for axis in range(3):
        wide = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        lower, upper = np.split(wide, [2], axis)[1], np.split(wide, [_BINS], axis)[0]
        counts = (lower + upper + 2 * counts) / 4
    return counts.reshape(-1)
