"""The looks that a model was trained on, as its looks.json lists them, and the choice of some of them by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from vedit.errors import InputError
from vedit.models import LOOKS, known_words, resolve, unknown_words
from vedit.models.configs import damaged, read_json

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
class Look:
    """A look, as it is listed and as a prompt says it."""

    name: str
    kind: str
    wordings: tuple[str, ...]
    """Prompts that mean it, the usual one first."""

    @property
    def prompt(self) -> str:
        """What is asked of the model."""
        return self.wordings[0] if self.wordings else self.name


def known_looks(model: str) -> tuple[Look, ...] | None:
    """The looks that a model's looks.json lists, the additions to looks among them; None where it has no list.

    Raises:
        ModelError: as `vedit.models.resolve`, or the list is damaged.
    """
    path = Path(resolve(model).on_disk.base) / LOOKS
    if not path.is_file():
        return None
    listed = read_json(path).get("looks", [])
    if not isinstance(listed, list):
        raise damaged(path, "has no list 'looks'")
    return tuple(_look(path, entry) for entry in cast("list[object]", listed)) or None


def choose_looks(model: str, asked: Sequence[str] = ()) -> tuple[Look, ...]:
    """The looks of a gallery.

    Args:
        model: by any name that `vedit.models.resolve` takes.
        asked: names of looks and wordings of them, or prompts of words that the model knows; one text may hold
            several between commas. Of a model without a list, each text is one prompt. Nothing is every look.

    Raises:
        InputError: a name is not known, with the nearest; or nothing is asked of a model without a list.
        ModelError: as `known_looks`.
    """
    listed = known_looks(model)
    told = [text.strip() for text in asked if text.strip()]
    if listed is None:
        if not told:
            raise InputError(
                f"{model} lists no looks of its own",
                remedy='name prompts, each with --of: --of "claymation, soft light"',
            )
        return tuple(Look(name=text, kind=OTHER, wordings=(text,)) for text in dict.fromkeys(told))
    if not told:
        if asked:
            raise InputError("no look is named", remedy="for instance --of woodcut,night; `vedit looks` lists them")
        return tuple(look for look in listed if look.kind not in ADDITIONS)
    chosen: dict[str, Look] = {}
    for text in told:
        whole = _listed_as(text, listed)
        # A wording may hold a comma.
        parts = [text] if whole is not None else [part.strip() for part in text.split(",") if part.strip()]
        for look in (_chosen(model, part, listed) for part in parts):
            chosen.setdefault(look.prompt, look)
    return tuple(chosen.values())


def _chosen(model: str, text: str, listed: Sequence[Look]) -> Look:
    """A look by its name, one of its wordings, or any prompt that the model understands."""
    found = _listed_as(text, listed)
    if found is not None:
        return found
    if not unknown_words(text, known_words(model)):
        return Look(name=text, kind=OTHER, wordings=(text,))
    ways = {way.casefold(): way for look in listed for way in (look.name, *look.wordings)}
    near = get_close_matches(text.casefold(), ways, n=1, cutoff=0.5)
    hint = f"did you mean {ways[near[0]]!r}? " if near else ""
    command = "vedit looks" if model == "embedded" else f"vedit looks --model {model}"
    raise InputError(f"{model} knows no look {text!r}", remedy=f"{hint}`{command}` lists those that it knows")


def _listed_as(text: str, listed: Sequence[Look]) -> Look | None:
    said = text.casefold()
    named = next((look for look in listed if look.name.casefold() == said), None)
    if named is not None:
        return named
    for look in listed:
        for wording in look.wordings:
            if wording.casefold() == said:
                return Look(name=wording, kind=look.kind, wordings=(wording,))
    return None


def _look(path: Path, entry: object) -> Look:
    said = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    name, kind, wordings = said.get("name"), said.get("kind", ""), said.get("wordings", [])
    texts = [name, kind, *(cast("list[object]", wordings) if isinstance(wordings, list) else [None])]
    if not all(isinstance(text, str) for text in texts) or not name:
        raise damaged(path, f"has a look {str(name)[:40]!r} without a name, a kind or a list of wordings")
    return Look(name=name, kind=kind, wordings=tuple(cast("list[str]", texts[2:])))
