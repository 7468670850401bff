"""Texture that belongs to the picture's content: when the photograph moves, its strokes move along.

The fields are made of the picture's own fine structure, so that a warped photograph gives nearly the warped field. Only
where it has none to speak of (open sky, a bare wall) seeded noise takes its place: nothing there shows that it stays.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.styles.base import Picture, Plane, blur, luma, noise, smear, tangent

QUIET = 0.004
"""Local deviation of brightness, [0, 1], below which the picture says too little: somewhat above a camera's noise."""

FRACTION_BITS = 4


def grain(picture: Picture, rng: np.random.Generator, sigma: float) -> Plane:
    """Mottle of a size of about `sigma` pixels, mean 0 and standard deviation 1, drawn anew at each call.

    The sine of a locally normalised band of the picture: the sine parts the field from the picture's light and shadow,
    of which the band alone would be a faint copy.
    """
    weights = np.array([0.4, 0.4, 0.2]) + rng.normal(0, 0.25, 3)
    plane = picture @ (weights / np.abs(weights).sum()).astype(np.float32)
    band = blur(plane, 0.7 * sigma) - blur(plane, 2.4 * sigma)
    spread = np.sqrt(blur(band * band, 3 * sigma))
    own = band / (spread + QUIET)
    seeded = noise(plane.shape, rng, sigma) * (QUIET / (spread + QUIET))
    field = np.sin(2.0 * own + 2.2 * seeded + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    field = field - blur(field, 6 * sigma)
    return field / (field.std() + 1e-6)


def brush_texture(
    picture: Picture, rng: np.random.Generator, *, width: float, length: int, sigma: float = 4.0
) -> Plane:
    """Strokes along the structure of the picture: smeared grain, mean 0 and standard deviation 1."""
    return _contrasted(smear(grain(picture, rng, width), *tangent(luma(picture), sigma), length), width)


def straight_texture(picture: Picture, rng: np.random.Generator, *, degrees: float, width: float, length: int) -> Plane:
    """Strokes in one direction, as a drawing hand makes them; mean 0 and standard deviation 1."""
    angle = np.deg2rad(degrees)
    tx = np.full(picture.shape[:2], np.cos(angle), np.float32)
    ty = np.full(picture.shape[:2], np.sin(angle), np.float32)
    return _contrasted(smear(grain(picture, rng, width), tx, ty, length), width)


def ridges(picture: Picture, rng: np.random.Generator, sigma: float, sharpness: float = 0.25) -> Plane:
    """Winding thin lines, 1 on the line and 0 off it: where the grain changes sign."""
    return np.exp(-((grain(picture, rng, sigma) / sharpness) ** 2)).astype(np.float32)


def peaks(field: Plane, radius: int) -> NDArray[np.float32]:
    """Places (N, 2) as x, y, some `radius` pixels apart, the lowest first: the local maxima of a field.

    Given to a part of a pixel, and ordered by their height, so that where paint lies on paint the same stroke stays on
    top when all of them move.
    """
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    highest = field >= cv2.dilate(field, near)
    highest[[0, -1]] = highest[:, [0, -1]] = False
    ys, xs = np.nonzero(highest)
    order = np.argsort(field[ys, xs], kind="stable")
    ys, xs = ys[order], xs[order]

    def vertex(before: Plane, after: Plane) -> Plane:
        """Of the parabola through three neighbours, relative to the middle one."""
        bend = 2 * field[ys, xs] - before - after
        return np.clip(0.5 * (after - before) / np.maximum(bend, 1e-6), -0.5, 0.5)

    x = xs + vertex(field[ys, xs - 1], field[ys, xs + 1])
    y = ys + vertex(field[ys - 1, xs], field[ys + 1, xs])
    return np.stack([x, y], 1).astype(np.float32)


def at(plane: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values of a (H, W) or (H, W, 3) array at places (N, 2), between pixels as well: (N,) or (N, 3)."""
    found = cv2.remap(plane, places[None, :, 0].copy(), places[None, :, 1].copy(), cv2.INTER_LINEAR)
    return np.asarray(found, np.float32)[0]


def fixed_point(places: NDArray[np.floating]) -> list[list[int]]:
    """Coordinates for OpenCV's drawing with `shift=FRACTION_BITS`: to a sixteenth of a pixel."""
    return np.round(places * 2**FRACTION_BITS).astype(int).tolist()


def _contrasted(field: Plane, width: float) -> Plane:
    field = field - blur(field, 4 * width + 4)
    return field / (field.std() + 1e-6)
