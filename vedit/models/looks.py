"""The looks of a gallery: those that a model lists, by name, by wording or as a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vedit.checks.nearest import did_you_mean
from vedit.errors import InputError
from vedit.models.source import DEFAULT

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.models.words import Look, Vocabulary

ADDITIONS = ("plain", "strength", "palette")
"""Kinds that are no look by themselves: they are added to one, or are the photograph."""
OTHER = "prompts"
"""The kind of a look that is a prompt and nothing that is listed."""
TITLES = {
    "medium": "Media",
    "material": "Materials",
    "light": "Light, season and weather",
    "tone": "Tones",
    "palette": "Palettes",
    "strength": "Strengths",
    "plain": "The photograph",
    OTHER: "Prompts",
}
"""What the kinds that the embedded model lists are called where looks stand by kind, in their order."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A look, and the prompt that asks for it."""

    name: str
    kind: str
    prompt: str
    weak: bool = False
    """The model stays far from what its name promises."""
    reason: str = ""
    """What it looks like instead, where it is weak."""


def usual_prompt(look: Look) -> str:
    """The prompt by which a listed look is asked for."""
    return look.wordings[0] if look.wordings else look.name


def choose_looks(model: ModelRef, asked: Sequence[str] = ()) -> tuple[Chosen, ...]:
    """The looks of a gallery.

    Args:
        model: whose looks they are.
        asked: names of looks and wordings of them, or prompts of words that the model knows; one text may hold
            several between commas. Of a model without a list, each text is one prompt. Nothing is every look.

    Raises:
        InputError: a name is not known, with the nearest; or nothing is asked of a model without a list.
        ModelError: the model's list of looks is damaged.
    """
    known = model.vocabulary
    told = [text.strip() for text in asked if text.strip()]
    if asked and not told:
        raise InputError("no look is named", remedy="for instance --of woodcut,night; `vedit looks` lists them")
    if known is None or not known.looks:
        if not told:
            raise InputError(
                f"{model.name} lists no looks of its own",
                remedy='name prompts, each with --of: --of "claymation, soft light"',
            )
        return tuple(Chosen(name=text, kind=OTHER, prompt=text) for text in dict.fromkeys(told))
    if not told:
        return tuple(_chosen(look) for look in known.looks if look.kind not in ADDITIONS)
    chosen: dict[str, Chosen] = {}
    for text in told:
        # A wording may hold a comma.
        whole = _listed_as(text, known) is not None
        for part in [text] if whole else [part.strip() for part in text.split(",") if part.strip()]:
            look = _listed_as(part, known) or _prompt(part, known, model.name)
            chosen.setdefault(look.prompt, look)
    return tuple(chosen.values())


def _chosen(look: Look) -> Chosen:
    return Chosen(name=look.name, kind=look.kind, prompt=usual_prompt(look), weak=look.weak, reason=look.reason)


def _listed_as(text: str, known: Vocabulary) -> Chosen | None:
    """A look by its name or, as it is worded, by a wording; None where there is none."""
    said = text.casefold()
    named = next((look for look in known.looks if look.name.casefold() == said), None)
    if named is not None:
        return _chosen(named)
    worded = ((look, way) for look in known.looks for way in look.wordings if way.casefold() == said)
    return next((replace(_chosen(look), name=way, prompt=way) for look, way in worded), None)


def _prompt(text: str, known: Vocabulary, name: str) -> Chosen:
    """A prompt that the model understands. Raises InputError for any other, with what was perhaps meant."""
    if known.knows(text) and not known.unknown(text):
        weak = next((look for look in known.named(text) if look.weak), None)
        return Chosen(
            name=text, kind=OTHER, prompt=text, weak=weak is not None, reason="" if weak is None else weak.reason
        )
    meant = known.meant(text)
    near = did_you_mean(text, [way for look in known.looks for way in look.spoken])
    hint = f"did you mean {meant!r}?" if meant is not None else near
    command = "vedit looks" if name == DEFAULT else f"vedit looks --model {name}"
    raise InputError(f"{name} knows no look {text!r}", remedy=f"{hint} `{command}` lists those that it knows".strip())
