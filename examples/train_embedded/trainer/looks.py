"""The looks: their names, kinds and wordings, and the words that alter them.

A look is one of four kinds, and a picture wears at most one of each: a material (bronze, ice ...) is what things are
made of, a light (night, winter ...) changes the scene, a medium (oil painting, comic ...) redraws it, a tone (noir,
neon ...) grades the result. A modifier makes all of it weaker or stronger, or gives it a palette. The pixels are made
in `trainer.styles`, the prompts in `trainer.prompts`; this file knows only words.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "material", "light", "medium", "tone"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look.

    Attributes:
        name: how it is listed.
        kind: what part of the picture it changes.
        wordings: noun phrases that mean it; any of them may stand alone as a prompt.
        tails: phrases that may follow another look's wording without a comma ("an oil painting" + "at night").
    """

    name: str
    kind: Kind
    wordings: tuple[str, ...]
    tails: tuple[str, ...] = ()


def _medium(name: str, *wordings: str) -> Look:
    return Look(name=name, kind="medium", wordings=wordings)


def _material(name: str, *wordings: str) -> Look:
    return Look(name=name, kind="material", wordings=wordings)


def _light(name: str, wordings: tuple[str, ...], tails: tuple[str, ...]) -> Look:
    return Look(name=name, kind="light", wordings=wordings, tails=tails)


def _tone(name: str, *wordings: str) -> Look:
    return Look(name=name, kind="tone", wordings=wordings)


PLAIN = Look(
    name="photograph",
    kind="plain",
    wordings=(
        "",
        "a photograph",
        "photo",
        "a photo of a scene",
        "a realistic photo",
        "video footage",
        "natural film still",
    ),
)

LOOKS: tuple[Look, ...] = (
    PLAIN,
    _medium("watercolor", "watercolor painting", "a watercolor", "watercolour", "watercolor style", "loose aquarelle"),
    _medium("gouache", "gouache painting", "gouache", "a gouache illustration", "opaque matte paint"),
    _medium(
        "oil painting",
        "an oil painting",
        "oil on canvas",
        "oil painting style",
        "thick impasto painting",
        "painted in oil",
    ),
    _medium("impressionism", "impressionist painting", "impressionism", "in the style of monet", "van gogh painting"),
    _medium("pencil sketch", "pencil sketch", "a pencil drawing", "graphite sketch", "pencil style"),
    _medium("colored pencil", "colored pencil drawing", "coloured pencil", "crayon drawing"),
    _medium("ballpoint", "ballpoint pen drawing", "ballpoint pen", "a blue pen sketch", "biro scribble"),
    _medium("charcoal", "charcoal drawing", "charcoal", "a charcoal sketch"),
    _medium("pastel", "pastel drawing", "soft pastel", "chalk pastel painting"),
    _medium("ink", "ink drawing", "ink wash", "sumi-e ink painting", "black ink", "brush and ink"),
    _medium("engraving", "engraving", "etching", "crosshatch drawing", "an old engraving"),
    _medium("comic", "comic book", "comic style", "a comic", "graphic novel panel"),
    _medium("anime", "anime", "anime style", "cel shaded animation", "cartoon", "animated film"),
    _medium("pixel art", "pixel art", "8-bit game", "retro video game pixels"),
    _medium("stained glass", "stained glass", "a stained glass window", "stained glass style"),
    _medium("halftone", "halftone print", "pop art", "halftone dots", "newspaper print"),
    _medium("low poly", "low poly", "low poly render", "polygon art", "triangle mesh"),
    _medium("woodcut", "woodcut", "a woodcut print", "linocut", "black and white relief print"),
    _medium("mosaic", "mosaic", "mosaic tiles", "roman mosaic", "a tile mosaic"),
    _medium("pointillism", "pointillism", "pointillist painting", "painted with dots"),
    _medium("poster", "screen print poster", "flat poster", "silkscreen", "vector art"),
    _medium("risograph", "risograph print", "risograph", "a riso print", "grainy three ink print"),
    _medium("ukiyo-e", "ukiyo-e print", "japanese woodblock print", "in the style of hokusai", "ukiyo-e"),
    _medium("graffiti", "graffiti", "spray paint graffiti", "street art mural", "spray painted wall"),
    _material("bronze", "bronze sculpture", "bronze", "a bronze statue", "cast in bronze", "bronze relief"),
    _material("gold", "gold sculpture", "a golden statue", "made of gold", "gilded", "polished gold"),
    _material("marble", "marble sculpture", "white marble", "a marble statue", "carved in marble", "stone relief"),
    _material("ice", "ice sculpture", "made of ice", "carved in ice", "frozen in clear ice"),
    _material("clay", "clay model", "claymation", "modelling clay", "made of clay", "plasticine"),
    _material("wood", "wood carving", "carved in wood", "a wooden relief", "made of wood"),
    _material("porcelain", "delft porcelain", "porcelain", "delft blue tiles", "blue and white china"),
    _material("paper cut", "paper cut", "layered paper", "paper cutout", "cut paper collage", "made of paper"),
    _material("embroidery", "embroidery", "embroidered", "needlework", "satin stitch", "sewn with thread"),
    _material("knitting", "knitted wool", "knitting", "a knitted sweater", "made of yarn"),
    _material("bricks", "toy bricks", "building bricks", "made of plastic bricks", "a brick model"),
    _light(
        "night", ("night", "night scene", "moonlit night", "dark night"), ("at night", "in the moonlight", "after dark")
    ),
    _light("sunset", ("sunset", "golden hour", "warm sunset light"), ("at sunset", "at dusk", "in golden light")),
    _light(
        "winter", ("winter", "snow", "snowy winter", "covered in snow"), ("in winter", "in the snow", "covered in snow")
    ),
    _light("autumn", ("autumn", "fall colors", "autumn leaves"), ("in autumn", "in the fall")),
    _light("fog", ("fog", "foggy morning", "thick mist", "hazy"), ("in fog", "in the mist")),
    _light("underwater", ("underwater", "under the sea", "deep ocean"), ("underwater", "under the sea")),
    _light("desert", ("desert", "dusty desert", "sandstorm", "mars"), ("in the desert", "on mars")),
    _light("rain", ("rain", "rainy day", "a downpour"), ("in the rain", "on a rainy day")),
    _light(
        "storm",
        ("storm", "storm clouds", "thunderstorm", "dramatic stormy sky"),
        ("in a storm", "under storm clouds", "before the storm"),
    ),
    _light(
        "aurora",
        ("aurora", "northern lights", "aurora borealis"),
        ("under the northern lights", "under an aurora"),
    ),
    _light(
        "blossom",
        ("cherry blossom", "spring", "blossoming spring", "pink blossoms"),
        ("in spring", "in blossom", "among cherry blossoms"),
    ),
    _tone("noir", "film noir", "noir", "high contrast black and white"),
    _tone("black and white", "black and white", "monochrome", "grayscale"),
    _tone("sepia", "sepia", "sepia tone", "an old sepia photograph", "daguerreotype"),
    _tone("vintage", "vintage", "faded vintage film", "retro polaroid", "1970s film"),
    _tone("neon", "neon", "neon lights", "glowing neon lines", "tron"),
    _tone("cyberpunk", "cyberpunk", "cyberpunk city", "vaporwave", "synthwave"),
    _tone("blueprint", "blueprint", "cyanotype", "technical blueprint drawing"),
    _tone("thermal", "thermal camera", "heat map", "thermal imaging"),
    _tone("infrared", "infrared photograph", "infrared film", "infrared"),
    _tone("vhs", "vhs tape", "vhs", "glitchy video tape", "analog camcorder"),
    _tone("duotone", "duotone", "duotone print", "violet and peach duotone"),
    _tone("vivid", "vivid colors", "vibrant", "saturated colors", "hdr"),
    _tone("pale", "pale colors", "muted", "washed out", "desaturated"),
)


