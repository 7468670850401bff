"""Painted media: watercolor, gouache, oil, impressionism, pastel, pointillism, anime."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.styles.anchored import FRACTION_BITS, at, brush_texture, fixed_point, grain, peaks, straight_texture
from trainer.styles.base import (
    Picture,
    blur,
    clip,
    colour,
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
    tangent,
)


def watercolor(picture: Picture, rng: np.random.Generator) -> Picture:
    """Pale flat washes, pigment gathered at their edges, white paper grain."""
    wash = saturate(quantise_tone(flatten(picture, 4, 2), 6, 0.4), 1.7)
    wash = 1 - (1 - wash) * 0.74
    _, _, edge = gradient(luma(wash), 1.2)
    pigment = 1 + 9.0 * edge + 0.09 * grain(picture, rng, 5) + 0.05 * grain(picture, rng, 1.6)
    density = -np.log(np.clip(wash, 0.03, 1))
    painted = np.exp(-density * np.clip(pigment, 0.3, 3)[..., None])
    paper = smoothstep(luma(wash), 0.80, 0.98)
    return clip(mix(painted, colour(252, 250, 243), paper * 0.85))


def oil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Thick strokes along the structure, lit from the upper left."""
    base = saturate(kuwahara(kuwahara(picture, 5), 4), 1.35)
    height = brush_texture(picture, rng, width=1.5, length=14)
    relief = height - np.roll(height, (2, 2), (0, 1))
    return clip(base * (1 + 0.10 * height[..., None]) + 0.055 * relief[..., None])


def _tinted(base: Picture, places: NDArray[np.float32], rng: np.random.Generator, spread: float) -> Picture:
    """The colours of `base` at some places, each varied by itself: (N, 3).

    Places are extrema of one grain of the picture, and all its grains lean one way there, which alone would be a cast:
    what varies a colour is mostly its own brightness, as a phase.
    """
    smooth = blur(base, 0.8)
    field = 22 * luma(blur(base, 2.0)) + 1.5 * grain(base, rng, 4.0) + 0.5 * noise(base.shape, rng, 3)
    phase = at(field.astype(np.float32), places)
    change = np.sin(phase[:, None] + np.array([0, 2.1, 4.2]) + rng.uniform(0, 2 * np.pi))
    return clip(at(smooth, places) + spread * 1.1 * change)


def impressionism(picture: Picture, rng: np.random.Generator) -> Picture:
    """Separate short strokes of broken colour."""
    base = saturate(kuwahara(picture, 3), 1.6)
    directions = np.stack(tangent(luma(picture), 5), 2)
    canvas = (base * 0.8).copy()
    field = grain(picture, rng, 2.2)
    places = np.concatenate([peaks(field, 2), peaks(-field, 2)])
    tints = _tinted(base, places, rng, 0.075)
    # The middle of two tangents may be shorter than either, as they have no sign.
    reach = 7 * directions[np.round(places[:, 1]).astype(int), np.round(places[:, 0]).astype(int)]
    ends = fixed_point(np.concatenate([places - reach, places + reach], 1))
    for (x0, y0, x1, y1), tint in zip(ends, tints.tolist(), strict=True):
        cv2.line(canvas, (x0, y0), (x1, y1), tint, 5, cv2.LINE_AA, FRACTION_BITS)
    return clip(canvas)


def pastel(picture: Picture, rng: np.random.Generator) -> Picture:
    """Chalk dragged over rough tan paper, which shows through."""
    base = 1 - (1 - saturate(flatten(picture, 3, 1), 1.3)) * 0.8
    chalk = straight_texture(picture, rng, degrees=-40, width=1.4, length=9)
    cover = 0.45 + 0.55 * smoothstep(chalk, -1.6, 0.4)
    return clip(mix(sheet(base, 196, 170, 138), base, cover))


def pointillism(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dots of pure colour on cream canvas."""
    base = saturate(flatten(picture, 3, 1), 1.7)
    canvas = clip(mix(sheet(base, 238, 228, 205), base, 0.4))
    fields = [grain(picture, rng, 1.9) for _ in range(2)]
    places = np.concatenate([peaks(field, 2) for field in (fields[0], -fields[0], fields[1])])
    tints = _tinted(base, places, rng, 0.11)
    radius = 3 << FRACTION_BITS
    for (x, y), tint in zip(fixed_point(places), tints.tolist(), strict=True):
        cv2.circle(canvas, (x, y), radius, tint, -1, cv2.LINE_AA, FRACTION_BITS)
    return clip(canvas)


def gouache(picture: Picture, rng: np.random.Generator) -> Picture:
    """Opaque matte paint: few chalky tones in clean broad flats, dry-brush borders, no shine."""
    flat = quantise_tone(flatten(picture, 4, 2), 5, 0.12)
    chalky = clip(saturate(flat, 1.25) * 0.74 + colour(58, 50, 42))
    dry = brush_texture(picture, rng, width=1.3, length=10, sigma=6)
    _, _, edge = gradient(luma(flat), 1.2)
    torn = 0.9 * np.clip(blur(edge, 1.5), 0, 0.12) * smoothstep(dry, -0.2, 1.2)
    body = chalky * (1 + 0.03 * dry)[..., None] + torn[..., None] * colour(255, 240, 214)
    deep = outlines(luma(flat), sigma=1.6, gain=8, threshold=0.02)
    return clip(body * (1 - 0.35 * deep)[..., None])


def anime(picture: Picture, rng: np.random.Generator) -> Picture:
    """Clean cells in bright colours with thin coloured outlines."""
    flat = flatten(picture, 5, 3)
    plane = luma(flat)
    shade = quantise(plane, 5, 0.15)
    cell = saturate(flat * ((shade + 0.06) / (plane + 0.06))[..., None], 1.45)
    cell = 1 - (1 - clip(cell)) ** 1.35
    line = outlines(luma(picture), sigma=1.0, gain=18, threshold=0.012)
    return clip(cell * (1 - 0.75 * line[..., None]))
