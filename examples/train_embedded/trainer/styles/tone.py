"""Grades of the whole picture: noir, sepia, neon, blueprint, thermal ..."""

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
    gradient,
    gray3,
    luma,
    mix,
    mix_planes,
    noise,
    saturate,
    smoothstep,
)
from trainer.styles.cues import foliage, sky
from trainer.styles.relief import even_tone, ramp


def _lines(picture: Picture) -> Plane:
    """Edges in [0, 1] with a soft knee."""
    edge = np.max([gradient(picture[..., c], 1.0)[2] for c in range(3)], 0)
    return smoothstep(edge.astype(np.float32), 0.02, 0.10)


def noir(picture: Picture, rng: np.random.Generator) -> Picture:
    """Black and white with crushed shadows and hard light."""
    plane = luma(picture)
    local = plane + 0.6 * (plane - blur(plane, 12))
    return gray3(smoothstep(local, 0.22, 0.80))


def black_and_white(picture: Picture, rng: np.random.Generator) -> Picture:
    """Brightness alone."""
    return gray3(luma(picture))


def sepia(picture: Picture, rng: np.random.Generator) -> Picture:
    """Brown print on cream."""
    return clip(ramp(contrast(luma(picture), 0.95), (38, 22, 10), (140, 100, 60), (248, 228, 190)))


def vintage(picture: Picture, rng: np.random.Generator) -> Picture:
    """Faded film: lifted greenish blacks, yellow whites."""
    faded = saturate(picture, 0.7) * 0.72
    return clip(faded * colour(255, 238, 196) + colour(52, 46, 40) + 0.012 * grain(picture, rng, 1.2)[..., None])


def neon(picture: Picture, rng: np.random.Generator) -> Picture:
    """Glowing outlines on black, coloured by what they outline."""
    line = _lines(picture)
    hsv = cv2.cvtColor(blur(picture, 4), cv2.COLOR_RGB2HSV)
    # Hue from brightness as well: gray scenes glow in more than one colour.
    hsv[..., 0] = (hsv[..., 0] + 200 * blur(luma(picture), 4) + 160) % 360
    hsv[..., 1:] = 1
    light = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    core = light * line[..., None]
    glow = blur(core, 4) * 1.1 + blur(core, 1.2) * 0.7
    return clip(picture * colour(22, 16, 44) + glow + 0.55 * (line**2)[..., None] * (0.5 + light))


def cyberpunk(picture: Picture, rng: np.random.Generator) -> Picture:
    """Magenta lights, cyan shadows, deep violet blacks, bloom."""
    plane = contrast(luma(picture), 1.35)
    grade = ramp(plane, (12, 4, 34), (30, 40, 120), (226, 30, 160), (120, 240, 255))
    scene = mix(grade, saturate(picture, 1.5), 0.15)
    bloom = blur(scene * smoothstep(plane, 0.55, 0.9)[..., None], 6)
    return clip(scene + 0.45 * bloom)


def blueprint(picture: Picture, rng: np.random.Generator) -> Picture:
    """White lines on blue."""
    tone = mix(colour(14, 44, 112), colour(40, 86, 168), luma(picture))
    return clip(mix(tone, colour(232, 242, 255), 0.95 * _lines(picture)))


def thermal(picture: Picture, rng: np.random.Generator) -> Picture:
    """False colour from cold blue to hot white."""
    plane = contrast(blur(luma(picture), 1.8), 1.2)
    return clip(ramp(plane, (4, 4, 40), (70, 0, 140), (200, 20, 90), (252, 120, 10), (255, 225, 40), (255, 255, 235)))


def vivid(picture: Picture, rng: np.random.Generator) -> Picture:
    """Strong colour and local contrast."""
    plane = luma(picture)
    local = picture + 0.5 * (plane - blur(plane, 10))[..., None]
    return contrast(saturate(clip(local), 1.9), 1.12)


def pale(picture: Picture, rng: np.random.Generator) -> Picture:
    """Little colour, little contrast, bright."""
    return clip(saturate(picture, 0.4) * 0.6 + 0.34)


def infrared(picture: Picture, rng: np.random.Generator) -> Picture:
    """False-colour infrared film: leaves glow rose-white, the sky is nearly black, all else is cold steel and cream."""
    plane = luma(picture)
    red = np.clip(picture @ np.array([0.75, 0.30, -0.05], np.float32), 0, 1)
    leaf, open_sky = foliage(picture), sky(picture)
    glowing = np.clip(0.36 + 0.62 * plane + 1.2 * (plane - blur(plane, 6)), 0, 1)
    light = mix_planes(contrast(red, 1.15), glowing, leaf)
    light = mix_planes(light, 0.30 * red**1.5, open_sky)
    light = clip(light + 0.14 * blur(light * smoothstep(light, 0.7, 1.0), 5) + 0.01 * grain(picture, rng, 1.2))
    film = ramp(light, (2, 14, 30), (34, 78, 104), (146, 166, 176), (255, 238, 214))
    return clip(mix(film, ramp(light, (60, 8, 40), (196, 84, 128), (255, 214, 222)), 0.75 * leaf))


def vhs(picture: Picture, rng: np.random.Generator) -> Picture:
    """Worn video tape: colour smeared to the right, dark scan lines, a torn line or two; all of it of the screen."""
    height, width = picture.shape[:2]
    ycc = cv2.cvtColor(contrast(saturate(picture, 1.5), 1.08), cv2.COLOR_RGB2YCrCb)
    jitter = np.zeros((height, 1), np.float32)
    rows = rng.standard_normal((height // 4 + 1, 1)).astype(np.float32)
    jitter[:] = np.repeat(rows, 4, 0)[:height] * 0.7
    torn = np.repeat((rng.random((height // 8 + 1, 1)) > 0.98).astype(np.float32), 8, 0)[:height]
    jitter += 9 * torn
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = cv2.remap(ycc, xs + jitter, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    chroma = cv2.GaussianBlur(moved, (0, 0), sigmaX=5, sigmaY=1.2)
    chroma = np.roll(chroma, 5, 1)
    soft = cv2.GaussianBlur(moved[..., 0], (0, 0), sigmaX=1.4, sigmaY=0.5)
    sharp = soft + 0.8 * (soft - cv2.GaussianBlur(soft, (0, 0), sigmaX=2.5, sigmaY=0.6))
    ycc = np.stack([sharp, chroma[..., 1], chroma[..., 2]], 2)
    scene = cv2.cvtColor(clip(ycc), cv2.COLOR_YCrCb2RGB)
    lines = 0.90 + 0.10 * np.sign(np.sin(np.pi * (ys + 0.5) / 2))
    snow = torn * np.clip(noise(picture.shape, rng, 0.8), 0, 1)
    return clip(scene * lines[..., None] * colour(238, 246, 255) + colour(16, 10, 26) + 0.5 * snow[..., None])


def duotone(picture: Picture, rng: np.random.Generator) -> Picture:
    """Two inks: violet in the shadows, peach in the lights."""
    return clip(ramp(contrast(even_tone(picture, 60), 1.1), (44, 10, 92), (214, 62, 120), (255, 214, 150)))