@dataclass(frozen=True, kw_only=True)
class Modifier:
    """What a word does to all looks of a picture: makes them weaker or stronger, or recolours the result.

    Attributes:
        name: how it is listed.
        kind: what it changes.
        adjectives: words that stand before a noun ("a subtle watercolor").
        phrases: what may stand by itself, after a comma or before one.
        tails: what may follow without a comma ("in teal and orange").
    """

    name: str
    kind: Literal["strength", "palette"]
    adjectives: tuple[str, ...] = ()
    phrases: tuple[str, ...]
    tails: tuple[str, ...] = ()


STRENGTHS: tuple[Modifier, ...] = (
    Modifier(
        name="subtle",
        kind="strength",
        adjectives=("subtle", "slight", "light", "faint", "gentle"),
        phrases=("subtle", "slight", "subtle effect", "slightly", "only a hint", "with a light touch"),
    ),
    Modifier(
        name="heavy",
        kind="strength",
        adjectives=("heavy", "strong", "bold", "intense", "extreme"),
        phrases=("heavy", "strong", "bold", "strong effect", "very intense", "extreme"),
    ),
)


def _palette(name: str, *, also: tuple[str, ...] = ()) -> Modifier:
    """A colour, or two with "and", which may be said the other way about."""
    first, _, second = name.partition(" and ")
    said = (name, *((f"{second} and {first}",) if second else ()))
    phrases = [f"{s} {noun}" for s in said for noun in ("colors", "colours", "tones", "palette", "color grading")]
    tails = [text for s in said for text in (f"in {s}", f"in shades of {s}", f"with a {s} palette")]
    return Modifier(name=name, kind="palette", phrases=(*phrases, *also), tails=tuple(tails))


def _scheme(name: str, *wordings: str) -> Modifier:
    """A palette without colours to name."""
    return Modifier(name=name, kind="palette", phrases=wordings, tails=tuple(f"in {wording}" for wording in wordings))


PALETTES: tuple[Modifier, ...] = (
    _palette("red", also=("all red",)),
    _palette("orange", also=("all orange",)),
    _palette("yellow", also=("all yellow",)),
    _palette("green", also=("all green",)),
    _palette("teal", also=("turquoise colors",)),
    _palette("blue", also=("all blue",)),
    _palette("purple", also=("violet colors",)),
    _palette("pink", also=("all pink",)),
    _palette("brown", also=("chocolate brown",)),
    _palette("teal and orange", also=("blockbuster colors",)),
    _palette("blue and gold"),
    _palette("pink and blue"),
    _palette("purple and green"),
    _palette("red and black"),
    _scheme("pastel colors", "pastel colors", "pastel colours", "pastel tones", "soft pastel colors"),
    _scheme("earth tones", "earth tones", "earthy colors", "earth colours"),
    _scheme("warm colors", "warm colors", "warm colours", "warm tones"),
    _scheme("cool colors", "cool colors", "cold colours", "cool tones"),
)


def look_named(name: str) -> Look:
    """The look called `name`.

    Raises:
        KeyError: there is none.
    """
    for look in LOOKS:
        if look.name == name:
            return look
    raise KeyError(f"no look {name!r}; there are {', '.join(look.name for look in LOOKS)}")
