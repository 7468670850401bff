"""Colour words as pixels: a grade in CIE Lab that changes hue and chroma and leaves the order of brightness alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trainer.styles.base import Picture, Plane, clip, smoothstep

# Linear sRGB to XYZ relative to D65 (IEC 61966-2-1), so that white is (1, 1, 1).
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])
_FROM_XYZ = np.linalg.inv(_TO_XYZ)

COLOURS: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "red": ((48, 30), (56, 36)),
    "orange": ((28, 44), (34, 66)),
    "yellow": ((4, 46), (0, 74)),
    "green": ((-34, 22), (-44, 38)),
    "teal": ((-24, -14), (-36, -6)),
    "blue": ((14, -52), (-6, -46)),
    "purple": ((40, -50), (34, -38)),
    "pink": ((52, -8), (44, -4)),
    "brown": ((16, 24), (14, 34)),
    "teal and orange": ((-24, -16), (30, 52)),
    "blue and gold": ((14, -52), (10, 62)),
    "pink and blue": ((16, -54), (48, -8)),
    "purple and green": ((42, -52), (-44, 46)),
    "red and black": ((8, 5), (76, 54)),
}
"""a* and b* of the shadows and of the lights."""

TINTS: Mapping[str, tuple[float, float, float]] = {
    "earth tones": (0.35, 9, 20),
    "warm colors": (0.75, 14, 26),
    "cool colors": (0.70, -6, -26),
}
"""The share of its own chroma that a picture keeps, and the a* and b* added."""


def to_lab(picture: Picture) -> NDArray[np.float32]:
    """sRGB in [0, 1] to CIE L*a*b*, D65: L in [0, 100]."""
    linear = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], 2)
    return lab.astype(np.float32)


def from_lab(lab: NDArray[np.float32]) -> Picture:
    """CIE L*a*b* to sRGB; what lies outside is drawn towards the gray of the same luminance, not clipped."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], 2)
    xyz = np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389)
    linear = xyz @ _FROM_XYZ.T
    gray = np.clip(xyz[..., 1:2], 0, 1)
    away = linear - gray
    room = np.where(away > 0, 1 - gray, gray) / np.maximum(np.abs(away), 1e-9)
    linear = np.clip(gray + away * np.minimum(room.min(2, keepdims=True), 1), 0, 1)
    return clip(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def recolour(picture: Picture, name: str) -> Picture:
    """The picture in the palette called `name`.

    Raises:
        KeyError: there is none.
    """
    lab = to_lab(picture)
    light, own = lab[..., 0], lab[..., 1:]
    if name == "pastel colors":
        chroma = np.hypot(own[..., 0], own[..., 1])[..., None]
        soft = own * (24 * np.tanh(chroma / 22) / (chroma + 1e-3))
        return from_lab(np.concatenate([50 + 0.48 * light[..., None], soft], 2))
    if name in TINTS:
        keep, a, b = TINTS[name]
        tinted = keep * own + np.array([a, b], np.float32) * _presence(light)[..., None]
        return from_lab(np.concatenate([light[..., None], tinted], 2))
    # In the brightest light there is no room for a strong colour; brightness is lowered evenly, order kept.
    light = light * np.float32(0.86 if name != "yellow" else 0.94)
    if name == "red and black":
        light = light**2 / (light + 24)
    shadow, high = (np.array(pair, np.float32) for pair in COLOURS[name])
    place = smoothstep(light, 8, 55) if name == "red and black" else light / 100
    if " and " in name and name != "red and black":
        # Of two colours the warm parts of the scene take the warmer one: faces before a wall, as in a film's grade.
        warmth = own @ np.array([0.3, 0.8], np.float32) / 50
        warmer = 1 if high[1] + 0.4 * high[0] > shadow[1] + 0.4 * shadow[0] else -1
        place = smoothstep(place + 0.45 * warmer * warmth, 0.28, 0.72)
    target = shadow + (high - shadow) * place[..., None]
    graded = 0.12 * own + target * _presence(light)[..., None]
    return from_lab(np.concatenate([light[..., None], graded], 2).astype(np.float32))


def _presence(light: Plane) -> Plane:
    """Colour fades towards black and white, where there is no room for it."""
    return smoothstep(light, 0, 28) * (1 - 0.6 * smoothstep(light, 82, 100))
