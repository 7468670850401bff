"""Painted media: watercolor, oil, impressionism, pastel, pointillism, poster."""

import cv2
import numpy as np

from trainer.styles.base import (
    Picture,
    brush_texture,
    clip,
    colour,
    contrast,
    flatten,
    gradient,
    kuwahara,
    luma,
    mix,
    noise,
    outlines,
    quantise,
    quantise_tone,
    saturate,
    sheet,
    smoothstep,
    straight_texture,
    tangent,
)


def watercolor(picture: Picture, rng: np.random.Generator) -> Picture:
    """Pale flat washes, pigment gathered at their edges, white paper grain."""
    wash = saturate(quantise_tone(flatten(picture, 4, 2), 6, 0.4), 1.7)
    wash = 1 - (1 - wash) * 0.74
    _, _, edge = gradient(luma(wash), 1.2)
    pigment = 1 + 9.0 * edge + 0.09 * noise(picture.shape, rng, 5) + 0.05 * noise(picture.shape, rng, 1.6)
    density = -np.log(np.clip(wash, 0.03, 1))
    painted = np.exp(-density * np.clip(pigment, 0.3, 3)[..., None])
    paper = smoothstep(luma(wash), 0.80, 0.98)
    return clip(mix(painted, colour(252, 250, 243), paper * 0.85))


def oil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Thick strokes along the structure, lit from the upper left."""
    base = saturate(kuwahara(kuwahara(picture, 5), 4), 1.35)
    height = brush_texture(luma(base), rng, width=1.5, length=14)
    relief = height - np.roll(height, (2, 2), (0, 1))
    return clip(base * (1 + 0.10 * height[..., None]) + 0.055 * relief[..., None])


def impressionism(picture: Picture, rng: np.random.Generator) -> Picture:
    """Separate short strokes of broken colour."""
    base = saturate(kuwahara(picture, 3), 1.6)
    tx, ty = tangent(luma(picture), 5)
    canvas = (base * 0.8).copy()
    height, width = canvas.shape[:2]
    ys, xs = np.mgrid[0:height:5, 0:width:5]
    points = np.stack([xs.ravel(), ys.ravel()], 1) + rng.integers(-2, 3, (xs.size, 2))
    points = np.clip(points, 0, [width - 1, height - 1])[rng.permutation(xs.size)]
    tints = base[points[:, 1], points[:, 0]] + rng.normal(0, 0.075, (len(points), 3)).astype(np.float32)
    for (x, y), tint in zip(points.tolist(), clip(tints).tolist(), strict=True):
        dx, dy = 6 * float(tx[y, x]), 6 * float(ty[y, x])
        ends = (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy))
        cv2.line(canvas, *ends, tint, 4, cv2.LINE_AA)
    return clip(canvas)


def pastel(picture: Picture, rng: np.random.Generator) -> Picture:
    """Chalk dragged over rough tan paper, which shows through."""
    base = 1 - (1 - saturate(flatten(picture, 3, 1), 1.3)) * 0.8
    grain = straight_texture(picture.shape, rng, degrees=-40, width=1.4, length=9)
    cover = 0.45 + 0.55 * smoothstep(grain, -1.6, 0.4)
    return clip(mix(sheet(base, 196, 170, 138), base, cover))


def pointillism(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dots of pure colour on cream canvas."""
    base = saturate(flatten(picture, 3, 1), 1.7)
    canvas = sheet(base, 238, 228, 205)
    height, width = canvas.shape[:2]
    count = height * width // 18
    xs, ys = rng.integers(0, width, count), rng.integers(0, height, count)
    tints = clip(base[ys, xs] + rng.normal(0, 0.11, (count, 3)).astype(np.float32))
    for x, y, tint in zip(xs.tolist(), ys.tolist(), tints.tolist(), strict=True):
        cv2.circle(canvas, (x, y), 3, tint, -1, cv2.LINE_AA)
    return clip(canvas)


def poster(picture: Picture, rng: np.random.Generator) -> Picture:
    """A few flat inks with clean borders, no outlines."""
    flat = flatten(contrast(picture, 1.25), 5, 2)
    plane = luma(flat)
    tone = quantise(plane, 4, 0.12)
    hue = saturate(flat, 2.0) / (luma(saturate(flat, 2.0))[..., None] + 0.05)
    inks = quantise(clip(hue * 0.45), 4, 0.15) / 0.45
    return clip(mix(colour(40, 30, 60), colour(255, 240, 205), tone) * np.clip(inks, 0.35, 1.6))


def anime(picture: Picture, rng: np.random.Generator) -> Picture:
    """Clean cells in bright colours with thin coloured outlines."""
    flat = flatten(picture, 5, 3)
    plane = luma(flat)
    shade = quantise(plane, 5, 0.15)
    cell = saturate(flat * ((shade + 0.06) / (plane + 0.06))[..., None], 1.45)
    cell = 1 - (1 - clip(cell)) ** 1.35
    line = outlines(luma(picture), sigma=1.0, gain=18, threshold=0.012)
    return clip(cell * (1 - 0.75 * line[..., None]))
