"""The looks as pixels: for every name in `trainer.looks` a function (picture, rng) -> picture.

Deterministic for a picture and a generator state. Training data only; the installed package holds none of this.
"""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import numpy as np

from trainer.looks import Look
from trainer.styles import cells, craft, light, line, material, paint, printed, tone, weather
from trainer.styles.base import Picture
from trainer.styles.palette import recolour
from trainer.styles.strength import Style, heavy, subtle


class Light(Protocol):
    """A style of light or season."""

    def __call__(self, picture: Picture, rng: np.random.Generator, scene: Picture | None = None) -> Picture:
        """`picture` in this light; sky, leaves and skin are those of `scene`, where that is given."""
        ...


LIGHTS: Mapping[str, Light] = {
    "night": light.night,
    "sunset": light.sunset,
    "winter": light.winter,
    "autumn": light.autumn,
    "desert": light.desert,
    "rain": weather.rain,
    "storm": weather.storm,
    "aurora": weather.aurora,
    "blossom": weather.blossom,
}
"""Those that ask what is sky, leaf or skin, and can be told to look for it in the photograph (`scene`)."""

STYLES: Mapping[str, Style] = {
    "photograph": lambda picture, rng: picture,
    "watercolor": paint.watercolor,
    "gouache": paint.gouache,
    "oil painting": paint.oil,
    "impressionism": paint.impressionism,
    "pastel": paint.pastel,
    "pointillism": paint.pointillism,
    "anime": paint.anime,
    "pencil sketch": line.pencil,
    "colored pencil": line.colored_pencil,
    "ballpoint": line.ballpoint,
    "charcoal": line.charcoal,
    "ink": line.ink,
    "engraving": line.engraving,
    "woodcut": line.woodcut,
    "comic": line.comic,
    "poster": printed.poster,
    "halftone": printed.halftone,
    "risograph": printed.risograph,
    "ukiyo-e": printed.ukiyo_e,
    "graffiti": printed.graffiti,
    "pixel art": cells.pixel_art,
    "stained glass": cells.stained_glass,
    "low poly": cells.low_poly,
    "mosaic": cells.mosaic,
    "bronze": material.bronze,
    "gold": material.gold,
    "marble": material.marble,
    "ice": material.ice,
    "clay": material.clay,
    "wood": material.wood,
    "porcelain": material.porcelain,
    "paper cut": craft.paper_cut,
    "embroidery": craft.embroidery,
    "knitting": craft.knitting,
    "bricks": craft.bricks,
    "fog": light.fog,
    "underwater": light.underwater,
    **LIGHTS,
    "noir": tone.noir,
    "black and white": tone.black_and_white,
    "sepia": tone.sepia,
    "vintage": tone.vintage,
    "neon": tone.neon,
    "cyberpunk": tone.cyberpunk,
    "blueprint": tone.blueprint,
    "thermal": tone.thermal,
    "infrared": tone.infrared,
    "vhs": tone.vhs,
    "duotone": tone.duotone,
    "vivid": tone.vivid,
    "pale": tone.pale,
}

ORDER = ("plain", "material", "light", "medium", "tone")
"""What things are made of, the light on them, the canvas, the grade."""

ALTERED = {"subtle": subtle, "heavy": heavy}


def dress(
    picture: Picture,
    looks: tuple[Look, ...],
    rng: np.random.Generator,
    *,
    strength: str | None = None,
    palette: str | None = None,
) -> Picture:
    """Apply `looks` in the order a picture is made; (H, W, 3) float32 in [0, 1] in and out, sides multiples of 8.

    Args:
        strength: "subtle" or "heavy", for each of the looks.
        palette: one of `trainer.looks.PALETTES` by name; comes last, over all that is there.
    """
    scene = picture
    for look in sorted(looks, key=lambda look: ORDER.index(look.kind)):
        # Bronze has no blue sky and no green leaves.
        style = partial(LIGHTS[look.name], scene=scene) if look.name in LIGHTS else STYLES[look.name]
        if strength is None:
            picture = style(picture, rng)
        else:
            picture = ALTERED[strength](style, picture, rng, name=look.name, kind=look.kind)
    return picture if palette is None else recolour(picture, palette)
