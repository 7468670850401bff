"""The looks as pixels: for every name in `trainer.looks` a function (picture, rng) -> picture.

Deterministic for a picture and a generator state. Training data only; the installed package holds none of this.
"""

from collections.abc import Callable, Mapping

import numpy as np

from trainer.looks import Look
from trainer.styles import cells, light, line, paint, tone
from trainer.styles.base import Picture

Style = Callable[[Picture, np.random.Generator], Picture]

STYLES: Mapping[str, Style] = {
    "photograph": lambda picture, rng: picture,
    "watercolor": paint.watercolor,
    "oil painting": paint.oil,
    "impressionism": paint.impressionism,
    "pastel": paint.pastel,
    "pointillism": paint.pointillism,
    "poster": paint.poster,
    "anime": paint.anime,
    "pencil sketch": line.pencil,
    "colored pencil": line.colored_pencil,
    "charcoal": line.charcoal,
    "ink": line.ink,
    "engraving": line.engraving,
    "woodcut": line.woodcut,
    "comic": line.comic,
    "halftone": line.halftone,
    "pixel art": cells.pixel_art,
    "stained glass": cells.stained_glass,
    "low poly": cells.low_poly,
    "mosaic": cells.mosaic,
    "night": light.night,
    "sunset": light.sunset,
    "winter": light.winter,
    "autumn": light.autumn,
    "fog": light.fog,
    "underwater": light.underwater,
    "desert": light.desert,
    "noir": tone.noir,
    "black and white": tone.black_and_white,
    "sepia": tone.sepia,
    "vintage": tone.vintage,
    "neon": tone.neon,
    "cyberpunk": tone.cyberpunk,
    "blueprint": tone.blueprint,
    "thermal": tone.thermal,
    "vivid": tone.vivid,
    "pale": tone.pale,
}

ORDER = ("plain", "light", "medium", "tone")
"""Scene, then canvas, then grade."""


def dress(picture: Picture, looks: tuple[Look, ...], rng: np.random.Generator) -> Picture:
    """Apply `looks` in the order a picture is made; (H, W, 3) float32 in [0, 1] in and out, sides multiples of 8."""
    for look in sorted(looks, key=lambda look: ORDER.index(look.kind)):
        picture = STYLES[look.name](picture, rng)
    return picture
