"""Drawn and printed media: pencil, coloured pencil, charcoal, ink, engraving, woodcut, comic, halftone."""

import numpy as np

from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    brush_texture,
    clip,
    colour,
    contrast,
    flatten,
    gray3,
    luma,
    mix,
    noise,
    outlines,
    quantise,
    quantise_tone,
    saturate,
    sheet,
    smear,
    smoothstep,
    straight_texture,
    tangent,
)


def _dodge(plane: Plane, sigma: float) -> Plane:
    """The dodge sketch: brightness over its blurred self; lines where it drops."""
    return clip(plane / (blur(plane, sigma) + 0.04))


def pencil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Graphite lines and slanted shading on white paper."""
    plane = contrast(luma(picture), 1.2)
    lines = _dodge(plane, 5) ** 2.5
    stroke = straight_texture(picture.shape, rng, degrees=-55, width=1.2, length=16)
    shade = clip(1 - 0.75 * (1 - plane) * (0.75 + 0.45 * stroke))
    return gray3(clip(0.97 * lines * shade + 0.02))


def colored_pencil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Coloured strokes with paper between them."""
    lines = _dodge(luma(picture), 5) ** 1.5
    stroke = straight_texture(picture.shape, rng, degrees=-50, width=1.3, length=14)
    colours = saturate(blur(picture, 1.5), 1.5)
    cover = clip(0.62 + 0.33 * stroke)
    return clip(mix(np.full_like(picture, 0.98), colours, cover) * (0.35 + 0.65 * lines[..., None]))


def charcoal(picture: Picture, rng: np.random.Generator) -> Picture:
    """Smudged blacks, rough grain, gray paper."""
    plane = luma(picture)
    smudged = smear(contrast(blur(plane, 1.2), 1.5, 0.36), *tangent(plane), 4)
    grain = 0.7 * brush_texture(plane, rng, width=1.6, length=5) + 0.5 * noise(plane.shape, rng, 1.5)
    dark = 0.92 - smudged + 0.13 * grain + 0.9 * outlines(plane, sigma=1.6, gain=9)
    return clip(
        mix(np.broadcast_to(colour(214, 208, 198), picture.shape).astype(np.float32), colour(22, 20, 20), clip(dark))
    )


def ink(picture: Picture, rng: np.random.Generator) -> Picture:
    """Black brush lines over two or three gray washes."""
    plane = luma(flatten(picture, 4, 2))
    wash = 1 - 0.55 * (1 - quantise(plane, 4, 0.35))
    wash = wash * (1 + 0.04 * noise(plane.shape, rng, 5))
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
    gouge = brush_texture(plane, rng, width=1.8, length=20, sigma=6)
    white = smoothstep(plane + 0.20 * gouge, 0.44, 0.52)
    white = white * (1 - outlines(luma(picture), sigma=2.0, gain=10))
    return clip(mix(sheet(picture, 20, 16, 16), colour(240, 226, 196), white))


def comic(picture: Picture, rng: np.random.Generator) -> Picture:
    """Bold outlines, strong flat colours, dots in the half tones."""
    flat = flatten(picture, 4, 2)
    inks = saturate(quantise_tone(contrast(flat, 1.3, 0.42), 4, 0.15), 2.1)
    plane = luma(flat)
    dots = _dots(plane.shape, 45, 6)
    middle = smoothstep(plane, 0.55, 0.45) * smoothstep(plane, 0.15, 0.25)
    inks = inks * (1 - 0.35 * middle * smoothstep(dots, 0.55, 0.75))[..., None]
    line = outlines(luma(picture), sigma=1.7, gain=22, threshold=0.01)
    return clip(inks * (1 - np.maximum(line, smoothstep(plane, 0.16, 0.1)))[..., None])


def _dots(shape: tuple[int, ...], degrees: float, spacing: float) -> Plane:
    """Round-dot screen in [0, 1], 1 at the centres."""
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = np.deg2rad(degrees)
    u = xs * np.float32(np.cos(angle)) + ys * np.float32(np.sin(angle))
    v = ys * np.float32(np.cos(angle)) - xs * np.float32(np.sin(angle))
    k = np.float32(2 * np.pi / spacing)
    return (0.5 + 0.25 * (np.cos(u * k) + np.cos(v * k))).astype(np.float32)


def halftone(picture: Picture, rng: np.random.Generator) -> Picture:
    """Flat bright inks under one dark screen of 8-pixel dots, which swell with the shadow.

    One screen, not one per ink: three overlaid screens are finer than the autoencoder's code can hold.
    """
    plane = contrast(blur(luma(picture), 2.0), 1.2)
    inks = saturate(quantise_tone(clip(flatten(picture, 4, 1) * 1.25 + 0.12), 3, 0.2), 2.4)
    dark = smoothstep(_dots(picture.shape, 45, 11.3) + 0.05 - plane * 1.1, -0.10, 0.10)
    return clip(mix(inks, colour(24, 16, 48), dark))
