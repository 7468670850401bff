"""Numbers that tell looks apart: what became of the source's brightness, colours and fine detail in a picture.

Chosen by hand, and by what tells the looks of the embedded model apart on photographs that were left out. A change of
any of them asks for the statistics to be made again: `examples/bench_embedded/look_statistics.py`. Whether fine detail
is the source's own is left out: that is structure, and a frozen result would be the better for losing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from vedit.evaluation.motion import Marks
    from vedit.evaluation.picture import Plane

SIDE = 256
"""Pixels of the shorter side at which looks are told apart, that of the photographs behind the statistics."""
COUNT = 67
_SIGMAS = (1.0, 2.0, 4.0)
_LEVELS = (0.02, 0.1, 0.5, 0.9, 0.98)
_CHROMAS = (0.1, 0.5, 0.9, 0.99)
_LAGS = (2, 3, 4, 6, 8)
_FLOOR = 0.2
"""Of L*, a*, b*: what is added to a deviation before its logarithm is taken."""


def look_features(source: Plane, result: Plane) -> np.ndarray:
    """(67,): of two frames (h, w, 3) RGB in [0, 1], with a shorter side of `SIDE`."""
    before, after = _lab(source), _lab(result)
    fine, *colour = (_bands(after[..., channel]) for channel in range(3))
    return np.array(
        [
            *_colours(before, after),
            *_detail(_bands(before[..., 0]), fine, colour),
            *_outlines(after[..., 0]),
            *_repetition(fine[0] + fine[1]),
        ],
        np.float64,
    )


def to_side(rgb: Plane) -> Plane:
    """A frame (h, w, 3) with its shorter side at `SIDE`, areas averaged on the way down."""
    height, width = rgb.shape[:2]
    scale = SIDE / min(height, width)
    if scale == 1:
        return rgb
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (round(width * scale), round(height * scale))
    return np.clip(np.asarray(cv2.resize(rgb, size, interpolation=way), np.float32), 0, 1)


def _colours(before: Plane, after: Plane) -> list[float]:
    """The result's colour in each fifth of the source's brightness, its spread, and how it follows the source's."""
    light, pixels = before[..., 0].ravel(), after.reshape(-1, 3)
    fifth = np.digitize(light, np.quantile(light, [0.2, 0.4, 0.6, 0.8]))
    found: list[float] = []
    for number in range(5):
        chosen = pixels[fifth == number]
        found += [float(value) for value in (chosen if len(chosen) else pixels).mean(axis=0)]
    found += [float(value) for value in pixels.std(axis=0)]
    found += [float(value) for value in np.quantile(pixels[:, 0], _LEVELS)]
    found += [float(value) for value in np.quantile(np.hypot(pixels[:, 1], pixels[:, 2]), _CHROMAS)]
    for channel, least in ((1, 1.0), (2, 1.0), (0, 1 / len(light))):
        given, made = before[..., channel].ravel(), pixels[:, channel]
        given = given - given.mean()
        slope = (given * (made - made.mean())).sum() / ((given * given).sum() + least * len(given))
        found.append(float(slope))
    found.append(float(np.corrcoef(light, pixels[:, 0])[0, 1]) if pixels[:, 0].std() > 0.1 < light.std() else 0.0)
    return found


def _detail(before: list[Plane], after: list[Plane], colour: list[list[Plane]]) -> list[float]:
    """Bands of detail: their strength in the flat and the busy half of the source, their colour and shape."""
    busy = np.asarray(cv2.GaussianBlur(before[0] ** 2 + before[1] ** 2, (0, 0), 4), np.float32)
    flat = busy < np.median(busy)
    found: list[float] = []
    for number, (given, made) in enumerate(zip(before, after, strict=True)):
        for part in (flat, ~flat):
            strength = _rms(made, part)
            found += [float(np.log(strength)), float(np.log(strength / _rms(given, part)))]
        tint = np.sqrt(sum((plane[number] ** 2).mean() for plane in colour))
        found.append(float(np.log(tint + _FLOOR)))
        shape = made / (made.std() + _FLOOR)
        found += [float(np.tanh((shape**3).mean() / 2)), float(np.log((shape**4).mean() + 1))]
    return found


def _outlines(light: Plane) -> list[float]:
    """The direction of gradients, and how many places have next to none."""
    across, down = (np.asarray(cv2.Sobel(light, cv2.CV_32F, *order), np.float32) for order in ((1, 0), (0, 1)))
    energy = across * across + down * down + 1e-6
    turned = 2 * np.arctan2(down, across)
    ways = (np.cos(turned), np.sin(turned), np.cos(2 * turned))
    return [
        *(float((energy * way).sum() / energy.sum()) for way in ways),
        *(float((energy < least).mean()) for least in (4, 0.1)),
    ]


def _repetition(fine: Plane) -> list[float]:
    """Correlation of fine detail with itself some pixels on, along rows and columns: dots, tiles, stitches."""
    power = (fine * fine).mean() + 0.05
    found: list[float] = []
    for lag in _LAGS:
        found.append(float((fine[:, lag:] * fine[:, :-lag]).mean() / power))
        found.append(float((fine[lag:] * fine[:-lag]).mean() / power))
    return found


def _lab(rgb: Plane) -> Plane:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb, dtype=np.float32), cv2.COLOR_RGB2Lab), np.float32)


def _bands(plane: Plane) -> list[Plane]:
    """Differences of a plane and Gaussians of it, finest first."""
    found: list[Plane] = []
    current = plane
    for sigma in _SIGMAS:
        low = np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
        found.append(current - low)
        current = low
    return found


def _rms(plane: Plane, part: Marks) -> float:
    return float(np.sqrt((plane[part] ** 2).mean())) + _FLOOR if part.any() else _FLOOR
