"""Trees for the sample clip, drawn branch by branch onto a canvas with coverage."""

from __future__ import annotations

import cv2
import numpy as np

Array = np.ndarray


def draw_conifer(
    canvas: Array,
    column: float,
    row: float,
    size: float,
    seed: int,
    *,
    haze: tuple[Array, float] = (np.zeros(3, np.float32), 0.0),
) -> None:
    """A spruce with its foot at (column, row), `size` pixels high, lit from the left; changes the canvas in place.

    Args:
        canvas: (H, W, 4) in [0, 1], colour times coverage, then coverage.
        column: pixels.
        row: pixels.
        size: pixels.
        seed: another tree for each.
        haze: a colour, and how much of it lies before the tree.
    """
    generator = np.random.default_rng(seed)
    strokes = int(np.clip(size * 2.5, 20, 1400))
    position = np.linspace(0.06, 1.0, strokes)
    side, dip, shade = generator.uniform(-1, 1, (3, strokes))
    reach = 0.23 * size * (1 - position) ** 0.85 + 0.012 * size
    light = np.clip(0.50 - 0.45 * side + 0.28 * shade, 0.03, 1) * (0.65 + 0.35 * position)
    colour = np.array([0.08, 0.12, 0.09]) + light[:, None] * generator.uniform(0.85, 1.15) * np.array(
        [0.27, 0.30, 0.10]
    )
    colour = colour + (haze[0] - colour) * haze[1]
    start = np.stack([column + side * reach * 0.15, row - position * size], axis=1)
    end = start + np.stack([side * reach * 0.85, abs(side) * reach * 0.42 + (dip + 1) * 0.012 * size], axis=1)
    if size > 40:
        draw_stroke(canvas, (column, row), (column, row - 0.3 * size), np.array([0.20, 0.14, 0.10]), size / 40)
    # From the bottom up: higher branches hide lower ones.
    for number in range(strokes):
        draw_stroke(canvas, tuple(start[number]), tuple(end[number]), colour[number], size / 90)


def draw_broadleaf(canvas: Array, column: float, row: float, size: float, seed: int) -> None:
    """An oak or the like, as `draw_conifer`: a forked trunk, and leaves in lit clumps."""
    generator = np.random.default_rng(seed)
    clumps: list[tuple[float, float, float]] = []

    def grow(x: float, y: float, angle: float, length: float, width: float) -> None:
        end = (x + np.sin(angle) * length, y - np.cos(angle) * length)
        for part in range(max(1, int(width))):  # bark: the left side in the light
            across = (part + 0.5) / max(1, int(width)) - 0.5
            shade = 0.30 - 0.26 * across + generator.uniform(-0.05, 0.05)
            shift = across * width
            draw_stroke(canvas, (x + shift, y), (end[0] + shift * 0.72, end[1]), shade * np.array([1, 0.8, 0.62]), 1.6)
        if length < 0.10 * size:
            clumps.append((*end, length * generator.uniform(1.0, 1.7)))
            return
        for side in (-1, 1):
            turned = np.clip(0.88 * angle + side * generator.uniform(0.28, 0.62), -1.25, 1.25)
            grow(*end, turned, length * generator.uniform(0.68, 0.82), width * 0.66)
        if generator.random() < 0.6:
            clumps.append((*end, length * 0.9))

    grow(column, row, 0.05, 0.27 * size, 0.055 * size)
    clumps = [clump for clump in clumps if clump[1] < row - 0.36 * size]
    clumps.sort(key=lambda clump: clump[1] + generator.uniform(-0.1, 0.1) * size)
    for depth in (0.45, 1.0):  # the leaves at the back lie in the shade
        for x, y, radius in clumps:
            count = 420
            angle, out = generator.uniform(0, 2 * np.pi, count), np.sqrt(generator.random(count))
            dx, dy = np.cos(angle) * out * 1.2, np.sin(angle) * out * 0.85
            light = depth * np.clip(0.5 - 0.36 * dx - 0.40 * dy + generator.uniform(-0.2, 0.2, count), 0, 1)
            colour = np.array([0.08, 0.12, 0.04]) + light[:, None] * np.array([0.46, 0.44, 0.10])
            start = np.stack([x + dx * radius, y + dy * radius], axis=1)
            turn = generator.uniform(0, np.pi, count)
            length = 0.0045 * size * generator.uniform(0.6, 1.3, count)
            end = start + np.stack([np.cos(turn) * length, np.sin(turn) * length], axis=1)
            for number in range(count):
                draw_stroke(canvas, tuple(start[number]), tuple(end[number]), colour[number], 0.003 * size)


def draw_stroke(
    canvas: Array,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: Array,
    width: float,
) -> None:
    """An opaque line of `width` pixels, its ends placed to an eighth of a pixel."""
    first = (round(start[0] * 8), round(start[1] * 8))
    last = (round(end[0] * 8), round(end[1] * 8))
    cv2.line(canvas, first, last, (*colour.tolist(), 1.0), max(1, round(width)), cv2.LINE_8, 3)
