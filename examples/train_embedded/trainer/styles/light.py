"""Light, weather and season: what changes in the scene rather than on the canvas.

Sky is guessed from the pixels alone: bright and without texture.
"""

import cv2
import numpy as np

from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    colour,
    contrast,
    gradient,
    luma,
    mix,
    noise,
    saturate,
    smear,
    smoothstep,
)


def _sky(picture: Picture) -> Plane:
    """How much a pixel looks like open sky or a bright wall, [0, 1]."""
    plane = luma(picture)
    _, _, edge = gradient(plane, 1.5)
    quiet = smoothstep(blur(edge, 3), 0.025, 0.008)
    blue = picture[..., 2] - np.minimum(picture[..., 0], 1.0) * 0.9
    bright = smoothstep(plane + 0.5 * np.clip(blue, 0, 1), 0.55, 0.8)
    # "Without texture" ends short of every outline; grown back, or each outline keeps a bright rim.
    near = cv2.dilate(quiet * bright, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25)))
    return bright * blur(near, 2.0)


def night(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dark and blue; what was brightest and warm glows like lamps."""
    plane = luma(picture)
    dim = saturate(picture, 0.55) ** 1.4 * colour(70, 92, 150)
    dark = mix(dim, colour(8, 12, 34), 0.85 * _sky(picture))
    warm = smoothstep(picture[..., 0] - picture[..., 2], 0.12, 0.4) * smoothstep(plane, 0.55, 0.85)
    lamps = blur(warm, 1.0)[..., None] * colour(255, 205, 120) + 0.6 * blur(warm, 7)[..., None] * colour(255, 150, 60)
    return clip(dark + lamps * 0.75)


def sunset(picture: Picture, rng: np.random.Generator) -> Picture:
    """Orange light, violet shadows, a burning sky."""
    plane = luma(picture)
    shade = mix(colour(52, 26, 78), colour(255, 196, 120), smoothstep(plane, 0.05, 0.85))
    lit = mix(saturate(picture, 1.1) * colour(255, 190, 130), shade, 0.55)
    return clip(contrast(mix(lit, mix(colour(255, 120, 50), colour(255, 205, 110), plane), 0.75 * _sky(picture)), 1.1))


def winter(picture: Picture, rng: np.random.Generator) -> Picture:
    """Snow on everything that faces up and on all plants and ground; cold shadows; large flakes."""
    plane = luma(picture)
    cold = saturate(picture, 0.35) * colour(225, 236, 255) + colour(8, 12, 20)
    plant = smoothstep(picture[..., 1] - np.maximum(picture[..., 2], picture[..., 0] * 0.8), 0.0, 0.12)
    _, gy, edge = gradient(plane, 2.0)
    top = smoothstep(-gy, 0.004, 0.03)
    ground = smoothstep(blur(edge, 4), 0.008, 0.02)
    snow = np.clip(0.75 * plant + 0.55 * top + 0.4 * ground + 0.12 * noise(plane.shape, rng, 3), 0, 1)
    white = mix(colour(176, 196, 228), colour(252, 253, 255), smoothstep(plane, 0.05, 0.6))
    scene = mix(mix(cold, white, blur(snow, 1.0) * 0.9), colour(222, 228, 238), 0.8 * _sky(picture))
    flakes = smoothstep(noise(plane.shape, rng, 1.6), 2.5, 3.0)
    return clip(mix(scene, np.ones_like(scene), flakes * 0.9))


def autumn(picture: Picture, rng: np.random.Generator) -> Picture:
    """Greens turn orange and red, the light is warm."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hue, depth = hsv[..., 0], hsv[..., 1]
    green = smoothstep(hue, 42, 62) * smoothstep(hue, 185, 150) * smoothstep(depth, 0.08, 0.25)
    hsv[..., 0] = np.clip(24 + 14 * noise(hue.shape, rng, 4), 2, 48)
    hsv[..., 1] = np.clip(depth * 1.5 + 0.25, 0, 0.95)
    hsv[..., 2] = np.clip(hsv[..., 2] * 1.25 + 0.04, 0, 1)
    leaves = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return clip(
        mix(picture * colour(255, 226, 182) * 1.04 + colour(14, 4, 0), leaves, blur(green.astype(np.float32), 0.8))
    )


def fog(picture: Picture, rng: np.random.Generator) -> Picture:
    """Distance fades to gray: what has little contrast goes first."""
    plane = luma(picture)
    near = smoothstep(blur(np.abs(plane - blur(plane, 6)), 8), 0.01, 0.12)
    veil = np.clip(0.80 - 0.30 * near + 0.05 * noise(plane.shape, rng, 14), 0.3, 0.93)
    return clip(mix(saturate(blur(picture, 0.8), 0.45), colour(206, 212, 217), veil.astype(np.float32)))


def underwater(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blue-green depth with caustic light."""
    plane = luma(picture)
    water = mix(colour(2, 34, 62), colour(70, 215, 215), plane)
    scene = mix(saturate(picture, 0.7) * colour(90, 205, 220), water, 0.6)
    ridges = np.exp(-((noise(plane.shape, rng, 5) / 0.22) ** 2)) * (0.3 + plane)
    return clip(scene + 0.22 * blur(ridges.astype(np.float32), 1.0)[..., None] * colour(190, 255, 240))


def desert(picture: Picture, rng: np.random.Generator) -> Picture:
    """Everything in sand and rust, dust in the air."""
    plane = luma(picture)
    sand = mix(colour(74, 30, 14), colour(250, 206, 140), smoothstep(plane, 0.0, 0.9))
    scene = mix(sand, saturate(picture, 0.6) * colour(255, 200, 140), 0.25)
    tx, ty = np.full(plane.shape, 0.97, np.float32), np.full(plane.shape, 0.24, np.float32)
    dust = smear(noise(plane.shape, rng, 4), tx, ty, 14)
    veil = np.clip(0.25 + 0.12 * dust / (dust.std() + 1e-6), 0, 0.7)
    return clip(mix(scene, colour(226, 160, 96), np.maximum(veil, 0.6 * _sky(picture)).astype(np.float32)))
