"""Printed and sprayed media: poster, risograph, ukiyo-e, halftone, graffiti."""

import cv2
import numpy as np

from trainer.styles.anchored import brush_texture, grain
from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    colour,
    contrast,
    flatten,
    luma,
    mix,
    noise,
    outlines,
    quantise,
    quantise_tone,
    saturate,
    sheet,
    smoothstep,
)
from trainer.styles.cues import sky
from trainer.styles.relief import even_tone, ramp


def dots(shape: tuple[int, ...], degrees: float, spacing: float) -> Plane:
    """Round-dot screen in [0, 1], 1 at the centres; it lies on the paper, not on what is shown."""
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
    dark = smoothstep(dots(picture.shape, 45, 11.3) + 0.05 - plane * 1.1, -0.10, 0.10)
    return clip(mix(inks, colour(24, 16, 48), dark))


def poster(picture: Picture, rng: np.random.Generator) -> Picture:
    """A screen print: flat inks with round clean borders, navy for the deep, cream for the light, no outlines."""
    flat = blur(flatten(contrast(picture, 1.15), 4, 2), 1.6)
    plane = luma(flat)
    inks = quantise_tone(saturate(flat, 2.1), 4, 0.10)
    inks = mix(inks, colour(26, 26, 66), smoothstep(plane, 0.27, 0.24))
    return clip(mix(inks, colour(255, 240, 206), smoothstep(plane, 0.74, 0.77)))


def risograph(picture: Picture, rng: np.random.Generator) -> Picture:
    """Three soy inks, pink, blue and yellow, grainy, each a little off its place, on raw paper."""
    base = flatten(contrast(picture, 1.2), 3, 2)
    plane = even_tone(base, 60)
    warmth = base[..., 0] - base[..., 2]
    cover = (
        (np.clip(0.95 - 1.15 * plane + 0.55 * np.clip(warmth, 0, 1), 0, 1), colour(255, 72, 140), (2, 1)),
        (np.clip(1.02 - 1.5 * plane - 0.5 * np.clip(warmth, 0, 0.5), 0, 1), colour(0, 92, 190), (-2, 1)),
        (np.clip(0.20 + 1.0 * warmth, 0, 0.9) * smoothstep(plane, 0.98, 0.7), colour(255, 226, 0), (0, -2)),
    )
    paper = sheet(picture, 246, 241, 228)
    for density, ink, (x, y) in cover:
        speckle = 0.065 * grain(picture, rng, 1.6)
        laid = smoothstep(quantise(density, 4, 0.5) + speckle * (0.3 + density * (1 - density) * 3), 0.1, 0.9)
        paper = paper * mix(np.ones_like(paper), ink, np.roll(laid, (y, x), (0, 1)))
    return clip(paper)


def ukiyo_e(picture: Picture, rng: np.random.Generator) -> Picture:
    """A Japanese colour woodblock: indigo, ochre and vermilion flats, fine dark lines, a sky that fades upwards."""
    flat = flatten(picture, 4, 3)
    plane = quantise(np.clip(1.45 * even_tone(flat, 60) - 0.06, 0, 1), 4, 0.15)
    red, green, blue = (flat[..., c] for c in range(3))
    ink = ramp(plane, (16, 28, 84), (44, 98, 164), (146, 190, 210), (248, 242, 224))
    warm = ramp(plane, (72, 32, 30), (180, 104, 62), (240, 190, 124), (253, 234, 198))
    leafy = ramp(plane, (14, 50, 54), (52, 112, 88), (150, 180, 104), (220, 220, 152))
    vermilion = ramp(plane, (92, 14, 20), (196, 50, 34), (234, 116, 74), (248, 200, 160))
    ink = mix(ink, warm, smoothstep(red - blue, 0.02, 0.12))
    ink = mix(ink, leafy, smoothstep(green - np.maximum(red, blue), 0.0, 0.05))
    ink = mix(ink, vermilion, smoothstep(red - green, 0.34, 0.44))
    fade = blur(luma(picture), 18)
    heavens = mix(colour(40, 96, 168), colour(250, 232, 196), smoothstep(fade, 0.45, 0.9))
    print_ = mix(ink, heavens, 0.85 * sky(picture))
    block = 0.025 * brush_texture(picture, rng, width=1.4, length=16, sigma=8)
    line = outlines(luma(picture), sigma=1.3, gain=22, threshold=0.009)
    return clip(mix(print_ * (0.98 + block)[..., None], colour(26, 28, 44), 0.9 * line) * colour(255, 252, 242))


def graffiti(picture: Picture, rng: np.random.Generator) -> Picture:
    """Spray paint on rough plaster: loud flat colours with misty borders, fat black lines in a white halo, drips."""
    wall = (
        sheet(picture, 168, 162, 156) * (1 + 0.10 * grain(picture, rng, 1.8) + 0.05 * grain(picture, rng, 6))[..., None]
    )
    flat = flatten(contrast(picture, 1.3), 4, 2)
    plane = quantise(even_tone(flat, 60), 5, 0.5)
    hot = ramp(plane, (66, 0, 92), (222, 24, 120), (255, 120, 24), (255, 226, 48), (255, 250, 190))
    cold = ramp(plane, (26, 12, 96), (20, 84, 214), (0, 190, 222), (120, 244, 200), (236, 255, 240))
    warmth = flat[..., 0] - flat[..., 2]
    paint = mix(cold, hot, smoothstep(blur(warmth, 1.5), -0.04, 0.10))
    mist = noise(picture.shape, rng, 0.9) * 0.05 + 0.07 * grain(picture, rng, 1.4)
    cover = smoothstep(1.02 - blur(plane, 3) * 0.85 + mist, 0.10, 0.38)
    line = outlines(luma(blur(picture, 0.8)), sigma=1.9, gain=24, threshold=0.006)
    bold = smoothstep(blur(line, 0.8), 0.30, 0.65)
    halo = smoothstep(blur(line, 2.6), 0.14, 0.34) * (1 - bold)
    drip_length = np.ones((19, 1), np.uint8)
    start = bold * smoothstep(grain(picture, rng, 3.0) + grain(picture, rng, 1.5), 2.55, 2.7)
    drips = blur(cv2.dilate(start, drip_length, anchor=(0, 18)), 0.8)
    body = mix(wall, blur(paint, 1.2), cover)
    body = mix(body, colour(250, 250, 250), 0.8 * halo)
    return clip(mix(body, colour(14, 12, 20), np.maximum(bold, np.clip(drips * 1.2, 0, 1))))
