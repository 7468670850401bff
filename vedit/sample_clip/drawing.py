"""Noise, mixing and projection: what the picture's parts are drawn with."""

from __future__ import annotations

import cv2
import numpy as np

Array = np.ndarray

DRAWN = (832, 1280)
"""(height, width) in which the cards are drawn, pixels."""
FOCAL = 1150.0
HORIZON = 350.0
"""Row of the drawing."""
EYE = 5.0
"""Metres of the camera above the lake."""
_TILE = np.random.default_rng(7).random((256, 256), np.float32)


def project(x: float, y: float, z: float) -> tuple[float, float]:
    """A point in metres -> column and row of the drawing."""
    return DRAWN[1] / 2 + FOCAL * x / z, HORIZON + FOCAL * (EYE - y) / z


def noise(x: Array, y: Array) -> Array:
    """Smooth noise in [0, 1] with features one unit wide, repeating after 256."""
    places = np.asarray(x, np.float32), np.asarray(y, np.float32)
    return cv2.remap(_TILE, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)


def fractal(x: Array, y: Array, octaves: int, *, ridged: bool = False, gain: float = 0.5) -> Array:
    """Octaves of noise, each half as wide and `gain` times as high, in about [0, 1]; ridged has sharp crests."""
    x, y = (np.asarray(part, np.float32) for part in np.broadcast_arrays(np.atleast_2d(x), np.atleast_2d(y)))
    total, weight, sum_of_weights, crest = np.zeros(x.shape, np.float32), 1.0, 0.0, 1.0
    for _ in range(octaves):
        # Each octave is turned, or their grids would line up.
        turned = (0.8 * x + 0.6 * y + 17.3, 0.8 * y - 0.6 * x + 9.1)
        value = noise(*turned)
        if ridged:
            value = (1 - abs(2 * value - 1)) ** 2 * crest
            crest = np.clip(value * 1.6, 0, 1)
        total += weight * value
        sum_of_weights += weight
        weight *= gain
        x, y = 2 * turned[0], 2 * turned[1]
    return total / sum_of_weights


def mix(first: Array | list[float], second: Array | list[float], amount: Array) -> Array:
    """From the first colour to the second as the amount goes from 0 to 1."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return first + (second - first) * np.clip(amount, 0, 1)[..., None]


def tone(image: Array) -> Array:
    """Linear light -> display, with highlights that roll off instead of clipping."""
    return (1 - np.exp(-1.55 * np.maximum(image, 0))) ** (1 / 1.35)
