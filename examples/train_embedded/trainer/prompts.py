"""What a training picture wears, and the prompt that says so: many wordings, any order, known and unknown subjects."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.looks import LOOKS, PALETTES, PLAIN, STRENGTHS, Kind, Look, Modifier, look_named

FILLERS = (
    "detailed",
    "beautiful",
    "high quality",
    "masterpiece",
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

PLAIN_SHARE, SINGLE_SHARE, PAIR_SHARE = 0.15, 0.56, 0.25
"""Of pictures that wear nothing, one look and two looks; the rest wear three."""
STRENGTH_SHARE, PALETTE_SHARE = 0.13, 0.10
"""Of styled pictures that are made weaker or stronger, and of pictures without a tone that are recoloured: most looks
are learnt as they are."""


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """All that a picture wears.

    Attributes:
        looks: at most one of each kind, in any order.
        strength: "subtle" or "heavy", for all of the looks; None as they are.
        palette: the name of one of `PALETTES`, or None.
    """

    looks: tuple[Look, ...]
    strength: str | None = None
    palette: str | None = None

    def note(self) -> dict[str, Any]:
        """As JSON."""
        return {"looks": [look.name for look in self.looks], "strength": self.strength, "palette": self.palette}

    @classmethod
    def of_note(cls, note: dict[str, Any]) -> "Outfit":
        """What `note` made."""
        looks = tuple(look_named(name) for name in note["looks"])
        return cls(looks=looks, strength=note["strength"], palette=note["palette"])

    @property
    def drawn(self) -> Look:
        """The look that decides most what strokes there are: a medium before a material, light or tone."""
        order: tuple[Kind, ...] = ("medium", "material", "light", "tone", "plain")
        return min(self.looks, key=lambda look: order.index(look.kind))

    @property
    def plain(self) -> bool:
        """Is it the photograph as filmed?"""
        return self.looks == (PLAIN,) and self.palette is None


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Draw what a training picture wears: mostly one look as it is, sometimes more, altered, or nothing."""
    looks = _draw_looks(rng)
    strength = None if looks == (PLAIN,) or rng.random() > STRENGTH_SHARE else STRENGTHS[int(rng.integers(2))].name
    # A grade and a palette are two answers to the same question.
    graded = any(look.kind == "tone" for look in looks)
    palette = None if graded or rng.random() > PALETTE_SHARE else PALETTES[int(rng.integers(len(PALETTES)))].name
    return Outfit(looks=looks, strength=strength, palette=palette)


def _draw_looks(rng: np.random.Generator) -> tuple[Look, ...]:
    share = rng.random()
    kinds: tuple[Kind, ...]
    if share < PLAIN_SHARE:
        return (PLAIN,)
    if share < PLAIN_SHARE + SINGLE_SHARE:
        # By kind first: media are the hardest to learn and get the most.
        singles: tuple[Kind, ...] = ("medium", "material", "light", "tone")
        kinds = (singles[int(rng.choice(4, p=[0.44, 0.20, 0.18, 0.18]))],)
    elif share < PLAIN_SHARE + SINGLE_SHARE + PAIR_SHARE:
        pairs: tuple[tuple[Kind, ...], ...] = (
            ("medium", "light"),
            ("medium", "tone"),
            ("material", "light"),
            ("material", "tone"),
            ("light", "tone"),
        )
        kinds = pairs[int(rng.choice(5, p=[0.36, 0.24, 0.16, 0.08, 0.16]))]
    else:
        kinds = ("medium" if rng.random() < 0.7 else "material", "light", "tone")
    of_kind = {kind: [look for look in LOOKS if look.kind == kind] for kind in kinds}
    return tuple(of_kind[kind][int(rng.integers(len(of_kind[kind])))] for kind in kinds)


def word(outfit: Outfit, rng: np.random.Generator) -> str:
    """A prompt for an outfit: one of many wordings, sometimes with a subject, fillers or words that mean nothing."""
    order = list(outfit.looks)
    if rng.random() < 0.25:
        order = [order[i] for i in rng.permutation(len(order))]
    strength = next((m for m in STRENGTHS if m.name == outfit.strength), None)
    before = strength is not None and rng.random() < 0.6
    text = ""
    for number, look in enumerate(order):
        if text and look.tails and rng.random() < 0.6:
            text += " " + _pick(look.tails, rng)
            continue
        phrase = _pick(look.wordings, rng)
        if strength is not None and before and number == 0:
            phrase = _qualified(phrase, _pick(strength.adjectives, rng))
        if text == "" and phrase and rng.random() < 0.35:
            subject = _pick(SUBJECTS, rng) if rng.random() < 0.7 else _unknown_word(rng)
            phrase = f"{phrase} of {subject}" if rng.random() < 0.5 else f"{subject}, {phrase}"
        text += (", " if text and phrase else "") + phrase
    if strength is not None and not before:
        text = _beside(text, _pick(strength.phrases, rng), rng)
    if outfit.palette is not None:
        text = _coloured(text, next(m for m in PALETTES if m.name == outfit.palette), rng)
    if text and rng.random() < 0.2:
        text += ", " + _pick(FILLERS, rng)
    return text


def known_words() -> tuple[str, ...]:
    """Every word that occurs in training, sorted: what the tokenizer holds whole (it always splits off digits)."""
    phrases = [p for look in LOOKS for p in look.wordings + look.tails] + list(FILLERS + SUBJECTS) + ["of"]
    phrases += [p for m in STRENGTHS + PALETTES for p in m.adjectives + m.phrases + m.tails]
    return tuple(sorted({w for phrase in phrases for w in re.findall(r"[a-z]+", phrase.lower())}))


def _pick(phrases: tuple[str, ...], rng: np.random.Generator) -> str:
    return phrases[int(rng.integers(len(phrases)))]


def _unknown_word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), int(rng.integers(3, 9))))


def _qualified(phrase: str, adjective: str) -> str:
    """The adjective where it belongs: "an oil painting" becomes "a heavy oil painting"."""
    found = re.fullmatch(r"(?:(a|an|the) )?(.+)", phrase)
    if found is None:
        return adjective
    article, noun = found.groups()
    if noun.split()[0] in {"in", "under", "made", "carved", "cast", "painted", "sewn", "covered", "frozen"}:
        return f"{phrase}, {adjective}"
    if article in {"a", "an"}:
        article = "an" if adjective[0] in "aeiou" else "a"
    return f"{article} {adjective} {noun}" if article else f"{adjective} {noun}"


def _beside(text: str, phrase: str, rng: np.random.Generator) -> str:
    """Before or after what is there, with a comma."""
    if not text:
        return phrase
    return f"{text}, {phrase}" if rng.random() < 0.7 else f"{phrase}, {text}"


def _coloured(text: str, palette: Modifier, rng: np.random.Generator) -> str:
    if text and rng.random() < 0.55:
        return f"{text} {_pick(palette.tails, rng)}"
    return _beside(text, _pick(palette.phrases + palette.tails, rng), rng)
