"""Motion of one object in a window of the frame: measured by flow, and carried from where it is sure to where not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from vedit.masks.source import Plane

    Field = npt.NDArray[np.floating[Any]]
    """Float32 (h, w, 2): x then y, pixels of the frame."""

LEAST = 12.0
"""Pixels of trusted motion below which it is not fitted."""
_RIM = 6.0
"""Working pixels from the outline within which flow is not believed."""
_REACH = 7.0
"""Standard deviation, working pixels, of what a pixel without a motion of its own takes from its surroundings."""
_SMALLEST = 64
"""DIS fails on pyramids of tiny pictures."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of the frame at a working size; places are always pixels of the frame."""

    left: int
    top: int
    right: int
    bottom: int
    wanted: float
    """Working pixels per pixel of the frame; `scale` is what whole pixels make of it."""

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the working size."""
        return (
            max(8, round((self.bottom - self.top) * self.wanted)),
            max(8, round((self.right - self.left) * self.wanted)),
        )

    @cached_property
    def scale(self) -> npt.NDArray[np.floating[Any]]:
        """Working pixels per pixel of the frame, x then y."""
        height, width = self.shape
        return np.array([width / (self.right - self.left), height / (self.bottom - self.top)], np.float32)

    @cached_property
    def grid(self) -> Field:
        """The place in the frame of each working pixel's centre."""
        height, width = self.shape
        x = (np.arange(width, dtype=np.float32) + 0.5) / self.scale[0] - 0.5 + self.left
        y = (np.arange(height, dtype=np.float32) + 0.5) / self.scale[1] - 0.5 + self.top
        return np.stack(np.meshgrid(x, y), -1).astype(np.float32)

    def cut(self, plane: Plane) -> Plane:
        """The part of a plane (H, W) that the window shows, at the working size."""
        part = plane[self.top : self.bottom, self.left : self.right]
        shrinks = self.shape[0] <= part.shape[0] and self.shape[1] <= part.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, self.shape[::-1], interpolation=method), np.float32)

    def look(self, values: npt.NDArray[np.floating[Any]], places: Field) -> npt.NDArray[np.floating[Any]]:
        """Values of this window, (h, w) or (h, w, 2), at places in the frame; outside, its edge goes on."""
        at = (places - np.array([self.left, self.top], np.float32) + np.float32(0.5)) * self.scale - np.float32(0.5)
        found = cv2.remap(values, at, _NONE, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)


_NONE = cast("cv2.typing.MatLike", None)


def flow(first: Plane, second: Plane) -> Field:
    """Motion from each pixel of the first picture (0..255) to its place in the second, working pixels.

    DIS at its medium preset, down to full size (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016).
    """
    height, width = first.shape
    pad = (0, max(0, _SMALLEST - height), 0, max(0, _SMALLEST - width))
    grey = [
        cv2.copyMakeBorder(np.clip(image, 0, 255).round().astype(np.uint8), *pad, cv2.BORDER_REPLICATE)
        for image in (first, second)
    ]
    # A new start each time: the result must not depend on what came before.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dis.calc(grey[0], grey[1], _NONE)[:height, :width], np.float32)


def local(values: Plane) -> Plane:
    """Means over 7 x 7 pixels."""
    return np.asarray(cv2.blur(values, (7, 7)), np.float32)


def closes(back: Field, there: Field, scale: npt.NDArray[np.floating[Any]]) -> Plane:
    """1 where the way back and there again ends where it began, falling to 0 a working pixel and a half off."""
    gap = np.sqrt(np.square((back + there) * scale).sum(-1))
    return np.clip(np.float32(1.5) - gap, 0, 1)


def inner(mask: Plane) -> Plane:
    """How far inside a mask a pixel lies: 0 at its edge, 1 from `_RIM` pixels on, or in the middle of a thin one.

    The window's edge is no edge of the object.
    """
    inside = (mask > 0.5).astype(np.uint8)
    if not inside.any():
        return np.zeros(mask.shape, np.float32)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    rim = min(_RIM, max(1.0, 0.7 * float(distance.max())))
    return np.square(np.clip(distance / np.float32(rim), 0, 1)).astype(np.float32)


def normalised(
    field: npt.NDArray[np.floating[Any]], trust: Plane, prior: float, *, sigma: float = _REACH, own: bool = True
) -> npt.NDArray[np.floating[Any]]:
    """Normalised convolution (Knutsson and Westin, 1993): values carried from where they are trusted to all around.

    Args:
        field: (h, w, C).
        trust: (h, w) in [0, 1].
        prior: trust in 0 everywhere.
        sigma: of the Gaussian, pixels.
        own: a trusted pixel keeps its own value, by as much as it is trusted.
    """
    height, width = trust.shape
    # A wide Gaussian is no different at a quarter of the size, and sixteen times as quick.
    size = (max(2, width // 4), max(2, height // 4))
    weight = cv2.resize(trust, size, interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(weight, (0, 0), sigma / 4)
    out = np.empty_like(field)
    for channel in range(field.shape[2]):
        held = cv2.resize(field[..., channel] * trust, size, interpolation=cv2.INTER_AREA)
        carried = cv2.GaussianBlur(held, (0, 0), sigma / 4) / (near + np.float32(prior))
        smooth = cv2.resize(carried, (width, height), interpolation=cv2.INTER_LINEAR)
        out[..., channel] = field[..., channel] * trust + smooth * (1 - trust) if own else smooth
    return out


def spread(field: Field, trust: Plane, view: Window) -> Field:
    """A motion known where it is trusted, carried to everywhere: an affine motion and what it leaves over."""
    even = affine(field, trust, view.grid)
    return even + normalised(field - even, trust, 1e-3)


def affine(field: Field, trust: Plane, grid: Field) -> Field:
    """The affine motion that fits a field best where it is trusted, by least squares made robust in three rounds.

    It is no motion where next to nothing is trusted.
    """
    rows, columns = np.nonzero(trust > 0.02)
    if float(trust.sum()) < LEAST:
        return np.zeros_like(field)
    stride = max(1, len(rows) // 4000)
    rows, columns = rows[::stride], columns[::stride]
    places = grid[rows, columns].astype(np.float64)
    values, weight = field[rows, columns].astype(np.float64), trust[rows, columns].astype(np.float64)
    middle, extent = places.mean(0), max(float(places.std(0).max()), 1.0)
    basis = np.concatenate([np.ones((len(rows), 1)), (places - middle) / extent], 1)
    kept = weight
    found = np.zeros((3, 2))
    for _ in range(3):
        weighted = basis * kept[:, None]
        lhs = weighted.T @ basis
        # Enough to solve for a line of pixels too, too little to be seen elsewhere.
        found = np.linalg.solve(lhs + 1e-6 * np.trace(lhs) * np.eye(3), weighted.T @ values)
        error = np.sqrt(np.square(values - basis @ found).sum(-1))
        kept = weight / (1 + np.square(error / max(1.5 * float(np.median(error)), 0.05)))
    x, y = (grid[..., 0] - middle[0]) / extent, (grid[..., 1] - middle[1]) / extent
    return np.stack([found[0, c] + found[1, c] * x + found[2, c] * y for c in (0, 1)], -1).astype(np.float32)
