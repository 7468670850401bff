"""Carved, cast and glazed: bronze, gold, marble, ice, clay, wood, porcelain. The relief is lit from the upper left."""

import numpy as np

from trainer.styles.anchored import brush_texture, grain, ridges
from trainer.styles.base import (
    Picture,
    blur,
    clip,
    colour,
    flatten,
    luma,
    mix,
    noise,
    outlines,
    quantise,
    quantise_tone,
    saturate,
    smear,
    smoothstep,
)
from trainer.styles.relief import Surface, even_tone, raise_surface, ramp, refract, sheen, surface_of


def bronze(picture: Picture, rng: np.random.Generator) -> Picture:
    """Cast metal, brown to brass where it is worn, green patina in the hollows."""
    surface = surface_of(picture, depth=16)
    tone = 0.18 + 0.34 * surface.height + 0.75 * (surface.lambert() - 0.62) + 0.10 * sheen(surface)
    metal = ramp(np.clip(tone, 0, 1), (16, 9, 6), (74, 42, 22), (148, 94, 48), (214, 160, 92), (255, 232, 184))
    hollow = smoothstep(surface.cavity(6) + 0.02 * grain(picture, rng, 4), 0.03, 0.14)
    patina = colour(74, 138, 116) * (0.35 + 0.75 * surface.lambert())[..., None]
    return clip(mix(metal, patina, 0.75 * hollow) + 0.55 * surface.gloss(26)[..., None] * colour(255, 226, 170))


def gold(picture: Picture, rng: np.random.Generator) -> Picture:
    """Polished gold that mirrors a bright sky over a dark horizon; what was dark is dull and brown."""
    surface = surface_of(picture, depth=20, detail=0.25)
    tone = even_tone(picture)
    mirror = 0.42 * sheen(surface) + 0.66 * tone**1.1 + 0.55 * (surface.lambert() - 0.62) + 0.02
    mirror = mirror + 0.014 * grain(picture, rng, 2.5)
    metal = ramp(np.clip(mirror, 0, 1), (30, 12, 2), (112, 62, 6), (206, 138, 18), (255, 202, 62), (255, 244, 178))
    return clip(metal + 0.8 * surface.gloss(40)[..., None] * colour(255, 250, 225))


def marble(picture: Picture, rng: np.random.Generator) -> Picture:
    """White stone with faint gray veins; light creeps under the surface and softens every shadow."""
    surface = surface_of(picture, depth=15, detail=0.35)
    lit = 0.68 * surface.lambert() + 0.32 * blur(surface.lambert(), 3)
    tone = 0.30 + 1.05 * (lit - 0.45) + 0.50 * surface.height - 1.5 * np.clip(surface.cavity(7), 0, 1)
    stone = ramp(np.clip(tone, 0, 1), (52, 50, 58), (120, 116, 120), (188, 184, 182), (232, 229, 224), (255, 255, 252))
    # Through the block, not round its forms: where the veins wind is seeded, what they show on is carved.
    veins = np.exp(-((noise(picture.shape, rng, 13) + 0.15 * grain(picture, rng, 3)) ** 2) / 0.012)
    veins = veins * smoothstep(noise(picture.shape, rng, 22), -0.6, 1.0)
    return clip(mix(stone, stone * colour(172, 170, 178), 0.8 * veins) + 0.35 * surface.gloss(40)[..., None])


def ice(picture: Picture, rng: np.random.Generator) -> Picture:
    """Clear blue ice: the scene bent and tinted by it, white cracks, hard glints, frost on the crests."""
    surface = surface_of(picture, depth=20, detail=0.3)
    through = refract(blur(picture, 1.6), surface, 7)
    depth = ramp(
        np.clip(0.15 + 0.85 * even_tone(through), 0, 1), (6, 44, 86), (40, 122, 178), (134, 205, 232), (236, 250, 255)
    )
    body = mix(depth, saturate(through, 0.5) * colour(170, 222, 255), 0.25)
    body = body * (0.72 + 0.45 * surface.lambert())[..., None]
    cracks = blur(ridges(picture, rng, 8, 0.12), 0.6) * smoothstep(grain(picture, rng, 13), 0.5, 1.4)
    frost = smoothstep(-surface.cavity(5), 0.01, 0.10) * 0.7
    return clip(
        mix(body, colour(238, 250, 255), np.clip(frost + 0.6 * cracks, 0, 1)) + 0.85 * surface.gloss(45)[..., None]
    )


def clay(picture: Picture, rng: np.random.Generator) -> Picture:
    """Modelling clay: every region a rounded lump of one bright colour, with thumb marks and a greasy shine."""
    flat = flatten(picture, 3, 3)
    lumps = saturate(quantise_tone(flat, 6, 0.5), 1.8)
    marks = blur(brush_texture(flat, rng, width=2.2, length=9, sigma=6), 0.8)
    surface = raise_surface(blur(even_tone(flat, 40), 1.8) + 0.022 * marks, depth=21)
    shade = 0.36 + 0.98 * surface.lambert() - 1.4 * np.clip(surface.cavity(5), 0, 0.3)
    shine = 0.32 * surface.gloss(14)[..., None] * colour(255, 246, 236)
    return clip((0.12 + 0.84 * lumps) * shade[..., None] + shine)


def wood(picture: Picture, rng: np.random.Generator) -> Picture:
    """A relief cut into wood: growth rings bent by the form, gouge marks, brown in the cuts."""
    surface = surface_of(picture, depth=15, detail=0.4)
    along = np.full(luma(picture).shape, 0.08, np.float32), np.full(luma(picture).shape, 0.997, np.float32)
    fibre = smear(grain(picture, rng, 1.5), *along, 16)
    fibre = fibre / (fibre.std() + 1e-6)
    rings = 0.5 + 0.5 * np.sin(
        2 * np.pi * (2.2 * blur(surface.height, 6) + 0.35 * smear(grain(picture, rng, 8), *along, 20)) * 2.6
    )
    gouge = brush_texture(picture, rng, width=1.7, length=8)
    stain = even_tone(picture)
    tone = 0.06 + 0.74 * stain + 0.85 * (surface.lambert() - 0.62) - 0.9 * np.clip(surface.cavity(6), 0, 1)
    tone = tone + 0.035 * fibre + 0.06 * (rings - 0.5) + 0.03 * gouge
    body = ramp(np.clip(tone, 0, 1), (34, 16, 6), (104, 58, 26), (176, 112, 58), (224, 170, 104), (252, 222, 168))
    return clip(body + 0.10 * surface.gloss(10)[..., None])


def porcelain(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blue painting under a white glaze, as of Delft: two washes of cobalt, brush lines, gloss."""
    plane = even_tone(flatten(picture, 3, 2))
    wash = quantise(1 - np.clip(1.5 * plane + 0.02, 0, 1), 4, 0.5)
    flow = 1 + 0.11 * brush_texture(picture, rng, width=1.8, length=10)
    line = outlines(luma(picture), sigma=1.4, gain=16, threshold=0.008)
    cobalt = np.clip(0.95 * wash * flow + 0.75 * line, 0, 1)
    painted = ramp(cobalt, (246, 249, 252), (164, 190, 228), (66, 104, 188), (18, 44, 130), (8, 20, 78))
    glaze: Surface = raise_surface(blur(even_tone(picture), 3.5), depth=12)
    return clip(painted * (0.90 + 0.15 * glaze.lambert())[..., None] + 0.5 * glaze.gloss(60)[..., None])
