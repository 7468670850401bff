"""The keys of a look, in plan files and in looks files: what each takes, checked one by one, and as JSON schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from vedit.checks.bounds import end_text
from vedit.checks.nearest import VERY_ALIKE, did_you_mean, nearest
from vedit.checks.setting import Kind, Listing, Setting, settings_of
from vedit.errors import InputError
from vedit.options.loras import WEIGHT
from vedit.options.masks import MaskSpec
from vedit.options.references import WEIGHT as COUNTED
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.table import setting_of
from vedit.types import ControlSpec


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: its type, its bounds, and what it says."""

    kind: Kind
    about: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    plugged: Callable[[], Listing] | None = None
    """What lists the words that it may be, to which plug-ins add."""
    several: bool = False
    """A list of such values is one too."""
    table: Mapping[str, Key] = field(default_factory=dict[str, "Key"])
    """What a table in the place of a value may say; without any there is no such table."""

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, or None."""
        items = cast("list[object]", value) if self.several and isinstance(value, list) else [value]
        return next(filter(None, map(self._fault, items)), None)

    def _fault(self, item: object) -> str | None:
        if self.table and isinstance(item, dict):
            return _fault_in(cast("dict[str, object]", item), self.table)
        if not _is(item, self.kind):
            return f"is {self._word}"
        words = self.choices if self.plugged is None else self.plugged().names
        if words and item not in words:
            near = did_you_mean(str(item), words, cutoff=VERY_ALIKE)
            return f"is one of {', '.join(words)}{f': {near}' if near else ''}"
        if isinstance(item, int | float) and not self._within(item):
            if self.maximum is not None:
                return f"lies between {end_text(self.minimum or 0)} and {end_text(self.maximum)}"
            return "is a finite number" if self.minimum is None else f"is at least {self.minimum:g}, and not infinite"
        return None

    @property
    def _word(self) -> str:
        one, list_of = _WORDS[self.kind]
        forms = [one, *([f"a list of {list_of}"] if self.several else []), *(["a table"] if self.table else [])]
        return " or ".join(forms)

    def schema(self) -> dict[str, object]:
        """As JSON schema."""
        item: dict[str, object] = {"type": "string" if self.kind == "text" else self.kind}
        if self.choices:
            item["enum"] = list(self.choices)
        if self.minimum is not None:
            item["minimum"] = self.minimum
        if self.maximum is not None:
            item["maximum"] = self.maximum
        if self.table:
            item = {"anyOf": [item, table_schema(self.table)]}
        if self.several:
            item = {"anyOf": [item, {"type": "array", "items": item}]}
        return {**item, "description": self.about}

    def _within(self, value: float) -> bool:
        # Written so that NaN is outside; what is no 64-bit number is as good as infinite.
        return (
            abs(value) < 2**63
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )


_WORDS: dict[Kind, tuple[str, str]] = {
    "text": ("a text", "texts"),
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "boolean": ("true or false", "true and false"),
}


def _is(value: object, kind: Kind) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (kind == "number" and isinstance(value, float))


def key_of(setting: Setting) -> Key:
    """The key by which a setting is written."""
    about, bound = setting.about, setting.bound
    said = setting.said(setting.own, about.plan, f"without it {about.unset}" if about.unset else "")
    return Key(
        kind=setting.kind,
        about=f"{about.metavar}: {said}" if about.several else said,
        minimum=bound.low if bound is not None else None,
        maximum=bound.high if bound is not None and math.isfinite(bound.high) else None,
        choices=setting.choices,
        plugged=about.plugged,
        several=about.several,
    )


def keys_of(options: type) -> dict[str, Key]:
    """The keys of the settings that a dataclass holds."""
    return {one.key: key_of(one) for one in settings_of(options) if one.key}


MASK = keys_of(MaskSpec)
"""What a mask that is written as a table may say."""
LORA: dict[str, Key] = {
    "file": Key(kind="text", about="A .safetensors file, a folder that holds one, or a hub id."),
    "weight": Key(
        kind="number", minimum=WEIGHT.low, maximum=WEIGHT.high, about="How strongly it acts; 1 is as it was trained."
    ),
    "mask": Key(kind="text", several=True, about="Where it acts: FILE[@TIME], box:X,Y,W,H, subject:WORDS ..."),
}
"""What a LoRA that is written as a table says."""
_IN_REGION = {key: one for key, one in LORA.items() if key != "mask"}
REGION: dict[str, Key] = {
    "mask": Key(kind="text", several=True, table=MASK, about="Where: as the mask of a look."),
    "prompt": Key(kind="text", about="What the picture becomes there."),
    "loras": Key(
        kind="text", several=True, table=_IN_REGION, about="FILE[:WEIGHT]: changes of the model's weights there alone."
    ),
}
"""What a region that is written as a table says."""
REFERENCE: dict[str, Key] = {
    "file": Key(kind="text", about="The picture."),
    "weight": Key(kind="number", minimum=COUNTED.low, maximum=COUNTED.high, about="How much the look takes after it."),
}
"""What a reference that is written as a table says."""
_TABLES: dict[str, dict[str, Key]] = {"mask": MASK, "regions": REGION, "loras": LORA, "references": REFERENCE}
"""What a table in the place of a value may say."""
_BEHIND: dict[str, dict[str, Key]] = {
    "controls": keys_of(ControlSpec),
    "mask": {one.config_key: key_of(one) for one in settings_of(MaskSpec) if one.name in ("invert", "grow", "feather")},
}
"""What is said behind a key that a control or a mask has itself in Python."""


def look_keys(options: type) -> dict[str, Key]:
    """The keys of a look whose settings a dataclass holds."""
    found: dict[str, Key] = {}
    for name, key in keys_of(options).items():
        found |= {name: replace(key, table=_TABLES.get(name, {})), **_BEHIND.get(name, {})}
    return found


LOOK = look_keys(RestyleOptions)
"""What a look may say of its render."""
MODEL = key_of(setting_of(RenderRequest, "model"))
_OTHER_WAY = {"keep": "controls", "controls": "keep"}


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


def over(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """One look laid over another: what says one way what is kept takes the place of the other way, too."""
    return {**{key: value for key, value in below.items() if _OTHER_WAY.get(key) not in above}, **above}


def unknown_key(name: str, known: Mapping[str, object] | Sequence[str], where: str) -> InputError:
    """The error for a key that is not known."""
    return InputError(f"{where}: there is no key {name!r}", remedy=f"the nearest is {_nearest(name, list(known))!r}")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known, cutoff=0)
    assert near is not None  # there is no table without keys
    return near


def table_schema(known: Mapping[str, Key], required: Sequence[str] = ()) -> dict[str, object]:
    """A table of keys as JSON schema."""
    properties = {name: key.schema() for name, key in known.items()}
    told: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**told, "required": list(required)} if required else told


def _fault_in(table: Mapping[str, object], known: Mapping[str, Key]) -> str | None:
    """What is wrong with a table, or None."""
    for name, value in table.items():
        if name not in known:
            return f"has no key {name!r}; the nearest is {_nearest(name, list(known))!r}"
        fault = known[name].fault(value)
        if fault is not None:
            return f"has {name} = {value!r}; {name} {fault}"
    return None
