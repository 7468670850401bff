"""OpenTimelineIO's JSON: infinities, old names of schemas, and times that are written the way the old ones are."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any, cast

from vedit.checks.rationals import rational, shown
from vedit.checks.structured import parse_json
from vedit.media.rates import snap

_Object = dict[str, Any]
_INDENT = re.compile(r"^\{\s*\n( +)")
_OLD_NAMES = {"Sequence": "Track", "Filler": "Gap"}
"""What OpenTimelineIO called its schemas before version 0.8, and still reads."""
# OpenTimelineIO writes infinity as no JSON has it and Python does not read it. Strings come first, to be passed over.
_BARE = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?\bInf(?:inity)?\b', re.DOTALL)
_TO_PYTHON = {"Inf": "Infinity", "-Inf": "-Infinity"}
_TO_OTIO = {"Infinity": "Inf", "-Infinity": "-Inf"}


def parse_otio(text: str, name: str) -> _Object:
    """A file's text -> its outermost object, empty where it is none. Raises InputError as `parse_json`."""
    root: object = parse_json(_BARE.sub(lambda found: _TO_PYTHON.get(found[0], found[0]), text), name)
    return cast(_Object, root) if isinstance(root, dict) else {}


def write_otio(root: _Object, *, like: str) -> str:
    """The text of an object, indented and ended as another text is, infinity spelt as there."""
    indent = _INDENT.match(like)
    text = json.dumps(root, indent=len(indent[1]) if indent else None, ensure_ascii=False)
    if any(found[0] in _TO_PYTHON for found in _BARE.finditer(like)):
        text = _BARE.sub(lambda found: _TO_OTIO.get(found[0], found[0]), text)
    return text + ("\n" if like.endswith("\n") else "")


def schema_of(item: _Object) -> str:
    """What an object is, by its name today and without its version."""
    name = str(item.get("OTIO_SCHEMA", "")).partition(".")[0]
    return _OLD_NAMES.get(name, name)


def exact_rate(rate: object) -> Fraction:
    """A rate as JSON has it, 29.97 as 30000/1001. Raises ValueError where it is none."""
    told = rational(rate)
    found = snap(told)
    if found is None:
        raise ValueError(f"{shown(rate)} is no rate")
    return found if found != told else told.limit_denominator(1_000_000)


def rational_time(seconds: Fraction, rate: Fraction, like: object) -> _Object:
    """Seconds as a RationalTime, at the rate and with the numbers that the old one is written with."""
    old = cast(_Object, like) if isinstance(like, dict) else {}
    written = old.get("rate")
    if written is None or exact_rate(written) != rate:
        written = int(rate) if rate.denominator == 1 else float(rate)
    value = seconds * rate
    whole = value.denominator == 1 and not isinstance(old.get("value"), float)
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": written, "value": int(value) if whole else float(value)}
