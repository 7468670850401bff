"""Drawn and cut media: pencil, coloured pencil, ballpoint, charcoal, ink, engraving, woodcut, comic."""

import numpy as np

from trainer.styles.anchored import brush_texture, grain, straight_texture
from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    colour,
    contrast,
    flatten,
    gray3,
    luma,
    mix,
    outlines,
    quantise,
    quantise_tone,
    saturate,
    sheet,
    smear,
    smoothstep,
    tangent,
)
from trainer.styles.printed import dots


def _dodge(plane: Plane, sigma: float) -> Plane:
    """The dodge sketch: brightness over its blurred self; lines where it drops."""
    return clip(plane / (blur(plane, sigma) + 0.04))


def pencil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Graphite lines and slanted shading on white paper."""
    plane = contrast(luma(picture), 1.2)
    lines = _dodge(plane, 5) ** 1.5
    stroke = straight_texture(picture, rng, degrees=-55, width=1.2, length=16)
    shade = clip(1 - 0.66 * (1 - plane) * (0.8 + 0.32 * stroke))
    return clip(gray3(lines * shade) * 0.87 + colour(32, 31, 30))


def colored_pencil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Coloured strokes with paper between them."""
    lines = _dodge(luma(picture), 5) ** 1.5
    stroke = straight_texture(picture, rng, degrees=-50, width=1.3, length=14)
    colours = saturate(blur(picture, 1.5), 1.5)
    cover = clip(0.62 + 0.33 * stroke)
    return clip(mix(np.full_like(picture, 0.98), colours, cover) * (0.35 + 0.65 * lines[..., None]))


def ballpoint(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blue ballpoint: wiry outlines and scribbled hatching, denser where it is dark, on white paper."""
    plane = contrast(blur(luma(picture), 1.0), 1.25)
    dark = 1 - plane
    first = straight_texture(picture, rng, degrees=-38, width=1.1, length=18)
    second = straight_texture(picture, rng, degrees=38, width=1.1, length=18)
    along = brush_texture(picture, rng, width=1.1, length=12)
    hatch = smoothstep(1.7 * dark + 0.55 * first, 0.75, 1.35)
    cross = smoothstep(1.9 * dark + 0.55 * second, 1.45, 2.0)
    curl = smoothstep(1.5 * dark + 0.5 * along, 1.0, 1.6)
    line = outlines(luma(picture), sigma=1.1, gain=20, threshold=0.008)
    ink = np.clip(0.55 * hatch + 0.35 * cross + 0.35 * curl + 0.9 * line, 0, 1)
    return clip(mix(sheet(picture, 250, 249, 244), colour(26, 40, 142), ink))


def charcoal(picture: Picture, rng: np.random.Generator) -> Picture:
    """Smudged blacks, rough grain, gray paper."""
    plane = luma(picture)
    smudged = smear(contrast(blur(plane, 1.2), 1.5, 0.36), *tangent(plane), 4)
    rough = 0.7 * brush_texture(picture, rng, width=1.6, length=5) + 0.5 * grain(picture, rng, 1.5)
    dark = 1.2 * (0.92 - smudged) + 0.13 * rough + 0.9 * outlines(plane, sigma=1.6, gain=9)
    return clip(
        mix(np.broadcast_to(colour(214, 208, 198), picture.shape).astype(np.float32), colour(22, 20, 20), clip(dark))
    )


def ink(picture: Picture, rng: np.random.Generator) -> Picture:
    """Black brush lines over two or three gray washes."""
    plane = luma(flatten(picture, 4, 2))
    wash = 1 - 0.55 * (1 - quantise(plane, 4, 0.35))
    wash = wash * (1 + 0.04 * grain(picture, rng, 5))
    line = outlines(luma(picture), sigma=1.6, gain=14, threshold=0.012)
    deep = smoothstep(plane, 0.22, 0.12)
    return clip((wash * (1 - np.maximum(line, deep)))[..., None] * colour(250, 246, 235))


def _hatch(shape: tuple[int, ...], degrees: float, spacing: float, bend: Plane) -> Plane:
    """Distance-like wave in [0, 1] of parallel lines, their phase bent by `bend` (in pixels)."""
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = np.deg2rad(degrees)
    phase = (xs * np.float32(-np.sin(angle)) + ys * np.float32(np.cos(angle)) + bend) * np.float32(2 * np.pi / spacing)
    return (0.5 + 0.5 * np.cos(phase)).astype(np.float32)


def engraving(picture: Picture, rng: np.random.Generator) -> Picture:
    """Black lines that swell with the shadow and bend over the form, crossed in the dark."""
    plane = clip(contrast(blur(luma(picture), 1.0), 1.3) * 0.92 + 0.12)
    bend = 18 * blur(plane, 5)
    first = smoothstep(_hatch(plane.shape, 20, 8, bend) - plane * 1.15, -0.12, 0.12)
    second = smoothstep(_hatch(plane.shape, -50, 8, bend) - plane * 2.1 - 0.1, -0.12, 0.12)
    dark = np.maximum(np.maximum(first, second), outlines(luma(picture), sigma=1.1, gain=12))
    return clip(mix(sheet(picture, 244, 236, 216), colour(28, 24, 22), dark))


def woodcut(picture: Picture, rng: np.random.Generator) -> Picture:
    """Two tones with gouges along the form."""
    plane = contrast(blur(luma(picture), 1.5), 1.3)
    gouge = brush_texture(picture, rng, width=1.8, length=20, sigma=6)
    white = smoothstep(plane + 0.20 * gouge, 0.44, 0.52)
    white = white * (1 - outlines(luma(picture), sigma=2.0, gain=10))
    return clip(mix(sheet(picture, 20, 16, 16), colour(240, 226, 196), white))


def comic(picture: Picture, rng: np.random.Generator) -> Picture:
    """Bold outlines, strong flat colours, dots in the half tones."""
    flat = flatten(picture, 4, 2)
    inks = saturate(quantise_tone(contrast(flat, 1.3, 0.42), 4, 0.15), 2.1)
    plane = luma(flat)
    screen = dots(plane.shape, 45, 6)
    middle = smoothstep(plane, 0.55, 0.45) * smoothstep(plane, 0.15, 0.25)
    inks = inks * (1 - 0.35 * middle * smoothstep(screen, 0.55, 0.75))[..., None]
    line = outlines(luma(picture), sigma=1.7, gain=22, threshold=0.01)
    return clip(inks * (1 - np.maximum(line, smoothstep(plane, 0.16, 0.1)))[..., None])
