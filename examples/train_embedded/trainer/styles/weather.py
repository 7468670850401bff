"""Weather and season beyond a grade: rain, storm, aurora, blossom.

What falls and what fills an empty sky has nothing in the photograph to hold on to: it is seeded, and stays with the
frame where the sky is plain.
"""

import cv2
import numpy as np

from trainer.styles.anchored import grain
from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    colour,
    contrast,
    luma,
    mix,
    noise,
    saturate,
    smear,
    smoothstep,
)
from trainer.styles.cues import crown, foliage, sky


def _clouds(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """Billows, wider than high, [0, 1]: four octaves of seeded noise."""
    total = np.zeros(shape[:2], np.float32)
    for octave, sigma in enumerate((22.0, 11.0, 5.5, 2.8)):
        tall = rng.standard_normal((shape[0] * 2, shape[1])).astype(np.float32)
        field = cv2.resize(blur(tall, sigma), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        total += 0.6**octave * field / (field.std() + 1e-6)
    return smoothstep(total, -2.0, 2.0)


def _streaks(picture: Picture, rng: np.random.Generator, *, degrees: float, length: int, rarity: float) -> Plane:
    """Falling drops as streaks, [0, 1]."""
    seeds = smoothstep(grain(picture, rng, 1.0) + noise(picture.shape, rng, 0.9), rarity, rarity + 0.6)
    angle = np.deg2rad(degrees)
    shape = seeds.shape
    return np.clip(
        smear(seeds, np.full(shape, np.cos(angle), np.float32), np.full(shape, np.sin(angle), np.float32), length) * 5,
        0,
        1,
    )


def rain(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """A wet gray day: low cloud, shining surfaces, slanted streaks."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    dull = contrast(saturate(picture, 0.55), 0.86, 0.42) * colour(196, 212, 228)
    wet = dull + 0.5 * (plane - blur(plane, 5))[..., None]
    down = np.zeros_like(plane), np.ones_like(plane)
    mirrored = smear(blur(wet, 1.0), *down, 10)
    scene = mix(wet, mirrored, 0.35) * 0.92
    scene = mix(scene, colour(150, 160, 170) * (0.8 + 0.3 * _clouds(picture.shape, rng))[..., None], 0.85 * sky(scene))
    veil = mix(scene, colour(160, 172, 184), 0.14)
    near = _streaks(picture, rng, degrees=76, length=11, rarity=2.6)
    return clip(veil + 0.30 * near[..., None] * colour(225, 235, 245))


def storm(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Towering dark clouds and a low hard light under them."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    open_sky = sky(scene)
    cloud = _clouds(picture.shape, rng)
    lit = np.clip(cloud - np.roll(blur(cloud, 2), (3, 2), (0, 1)) * 0.85, -0.2, 0.4)
    heavens = mix(colour(22, 26, 36), colour(128, 136, 142), np.clip(0.75 * cloud**1.5 + 0.9 * lit, 0, 1))
    ground = contrast(plane + 0.7 * (plane - blur(plane, 9)), 1.25, 0.5)[..., None] * colour(150, 160, 152)
    ground = mix(ground, saturate(contrast(picture, 1.2), 0.8) * colour(170, 176, 160), 0.55) * 0.84
    glow = smoothstep(plane, 0.55, 0.9) * (1 - open_sky)
    return clip(mix(ground + 0.22 * glow[..., None] * colour(255, 226, 160), heavens, open_sky))


def aurora(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """A clear night: green and violet curtains and stars in the sky, their light on the land."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    open_sky = sky(scene)
    wave = noise(picture.shape, rng, 24)
    down = np.zeros_like(plane), np.ones_like(plane)
    curtain = smear(np.exp(-((wave / 0.32) ** 2)).astype(np.float32), *down, 26)
    curtain = curtain / (curtain.max() + 1e-6)
    rays = 0.75 + 0.25 * smear(noise(picture.shape, rng, 1.6), *down, 18) * 2.5
    glow = np.clip(curtain * rays, 0, 1.2)
    tint = mix(colour(150, 70, 220), colour(70, 255, 150), smoothstep(glow, 0.15, 0.6))
    stars = smoothstep(noise(picture.shape, rng, 0.8), 3.0, 3.4)
    heavens = colour(6, 12, 36) + glow[..., None] * tint * 0.95 + stars[..., None] * 0.9
    land = saturate(picture, 0.4) ** 1.35 * colour(70, 112, 124)
    shine = smoothstep(plane + 0.8 * (plane - blur(plane, 6)), 0.45, 0.95)
    land = land + 0.34 * shine[..., None] * colour(70, 235, 150) * (0.5 + 0.8 * plane)[..., None]
    return clip(mix(land, heavens, open_sky))


def blossom(picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
    """Spring: trees in pink flower, fresh green between, mild bright air."""
    scene = picture if scene is None else scene
    plane = luma(picture)
    leaf = blur(foliage(scene), 1.0)
    tree = crown(scene) * smoothstep(plane, 0.72, 0.5)
    flower = tree * smoothstep(grain(picture, rng, 2.2) + 0.4 * noise(plane.shape, rng, 5), -1.2, 0.3)
    flower = np.maximum(flower, 0.9 * smoothstep(noise(plane.shape, rng, 1.6), 1.9, 2.3))
    pink = mix(colour(206, 84, 132), colour(255, 226, 238), smoothstep(plane, 0.08, 0.62))
    green = mix(colour(58, 108, 36), colour(200, 232, 120), smoothstep(plane, 0.05, 0.7))
    plants = mix(green, pink, 0.06 + 0.94 * flower)
    air = mix(clip(1 - (1 - saturate(picture, 1.05)) ** 1.35), colour(255, 214, 228), 0.20)
    mild = mix(air, colour(190, 222, 250), 0.4 * sky(scene))
    # Falling petals belong to the air, not to the scene.
    petals = smoothstep(noise(plane.shape, rng, 1.7), 2.3, 2.7)
    return clip(mix(mix(mild, plants, 0.95 * leaf), colour(255, 176, 206), 0.95 * petals))
