"""Which clip of a cut gets which look: the rules of a `looks.toml`, and what is noted in the editing system itself.

    [default]                     # settings of every look
    strength = 0.8

    [[look]]
    name = "ink"
    prompt = "ink drawing"
    clip = "A001*"                # any of: clip, track, marker, color, reel, sequence
    track = ["V1", "V2"]

A rule takes a clip where every kind that it names matches; of a list, one is enough; letters' case does not count. The
first rule that takes a clip is the one. A note or marker `VEDIT: ...` on the clip goes before all rules: it names a
look, or else is the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

from vedit.checks.structured import parse_toml, read_toml
from vedit.errors import InputError
from vedit.nle.model import Marker, TimelineClip
from vedit.options.look_schema import LOOK, MODEL, Key, check_table, over, unknown_key

SELECTORS = ("clip", "track", "marker", "color", "reel", "sequence")
SETTINGS = {**LOOK, "model": MODEL}
"""What a look may say of its render."""
_OWN = {
    "name": Key(kind="text", about="Of the look, and in the names of its results."),
    **{key: Key(kind="text", several=True, about=f"Which clips: {key}.") for key in SELECTORS},
}
_NOTE = re.compile(r"^\s*\*?\s*VEDIT\s*:\s*(.*?)\s*$", re.I)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look: its name, and its settings as they are written."""

    name: str
    settings: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, kw_only=True)
class LookRule:
    """A look and the clips that it is for."""

    look: Look
    selectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Kind -> patterns (* and ?); without any it takes every clip."""

    def takes(self, clip: TimelineClip) -> bool:
        """Whether the look is for this clip."""
        return all(
            any(_matches(pattern, value) for pattern in patterns for value in _values(clip, kind))
            for kind, patterns in self.selectors.items()
        )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """All rules, in order, and the settings that a prompt noted on a clip is rendered with."""

    rules: tuple[LookRule, ...] = ()
    default: Mapping[str, object] = field(default_factory=dict[str, object])

    def choose(self, clip: TimelineClip) -> Look | None:
        """The look of a clip, or None where it stays as it is."""
        for text in _noted(clip):
            named = next((rule.look for rule in self.rules if rule.look.name.lower() == text.lower()), None)
            return named or Look(name=_slug(text), settings={**self.default, "prompt": text})
        return next((rule.look for rule in self.rules if rule.takes(clip)), None)

    def idle(self, clips: tuple[TimelineClip, ...]) -> tuple[str, ...]:
        """The names of the looks that no clip gets."""
        chosen = {look.name for look in map(self.choose, clips) if look is not None}
        return tuple(rule.look.name for rule in self.rules if rule.look.name not in chosen)


def read_looks(path: Path) -> Looks:
    """Read a `looks.toml`. Raises InputError where it cannot be read, is no TOML, or holds an unknown key."""
    return _looks(read_toml(path, path.name), path.name)


def parse_looks(text: str, *, name: str = "looks.toml") -> Looks:
    """TOML -> rules. Raises InputError; an unknown key is an error that names the nearest known one."""
    return _looks(parse_toml(text, name), name)


def _looks(told: Mapping[str, object], name: str) -> Looks:
    for key in told:
        if key not in ("default", "look"):
            raise unknown_key(key, ("default", "look"), name)
    default = check_table(told.get("default", {}), SETTINGS, f"{name}, [default]")
    tables = told.get("look", [])
    if not isinstance(tables, list):
        raise InputError(f"{name}: looks are written as [[look]], with two brackets")
    rules: list[LookRule] = []
    for number, entry in enumerate(cast(list[object], tables), start=1):
        rules.append(_rule(entry, default, f"{name}, [[look]] {number}", number))
    names = [rule.look.name for rule in rules]
    twice = next((known for known in names if names.count(known) > 1), None)
    if twice is not None:
        raise InputError(f"{name}: two looks are called {twice!r}")
    return Looks(rules=tuple(rules), default=default)


def _rule(entry: object, default: Mapping[str, object], where: str, number: int) -> LookRule:
    table = check_table(entry, {**_OWN, **SETTINGS}, where)
    name = str(table.get("name", f"look{number}"))
    if not name or name != _slug(name, keep_case=True):
        raise InputError(f"{where}: name {name!r} is no name for a file", remedy="use letters, digits, - and _")
    settings = over(default, {key: value for key, value in table.items() if key in SETTINGS})
    if not str(settings.get("prompt", "")).strip() and not settings.get("regions"):
        raise InputError(f"{where}: it has no prompt", remedy='write prompt = "ink drawing"')
    selectors = {key: _patterns(table[key], f"{where}, {key}") for key in SELECTORS if key in table}
    return LookRule(look=Look(name=name, settings=settings), selectors=selectors)


def _patterns(value: object, where: str) -> tuple[str, ...]:
    patterns = cast("list[object]", value) if isinstance(value, list) else [value]
    if not patterns or not all(patterns):
        raise InputError(f"{where}: {value!r} is no pattern", remedy='write "A001*" or ["A001*", "A002*"]')
    return tuple(str(pattern) for pattern in patterns)


def _values(clip: TimelineClip, kind: str) -> Iterator[str]:
    if kind == "clip":
        yield clip.name
    elif kind == "track":
        yield clip.track
    elif kind == "color":
        yield clip.color
    elif kind == "reel":
        yield clip.media.reel if clip.media is not None else ""
    elif kind == "sequence":
        yield clip.sequence
    else:
        for marker in _shown_markers(clip):
            yield from (marker.name, marker.note, marker.color)


def _matches(pattern: str, value: str) -> bool:
    # A clip's name may hold brackets, which a pattern would take for a set of letters.
    plain = pattern.lower().replace("[", "[[]")
    return bool(value) and fnmatchcase(value.lower(), plain)


def _shown_markers(clip: TimelineClip) -> Iterator[Marker]:
    """A clip carries all markers of its media; those that it does not show say nothing about it."""
    for marker in clip.markers:
        if clip.source is None or marker.start is None or clip.source.start <= marker.start < clip.source.stop:
            yield marker


def _noted(clip: TimelineClip) -> Iterator[str]:
    texts = [*clip.notes, *(text for marker in _shown_markers(clip) for text in (marker.name, marker.note))]
    for line in (line for text in texts for line in text.splitlines()):
        match = _NOTE.match(line)
        if match and match[1]:
            yield match[1]


def _slug(text: str, *, keep_case: bool = False) -> str:
    words = re.findall(r"[A-Za-z0-9_-]+", text if keep_case else text.lower())
    return "-".join(words)[:40].strip("-") or "look"
