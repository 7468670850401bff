"""Boxes, still or moving, with edges at fractions of a pixel."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.masks.source import MatteSource, Plane
    from vedit.options.masks import KeyedBox
    from vedit.types import FrameRange


class BoxLayer:
    """Boxes without a moment stay; those with moments are keyframes of one box that moves evenly between them.

    Before its first keyframe the box stays where that puts it, and behind the last one likewise. Between two it is
    interpolated linearly in time, not in frames, so a variable frame rate moves it evenly too.

    Args:
        boxes: at least one.
        source: the clip.

    Raises:
        InputError: a moment is outside the clip, or two keyframes are at one frame.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, boxes: Sequence[KeyedBox], source: MatteSource) -> None:
        height, width = source.size
        self._source = source
        self._still = [box.pixels(width, height) for box in boxes if box.at is None]
        keyed = sorted((source.frame_at(box.at), box.pixels(width, height)) for box in boxes if box.at is not None)
        self._frames = [frame for frame, _ in keyed]
        self._keys = np.array([corners(box) for _, box in keyed], np.float64)
        twice = next((a for a, b in zip(self._frames, self._frames[1:], strict=False) if a == b), None)
        if twice is not None:
            raise InputError(f"two boxes are keyed at frame #{twice}", remedy="give each keyframe its own moment")

    def __call__(self, frames: FrameRange) -> Plane:
        out = np.zeros((len(frames), *self._source.size), np.float32)
        for number, plane in enumerate(out, frames.start):
            for box in self._still:
                np.maximum(plane, covered(corners(box), self._source.size), out=plane)
            if self._frames:
                np.maximum(plane, covered(self._moved(number), self._source.size), out=plane)
        return out

    def close(self) -> None:
        """Nothing is open."""

    def _moved(self, frame: int) -> tuple[float, float, float, float]:
        """The corners of the moving box at a frame."""
        after = bisect_right(self._frames, frame)
        if after in (0, len(self._frames)):
            found = self._keys[max(0, after - 1)]
        else:
            start, stop = self._frames[after - 1], self._frames[after]
            pts = self._source.index.pts
            part = (pts[frame] - pts[start]) / (pts[stop] - pts[start])
            found = self._keys[after - 1] * (1 - part) + self._keys[after] * part
        left, top, right, bottom = map(float, found)
        return left, top, right, bottom


def corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Left, top, width, height -> left, top, right, bottom."""
    left, top, width, height = box
    return left, top, left + width, top + height


def covered(edges: tuple[float, float, float, float], size: tuple[int, int]) -> Plane:
    """The share of each pixel that lies in a box: (H, W); pixel (x, y) spans x..x+1, y..y+1.

    Args:
        edges: left, top, right, bottom, pixels from the picture's top left corner.
        size: (height, width).
    """
    left, top, right, bottom = edges
    across = _shares(left, right, size[1])
    down = _shares(top, bottom, size[0])
    return down[:, None] * across[None, :]


def _shares(begin: float, end: float, count: int) -> Plane:
    """The share of each unit cell 0..1, 1..2, ... that lies between two places."""
    cells = np.arange(count, dtype=np.float64)
    return np.clip(np.minimum(end, cells + 1) - np.maximum(begin, cells), 0, 1).astype(np.float32)
