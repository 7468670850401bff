"""The keys of a plan file: what each takes, checked one by one, and the same as a JSON schema for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast

from vedit.errors import InputError

Kind = Literal["text", "texts", "integer", "integers", "number", "boolean"]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: its type, its bounds, and what it says."""

    kind: Kind
    about: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, or None."""
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if isinstance(value, list) != (self.kind in ("texts", "integers")):
            return f"is {_WORDS[self.kind]}"
        for item in items:
            if not _is(item, self.kind):
                return f"is {_WORDS[self.kind]}"
            if self.choices and item not in self.choices:
                return f"is one of {', '.join(self.choices)}"
            if isinstance(item, int | float) and not self._within(item):
                if self.maximum is not None:
                    return f"lies between {self.minimum:g} and {self.maximum:g}"
                return (
                    "is a finite number" if self.minimum is None else f"is at least {self.minimum:g}, and not infinite"
                )
        return None

    def schema(self) -> dict[str, object]:
        """As JSON schema."""
        kind = {"text": "string", "texts": "string", "integers": "integer"}.get(self.kind, self.kind)
        item: dict[str, object] = {"type": kind}
        if self.choices:
            item["enum"] = list(self.choices)
        if self.minimum is not None:
            item["minimum"] = self.minimum
        if self.maximum is not None:
            item["maximum"] = self.maximum
        if self.kind in ("texts", "integers"):
            item = {"type": "array", "items": item}
        return {**item, "description": self.about}

    def _within(self, value: float) -> bool:
        # Written so that NaN is outside; what is no 64-bit number is as good as infinite.
        return (
            abs(value) < 2**63
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )


_WORDS = {
    "text": "a text",
    "texts": "a list of texts",
    "integer": "a whole number",
    "integers": "a list of whole numbers",
    "number": "a number",
    "boolean": "true or false",
}


def _is(value: object, kind: Kind) -> bool:
    if kind in ("text", "texts"):
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (kind == "number" and isinstance(value, float))


LOOK: dict[str, Key] = {
    "prompt": Key(kind="text", about="The look to give; a shot without a prompt passes through untouched."),
    "negative_prompt": Key(kind="text", about="What the result should not look like."),
    "source_prompt": Key(kind="text", about="What the source shows."),
    "strength": Key(kind="number", minimum=0, maximum=1, about="How much is regenerated; 0 is the source."),
    "guidance": Key(kind="number", minimum=0, about="How strictly the prompt is followed; 1 is without guidance."),
    "controls": Key(kind="texts", about="What keeps the structure: KIND[:SCALE[@START-END]][,mask=FILE] each."),
    "keep": Key(kind="text", choices=("structure", "motion", "faces"), about="Controls by intent."),
    "mask": Key(kind="text", about="Where the picture changes: FILE[@TIME], box:X,Y,W,H, subject:WORDS ..."),
    "invert_mask": Key(kind="boolean", about="Change what is outside the mask."),
    "grow": Key(kind="number", about="Pixels by which the mask's edge moves outwards."),
    "feather": Key(kind="number", minimum=0, about="Pixels over which the mask's edge fades."),
    "regions": Key(kind="texts", about="Parts of the picture with prompts of their own: MASK=PROMPT each."),
    "seed": Key(kind="integer", minimum=0, about="Same seed, same frames."),
    "quality": Key(kind="text", choices=("draft", "standard", "high"), about="Sets the steps and the working size."),
    "steps": Key(kind="integer", minimum=1, maximum=1000, about="Sampling steps, instead of the quality's."),
    "fixed_point": Key(kind="integer", minimum=1, maximum=100, about="Fixed-point iterations of the inversion."),
    "short_side": Key(
        kind="integer", minimum=64, maximum=4096, about="Pixels of the shorter side that the model works at."
    ),
    "start": Key(kind="text", choices=("inversion", "noise"), about="Where the trajectory begins."),
    "cross_frame": Key(kind="boolean", about="Frames attend to the shot's first."),
    "window": Key(kind="integer", minimum=1, about="Frames sampled together."),
    "overlap": Key(kind="integer", minimum=0, about="Frames that neighbouring windows share."),
    "batch": Key(kind="integer", minimum=1, about="Frames per network call."),
    "upscale": Key(kind="text", choices=("guided", "lanczos"), about="Back to the source's size."),
}
"""What `[default]`, `[[edit]]` and `[[shot]]` may say of a look."""

TOP: dict[str, Key] = {
    "source": Key(kind="text", about="The clip, from this file's folder."),
    "output": Key(kind="text", about="The result; without it NAME.vedit.EXT beside the source."),
    "model": Key(kind="text", about="A listed name, diffusers folder, .safetensors file or hub id."),
    "device": Key(kind="text", choices=("auto", "cpu", "cuda", "mps"), about="Where to run."),
    "rate": Key(kind="text", about="Frames per second of an image sequence: 25, 30000/1001."),
}
SHOT: dict[str, Key] = {
    "number": Key(kind="integer", minimum=1, about="Of the shot, from 1 on."),
    "frames": Key(kind="text", about="START..END, END exclusive: the shots cover the clip without gap or overlap."),
    "untouched": Key(kind="boolean", about="The shot passes through, whatever else is said."),
    "locked": Key(kind="boolean", about="The shot stays as it was rendered last, whatever else is said."),
    **LOOK,
}
EDIT: dict[str, Key] = {
    "shots": Key(kind="integers", minimum=1, about="The shots that it is for, by number."),
    "range": Key(kind="text", about="START..END: the shots that lie in it by half or more."),
    "marker": Key(kind="text", about="The chapter of the source with this title: the shots in it by half or more."),
    "untouched": SHOT["untouched"],
    **LOOK,
}
TABLES: dict[str, dict[str, Key]] = {"default": LOOK, "edit": EDIT, "shot": SHOT}


def check_table(table: object, known: Mapping[str, Key], where: str) -> Mapping[str, object]:
    """A table whose keys and values are as they should be.

    Raises:
        InputError: a key that is not known, named with the nearest one, or a value of another type or out of bounds.
    """
    if not isinstance(table, dict):
        raise InputError(f"{where} is no table")
    found = cast("dict[str, object]", table)
    for name, value in found.items():
        if name not in known:
            raise unknown_key(name, known, where)
        fault = known[name].fault(value)
        if fault is not None:
            raise InputError(f"{where}: {name} = {value!r}", remedy=f"{name} {fault}")
    return found


def unknown_key(name: str, known: Mapping[str, object] | Sequence[str], where: str) -> InputError:
    """The error for a key that is not known."""
    (near,) = get_close_matches(name, list(known), n=1, cutoff=0)
    return InputError(f"{where}: there is no key {name!r}", remedy=f"the nearest is {near!r}")


def plan_schema() -> dict[str, object]:
    """The JSON schema (draft 2020-12) of a plan file."""

    def table(known: Mapping[str, Key], required: Sequence[str] = ()) -> dict[str, object]:
        properties = {name: key.schema() for name, key in known.items()}
        told: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**told, "required": list(required)} if required else told

    top = table(TOP, ("source", "shot"))
    properties = cast("dict[str, object]", top["properties"])
    properties["default"] = {**table(LOOK), "description": "The look of every shot that says nothing else."}
    properties["edit"] = {
        "type": "array",
        "items": table(EDIT),
        "description": "What some shots say else, in order; each names its shots by number, range or marker.",
    }
    properties["shot"] = {
        "type": "array",
        "items": table(SHOT, ("number", "frames")),
        "description": "The shots of the clip, and what each says for itself.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "vedit plan", **top}
