"""The looks: their names, kinds and wordings, and the prompts made of them.

A look is one of three kinds, and a picture wears at most one of each: a light (night, winter ...) changes the scene, a
medium (oil painting, comic ...) redraws it, a tone (noir, neon ...) grades the result. The pixels are made in
`trainer.styles`; this file knows only words, and is what `looks.json` beside the weights is written from.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["plain", "medium", "light", "tone"]


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
    _medium("woodcut", "woodcut", "a woodcut print", "linocut", "wood block print"),
    _medium("mosaic", "mosaic", "mosaic tiles", "roman mosaic", "a tile mosaic"),
    _medium("pointillism", "pointillism", "pointillist painting", "painted with dots"),
    _medium("poster", "screen print poster", "flat poster", "gouache poster", "paper cut", "vector art"),
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
    _tone("noir", "film noir", "noir", "high contrast black and white"),
    _tone("black and white", "black and white", "monochrome", "grayscale"),
    _tone("sepia", "sepia", "sepia tone", "an old sepia photograph", "daguerreotype"),
    _tone("vintage", "vintage", "faded vintage film", "retro polaroid", "1970s film"),
    _tone("neon", "neon", "neon lights", "glowing neon lines", "tron"),
    _tone("cyberpunk", "cyberpunk", "cyberpunk city", "vaporwave", "synthwave"),
    _tone("blueprint", "blueprint", "cyanotype", "technical blueprint drawing"),
    _tone("thermal", "thermal camera", "heat map", "infrared thermal"),
    _tone("vivid", "vivid colors", "vibrant", "saturated colors", "hdr"),
    _tone("pale", "pale colors", "muted", "washed out", "desaturated"),
)

FILLERS = (
    "detailed",
    "beautiful",
    "high quality",
    "masterpiece",
    "in color",
    "cinematic",
    "soft",
    "best quality",
    "art",
)
SUBJECTS = (
    "a man", "a woman", "people", "a dog", "a cat", "a bird", "a horse", "a car", "a street", "a city", "a house",
    "a forest", "a tree", "a mountain", "the sea", "a beach", "a river", "a garden", "flowers", "a room", "food",
    "a scene", "a landscape", "a portrait", "a face", "a person walking", "a boat", "a train", "a road", "a park",
    "the sky",
)  # fmt: skip


def look_named(name: str) -> Look:
    """The look called `name`.

    Raises:
        KeyError: there is none.
    """
    for look in LOOKS:
        if look.name == name:
            return look
    raise KeyError(f"no look {name!r}; there are {', '.join(look.name for look in LOOKS)}")


def draw_looks(rng: np.random.Generator) -> tuple[Look, ...]:
    """Draw what a training picture wears: mostly one look, sometimes two or three of different kinds, or none."""
    by_kind = {kind: [look for look in LOOKS if look.kind == kind] for kind in ("medium", "light", "tone")}
    share = rng.random()
    if share < 0.16:
        return (PLAIN,)
    if share < 0.68:
        # By kind first: media are the hardest to learn and get the most.
        kinds = [str(rng.choice(["medium", "light", "tone"], p=[0.6, 0.2, 0.2]))]
    elif share < 0.96:
        kinds = [["medium", "light"], ["medium", "tone"], ["light", "tone"]][int(rng.choice(3, p=[0.5, 0.35, 0.15]))]
    else:
        kinds = ["medium", "light", "tone"]
    return tuple(by_kind[kind][int(rng.integers(len(by_kind[kind])))] for kind in kinds)


def _unknown_word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), int(rng.integers(3, 9))))


def word(looks: tuple[Look, ...], rng: np.random.Generator) -> str:
    """A prompt for `looks`: one of many wordings, sometimes with a subject, fillers or words that mean nothing."""
    order = list(looks)
    if rng.random() < 0.25:
        order = [order[i] for i in rng.permutation(len(order))]
    text = ""
    for look in order:
        if text and look.tails and rng.random() < 0.6:
            text += " " + look.tails[int(rng.integers(len(look.tails)))]
        else:
            phrase = look.wordings[int(rng.integers(len(look.wordings)))]
            if text == "" and phrase and rng.random() < 0.35:
                subject = SUBJECTS[int(rng.integers(len(SUBJECTS)))] if rng.random() < 0.7 else _unknown_word(rng)
                phrase = f"{phrase} of {subject}" if rng.random() < 0.5 else f"{subject}, {phrase}"
            text += (", " if text else "") + phrase
    if text and rng.random() < 0.2:
        text += ", " + FILLERS[int(rng.integers(len(FILLERS)))]
    return text


def known_words() -> tuple[str, ...]:
    """Every word that occurs in training, sorted: what the tokenizer holds whole (it always splits off digits)."""
    phrases = [p for look in LOOKS for p in look.wordings + look.tails] + list(FILLERS + SUBJECTS) + ["of"]
    return tuple(sorted({w for phrase in phrases for w in re.findall(r"[a-z]+", phrase.lower())}))
