"""Strength words: a look made weaker or stronger by what it is made with, not by fading it in and out alone."""

from collections.abc import Callable

import cv2
import numpy as np

from trainer.looks import Kind
from trainer.styles.base import Picture, blur, clip, contrast, mix, saturate

Style = Callable[[Picture, np.random.Generator], Picture]

ON_THE_GRID = frozenset({"pixel art", "bricks", "knitting"})
"""Looks of 8-pixel cells, which stay whole at twice the size and at no other."""


def subtle(style: Style, picture: Picture, rng: np.random.Generator, *, name: str, kind: Kind) -> Picture:
    """The look at about half its strength: finer strokes for what is drawn, a thinner layer for the rest."""
    if kind in ("medium", "material") and name not in ON_THE_GRID:
        return clip(mix(picture, _scaled(style, picture, rng, 1.35), 0.58))
    return clip(mix(picture, style(picture, rng), 0.5))


def heavy(style: Style, picture: Picture, rng: np.random.Generator, *, name: str, kind: Kind) -> Picture:
    """The look at about one and a half times its strength.

    What is drawn gets larger strokes and louder paint, weather comes twice over, and a grade gets more contrast.
    """
    if kind in ("medium", "material"):
        loud = contrast(saturate(picture, 1.25), 1.15)
        return _scaled(style, loud, rng, 0.5 if name in ON_THE_GRID else 0.64)
    once = style(picture, rng)
    if kind == "light":
        return clip(mix(once, style(once, rng), 0.5) + 0.15 * (once - picture))
    again = contrast(saturate(style(contrast(picture, 1.3), rng), 1.35), 1.2)
    return clip(again)


def _scaled(style: Style, picture: Picture, rng: np.random.Generator, factor: float) -> Picture:
    """The style on a picture of another size: its strokes are 1 / `factor` times as large, the scene stays."""
    height, width = picture.shape[:2]
    sides = max(8, round(width * factor / 8) * 8), max(8, round(height * factor / 8) * 8)
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    back = cv2.INTER_AREA if factor > 1 else cv2.INTER_CUBIC
    if factor == 0.5:
        back = cv2.INTER_NEAREST
    styled = style(clip(cv2.resize(picture, sides, interpolation=way)), rng)
    styled = cv2.resize(styled, (width, height), interpolation=back)
    # Enlarged strokes are soft: their borders are drawn again.
    return clip(styled if factor >= 1 else styled + 0.7 * (styled - blur(styled, 1.3)))
