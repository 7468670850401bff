"""The cottage by the lake, built of textured quadrangles in perspective."""

from __future__ import annotations

import cv2
import numpy as np

from vedit.sample_clip.drawing import fractal, noise, project

Array = np.ndarray


def build_cottage(canvas: Array) -> None:
    """A cottage of textured quadrangles: two walls, a gable, a roof, a chimney."""
    turn, (cx, cz), y0 = 0.52, (-6.4, 25.0), 0.55
    cos, sin = np.cos(turn), np.sin(turn)

    def corner(u: float, y: float, v: float) -> tuple[float, float]:
        return project(cx + u * cos + v * sin, y0 + y, cz - u * sin + v * cos)

    def quad(texture: Array, *corners: tuple[float, float, float], covered: Array | None = None) -> None:
        height, width = texture.shape[:2]
        covered = np.ones((height, width), np.float32) if covered is None else covered
        source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        matrix = cv2.getPerspectiveTransform(source, np.array([corner(*c) for c in corners], np.float32))
        layer = np.dstack([texture * covered[..., None], covered]).astype(np.float32)
        warped = cv2.warpPerspective(layer, matrix, (canvas.shape[1], canvas.shape[0]), flags=cv2.INTER_AREA)
        canvas[:] = warped + canvas * (1 - warped[..., 3:])

    lit, dark = np.array([1.0, 0.93, 0.80], np.float32), np.array([0.52, 0.56, 0.66], np.float32)
    left, right, front, back, eaves, ridge = -2.6, 2.6, -1.9, 1.9, 2.5, 4.5
    quad(_wall(1, 340) * dark, (right, eaves, front), (right, eaves, back), (right, 0, back), (right, 0, front))
    triangle = cv2.fillPoly(np.zeros((220, 340), np.float32), [np.array([(170, 0), (340, 220), (0, 220)])], (1.0,))
    edges = (right, ridge, front), (right, ridge, back), (right, eaves, back), (right, eaves, front)
    quad(_wall(0, 340) * dark, *edges, covered=triangle)
    quad(_wall(3, 470) * lit, (left, eaves, front), (right, eaves, front), (right, 0, front), (left, 0, front))
    quad(_brick(), (0.9, 5.3, 0.5), (1.5, 5.3, 0.5), (1.5, 3.6, 0.5), (0.9, 3.6, 0.5))
    out = 0.35
    quad(
        _roof(),
        (left - out, ridge, 0),
        (right + out, ridge, 0),
        (right + out, 2.2, front - out),
        (left - out, 2.2, front - out),
    )


def _wall(openings: int, width: int) -> Array:
    """Limewashed planks with windows and, in the wide wall, a door."""
    y, x = np.mgrid[0:220, 0:width].astype(np.float32)
    wall = np.asarray([0.90, 0.87, 0.80], np.float32) * (0.84 + 0.22 * fractal(x / 18, y / 60, 4))[..., None]
    wall[:, ::12] *= 0.88
    wall[195 if openings else 220 :] *= np.array([0.62, 0.60, 0.58], np.float32)
    if openings:
        wall[:14] *= 0.6  # the eaves' shadow
    for number in range(openings):
        left = round((number + 0.5) / openings * width)
        door = openings == 3 and number == 1
        top, bottom, half = (66, 200, 24) if door else (70, 138, 27)
        cv2.rectangle(wall, (left - half - 5, top - 5), (left + half + 5, bottom + 5), (0.97, 0.95, 0.90), -1)
        inside = (0.36, 0.22, 0.14) if door else (0.16, 0.21, 0.27)
        cv2.rectangle(wall, (left - half, top), (left + half, bottom), inside, -1)
        if not door:
            cv2.rectangle(wall, (left - half, top), (left + half, top + 20), (0.42, 0.50, 0.58), -1)
            cv2.line(wall, (left, top), (left, bottom), (0.95, 0.93, 0.88), 4)
            cv2.line(wall, (left - half, 100), (left + half, 100), (0.95, 0.93, 0.88), 4)
    return wall


def _roof() -> Array:
    y, x = np.mgrid[0:200, 0:560].astype(np.float32)
    tiles = np.asarray([0.66, 0.29, 0.20], np.float32) * (0.66 + 0.5 * noise(x / 11, np.floor(y / 10) * 3.7))[..., None]
    tiles *= (0.80 + 0.25 * ((y % 10) / 10))[..., None]
    return tiles * (0.85 + 0.3 * fractal(x / 60, y / 40, 3))[..., None]


def _brick() -> Array:
    y, x = np.mgrid[0:90, 0:40].astype(np.float32)
    return np.asarray([0.55, 0.36, 0.28], np.float32) * (0.6 + 0.5 * noise(x / 9, np.floor(y / 6) * 2.3))[..., None]
