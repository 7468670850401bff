"""Textured shapes that move over a textured background that moves another way, with their true masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Picture = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.floating[Any]]

_FINE = 4
"""Sub-pixels along each side of a pixel of the true mask."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Of a frame: turn and zoom about the shape's middle, then a shift."""

    x: float = 0.0
    y: float = 0.0
    degrees: float = 0.0
    zoom: float = 1.0

    def matrix(self, middle: tuple[float, float]) -> npt.NDArray[np.float64]:
        """(2, 3): from places in the first frame to places in this one."""
        found = cv2.getRotationMatrix2D(middle, self.degrees, self.zoom)
        found[:, 2] += (self.x, self.y)
        return np.asarray(found, np.float64)


def texture(height: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    """(H, W, 3) in 0..255 of detail at several scales."""
    generator = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cell, amount in ((4, 40), (10, 40), (32, 45)):
        small = generator.normal(size=(height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        out += amount * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(out + 128, 0, 255)


def ellipse(height: int, width: int, radii: tuple[float, float]) -> Mask:
    """An ellipse in the middle, anti-aliased."""
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    cv2.ellipse(
        fine,
        (width * _FINE // 2, height * _FINE // 2),
        (round(radii[0] * _FINE), round(radii[1] * _FINE)),
        0,
        0,
        360,
        255,
        -1,
    )
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.float32) / 255


def star(height: int, width: int, radius: float) -> Mask:
    """A five-pointed star in the middle, anti-aliased: corners and notches."""
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    angles = np.arange(10) * np.pi / 5
    lengths = np.where(np.arange(10) % 2, 0.5, 1.0) * radius
    points = np.stack([np.sin(angles) * lengths + width / 2, -np.cos(angles) * lengths + height / 2], -1) * _FINE
    cv2.fillPoly(fine, [points.round().astype(np.int32)], 255)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.float32) / 255


def clip(
    mask: Mask,
    motion: Callable[[int], Motion],
    *,
    count: int = 49,
    pan: tuple[float, float] = (1.0, -0.5),
    seed: int = 0,
    light: Callable[[int], float] = lambda _: 1.0,
    noise: float = 1.0,
) -> Iterator[tuple[Picture, Mask]]:
    """Frames (3, H, W) with the true mask (H, W) of each; the background moves by `pan` pixels a frame."""
    height, width = mask.shape
    margin = 96
    front = texture(height, width, seed + 1)
    back = texture(height + 2 * margin, width + 2 * margin, seed + 2)
    generator = np.random.default_rng(seed + 3)
    for t in range(count):
        matrix = motion(t).matrix((width / 2, height / 2))
        shape = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)
        paint = cv2.warpAffine(front, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        shift = np.array([[1, 0, pan[0] * t - margin], [0, 1, pan[1] * t - margin]], np.float64)
        ground = cv2.warpAffine(back, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        frame = (ground * (1 - shape[..., None]) + paint * shape[..., None]) * light(t)
        frame = frame + generator.normal(scale=noise, size=frame.shape)
        yield np.clip(frame, 0, 255).round().astype(np.uint8).transpose(2, 0, 1), np.asarray(shape, np.float32)


def overlap(found: Mask, true: Mask) -> float:
    """Intersection over union at one half."""
    first, second = found >= 0.5, true >= 0.5
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0
