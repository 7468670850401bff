"""What the adversarial stage teaches: which looks' pictures are taken, which renders are walked, and from where."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trainer.looks import LOOKS

STRONG = (
    *("watercolor", "gouache", "oil painting", "impressionism", "charcoal", "pastel", "ink", "comic", "anime"),
    *("pixel art", "stained glass", "low poly", "pointillism", "risograph", "graffiti"),
    *("clay", "paper cut", "embroidery"),
)
"""The looks whose strokes squares and sliced distances leave undrawn."""
EFFORT = {look.name: 0.3 if look.kind in ("medium", "material") else 0.12 for look in LOOKS if look.name not in STRONG}
"""How often a picture of another look is taken, against 1 for the strong ones: they are to stay as they are."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is taught, and on which renders.

    Attributes:
        effort: how often a picture of a look is taken, in [0, 1]; always where the look is not named.
        shares: of the batches, by quality.
        noise, inverted: shares of the batches that begin at noise alone and at the inverted source alone.
        mixed: between which amounts of noise the others lie.
    """

    effort: Mapping[str, float]
    shares: Mapping[str, float]
    noise: float
    inverted: float
    mixed: tuple[float, float]


ALL = Lesson(effort=EFFORT, shares={"draft": 0.75, "standard": 0.25}, noise=0.3, inverted=0.3, mixed=(0.0, 1.0))
"""Every look, however it may be rendered."""


def lesson_of(looks: Collection[str]) -> Lesson:
    """Some looks alone, as they are to be rendered: mostly from noise that the inverted source shows through.

    A little of the others is taken, so that what is added to the look in a prompt keeps its sense.
    """
    effort = {look.name: 0.02 for look in LOOKS if look.name not in looks}
    return Lesson(effort=effort, shares={"draft": 0.5, "standard": 0.5}, noise=0.15, inverted=0.15, mixed=(0.5, 0.95))
