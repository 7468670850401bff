"""One home for each setting: the field of a frozen dataclass, whose metadata is all that is said of it.

    strength: float = setting(1.0, About("How much is regenerated.", stage="look", bounds=(0, 1)))

The options of the commands, the keys of plan files and of the config file, their JSON schema, the arguments of the
Python API and the settings of the host scripts are made from `settings_of` the dataclass.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Protocol, TypeVar, Union, cast, get_args, get_origin

from vedit.checks.bounds import Bound

Stage = Literal["source", "look", "mask", "sampling", "consistency", "model", "finishing", "output", "run"]
"""What a setting belongs to on the way of a render; `--help` is in this order."""
Kind = Literal["text", "integer", "number", "boolean"]
Value = TypeVar("Value")

_METADATA = "vedit.setting"
_LATER = "vedit.later"
_KINDS: dict[object, Kind] = {bool: "boolean", int: "integer", float: "number"}


class Listing(Protocol):
    """Names that plug-ins add to (`vedit.registry.entry.Registry`)."""

    @property
    def kind(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said of a setting beside its name, type and default, which its field has."""

    text: str = field(kw_only=False)
    """For whoever sets it, wherever: a sentence."""
    stage: Stage
    bounds: tuple[float, float] | None = None
    """The least and the largest number, both allowed; infinity is no end."""
    choices: tuple[str, ...] = ()
    """The words that it may be, where its type does not say them."""
    plugged: Callable[[], Listing] | None = None
    """What lists the words that it may be, to which plug-ins add; `choices` are vedit's own of them. It is asked when a
    value is looked at, and not before."""
    metavar: str = ""
    """The form in which it is written as text."""
    option: str | None = None
    """Its long option without the dashes; None is the field's name, "" is none."""
    short: str = ""
    """Its short option."""
    off: str = ""
    """What a switch that is on says of the option that turns it off, --no-NAME."""
    key: str | None = None
    """In plan files and looks files; None is the field's name, "" is none."""
    several: bool = False
    """Written as text it is given once for each of several values."""
    common: bool = False
    """Among those that are used most: they come first in the help, and a plan shows them."""
    once: bool = False
    """It may be said once for all renders, in the config file or the environment."""
    shared: bool = False
    """What is said once holds for plans and timelines, too."""
    host: bool = False
    """The scripts in editing systems hand it on."""
    unset: str = ""
    """What holds where nothing is said, in words, where the default does not say it."""
    cli: str = ""
    """What is true of the option alone, as a further clause."""
    plan: str = ""
    """The same of the key of a plan."""
    python: str = ""
    """The same of the argument in Python."""
    easier: str = ""
    """The annotation of the argument in Python, where it takes more than the field holds."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A field and what is said of it."""

    name: str
    annotation: str
    """As it is written."""
    default: Any
    kind: Kind
    """Of one value; what has a form of its own is a text to whoever writes it."""
    values: tuple[object, ...]
    """What it may be, where that is a few words or numbers; () is any."""
    bound: Bound | None
    about: About

    @property
    def own(self) -> str:
        """Vedit's own among the names that it may be, as a clause, where plug-ins add to them; else empty."""
        return f"{', '.join(self.about.choices)} or a plug-in's" if self.about.plugged is not None else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be, () is any."""
        return tuple(map(str, self.values))

    @property
    def option(self) -> str:
        """The long option without its dashes, "" where there is none."""
        if self.about.option is not None:
            return self.about.option
        return f"{'no-' if self.about.off else ''}{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """The key in a look, "" where there is none."""
        return self.name if self.about.key is None else self.about.key

    @property
    def config_key(self) -> str:
        """The key in the config file: the long option with _ between words, "" where there is none."""
        return self.option.replace("-", "_")

    def said(self, *clauses: str) -> str:
        """Its text with further clauses; empty ones are none."""
        return f"{'; '.join((self.about.text.removesuffix('.'), *filter(None, clauses)))}."

    def value_of(self, word: str) -> Any:
        """The value behind one of the choices."""
        return next(value for value in self.values if str(value) == word)


def setting(default: Value, about: About, *, later: bool = False) -> Value:
    """A dataclass's field with this default and all that is said of it; with `later` as by `later`."""
    return field(default=default, metadata={_METADATA: about, **({_LATER: True} if later else {})})


def later(default: Value) -> Value:
    """A dataclass's field that came after values of it were hashed: it is in no digest where it has this default, so
    that what was made before is known still."""
    return field(default=default, metadata={_LATER: True})


def is_left_out(one: Any, value: object) -> bool:
    """Whether a field (of `dataclasses.fields`) with this value is in no digest."""
    return _LATER in one.metadata and value == one.default


def same_as(options: type, name: str) -> Any:
    """A field that is another dataclass's once more: its default, and what is said of it."""
    found = next(one for one in fields(cast("Any", options)) if one.name == name)
    return field(default=found.default, metadata=found.metadata)


@cache
def settings_of(options: type) -> tuple[Setting, ...]:
    """The settings that a dataclass and the classes behind it hold, in the order of its fields."""
    found = [(one, one.metadata.get(_METADATA)) for one in fields(cast("Any", options))]
    if not any(about for _, about in found):
        return ()
    hints = typing.get_type_hints(options)
    return tuple(_setting(one, hints[one.name], about) for one, about in found if isinstance(about, About))


def bounds_of(options: type) -> dict[str, Bound]:
    """The bounds of the numbers that a dataclass holds, by the names of their fields."""
    return {one.name: one.bound for one in settings_of(options) if one.bound is not None}


def plugged_of(options: type) -> dict[str, Setting]:
    """The settings that take a name which a plug-in may bring, by the names of their fields."""
    return {one.name: one for one in settings_of(options) if one.about.plugged is not None}


def _setting(one: Any, hint: object, about: About) -> Setting:
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    (kind, *others) = [part for part in parts if part is not NoneType]
    words = get_args(kind) if get_origin(kind) is Literal and not others else about.choices
    if about.plugged is not None:
        words = ()
    named = _KINDS.get(kind, "text") if not others else "text"
    bound = None
    if about.bounds is not None:
        low, high = about.bounds
        bound = Bound(kind="integer" if named == "integer" else "number", low=low, high=high)
    return Setting(
        name=one.name,
        annotation=str(one.type),
        default=None if one.default is MISSING else one.default,
        kind=named,
        values=words,
        bound=bound,
        about=about,
    )
