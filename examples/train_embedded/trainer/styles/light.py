"""Light, haze and season: what changes in the scene rather than on the canvas."""

import cv2
import numpy as np

from trainer.styles.anchored import grain
from trainer.styles.base import (
    Picture,
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
from trainer.styles.cues import crown, foliage, skin, sky, texture, upward


def night(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Dark and blue under a black sky; what was bright, small and warm glows like lamps, never the sky or a face."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    open_sky = sky(scene)
    dim = saturate(picture, 0.55) ** 1.25 * colour(84, 106, 170)
    dark = mix(dim, colour(8, 12, 34) * (0.7 + 0.6 * plane)[..., None], 0.92 * open_sky)
    # A lamp is brighter than what is round it; a white wall is not.
    stands_out = smoothstep(plane - blur(plane, 12), 0.02, 0.16)
    warm = smoothstep(picture[..., 0] - picture[..., 2], 0.06, 0.3) * smoothstep(plane, 0.5, 0.8)
    warm = warm * stands_out * (1 - open_sky) * (1 - 0.85 * skin(scene)) * (1 - foliage(scene))
    lamps = blur(warm, 1.0)[..., None] * colour(255, 205, 120) + 1.0 * blur(warm, 7)[..., None] * colour(255, 150, 60)
    return clip(dark + lamps * 0.85)


def sunset(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Orange light, violet shadows, a burning sky."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    shade = mix(colour(52, 26, 78), colour(255, 196, 120), smoothstep(plane, 0.05, 0.85))
    lit = mix(saturate(picture, 1.1) * colour(255, 190, 130), shade, 0.55)
    burning = mix(colour(255, 112, 44), colour(255, 208, 112), smoothstep(plane, 0.25, 0.95))
    return clip(contrast(mix(lit, burning, 0.8 * sky(scene)), 1.1))


def winter(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Snow on plants, rough ground and every upper rim; cold shadows, a white sky, large flakes."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    open_sky = sky(scene)
    cold = saturate(picture, 0.35) * colour(222, 234, 255) + colour(8, 12, 20)
    rough = smoothstep(blur(texture(picture, 2.0), 3), 0.012, 0.04)
    lying = 0.95 * foliage(scene) + 0.55 * upward(picture) + 0.45 * rough * smoothstep(plane, 0.12, 0.4)
    lying = lying * (1 - 0.75 * skin(scene)) * (1 - open_sky) + 0.10 * grain(picture, rng, 3) * rough * (1 - open_sky)
    white = mix(colour(166, 188, 224), colour(252, 253, 255), smoothstep(plane, 0.02, 0.5))
    scene = mix(cold, white, blur(np.clip(lying, 0, 1), 0.9) * 0.92)
    scene = mix(scene, colour(224, 230, 240), 0.85 * open_sky)
    # Falling snow belongs to the air, not to the scene.
    flakes = smoothstep(noise(plane.shape, rng, 1.6), 2.5, 3.0)
    return clip(mix(scene, np.ones_like(scene), flakes * 0.9))


def autumn(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Leaves and grass turn yellow, orange and red, the light is warm; skin and painted walls keep their colour."""
    scene = picture if scene is None else scene
    leaf = blur(foliage(scene), 0.8)
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    rich = crown(scene) * smoothstep(luma(picture), 0.72, 0.5)
    # Lawns fade to straw, crowns turn every colour.
    hue = 38 - rich * (14 - 10 * grain(picture, rng, 3) - 9 * noise(rich.shape, rng, 5))
    hsv[..., 0] = np.clip(hue, 3, 50)
    hsv[..., 1] = np.clip(hsv[..., 1] * (0.85 + 0.5 * rich) + 0.10 + 0.22 * rich, 0, 0.95)
    hsv[..., 2] = np.clip(hsv[..., 2] * (1.05 + 0.3 * rich) + 0.04, 0, 1)
    leaves = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    warm = saturate(picture, 0.92) * colour(255, 230, 190) * 1.03 + colour(8, 3, 0)
    return clip(mix(mix(warm, picture, 0.6 * skin(scene)), leaves, leaf))


def fog(picture: Picture, rng: np.random.Generator) -> Picture:
    """Distance fades to gray: what has little contrast goes first."""
    plane = luma(picture)
    near = smoothstep(blur(np.abs(plane - blur(plane, 6)), 8), 0.01, 0.12)
    veil = np.clip(0.82 - 0.34 * near + 0.05 * noise(plane.shape, rng, 14), 0.3, 0.93)
    return clip(mix(saturate(blur(picture, 0.8), 0.45), colour(206, 212, 217), veil.astype(np.float32)))


def underwater(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blue-green depth with caustic light."""
    plane = luma(picture)
    water = mix(colour(2, 34, 62), colour(70, 215, 215), plane)
    scene = mix(saturate(picture, 0.7) * colour(90, 205, 220), water, 0.6)
    ridges = np.exp(-((noise(plane.shape, rng, 5) / 0.22) ** 2)) * (0.3 + plane)
    return clip(scene + 0.22 * blur(ridges.astype(np.float32), 1.0)[..., None] * colour(190, 255, 240))


def desert(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Everything in sand and rust, rippled where the ground is bare, dust in the air."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    _, _, edge = gradient(plane, 1.5)
    sand = mix(colour(74, 30, 14), colour(250, 206, 140), smoothstep(plane, 0.0, 0.9))
    scene = mix(sand, saturate(picture, 0.6) * colour(255, 200, 140), 0.25)
    tx, ty = np.full(plane.shape, 0.97, np.float32), np.full(plane.shape, 0.24, np.float32)
    dust = smear(grain(picture, rng, 4), tx, ty, 14)
    veil = np.clip(0.25 + 0.09 * dust / (dust.std() + 1e-6) * smoothstep(edge, 0.1, 0.02), 0, 0.7)
    return clip(mix(scene, colour(226, 160, 96), np.maximum(veil, 0.6 * sky(scene)).astype(np.float32)))
