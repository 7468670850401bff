"""The one home of numbers that come as text: from project files, options, records and tags.

`Fraction("1e999999999")` computes a number of a thousand million digits, `int()` refuses more than 4300 of them with
an error of its own, and `float()` takes infinity and NaN. What is read here has bounded digits, exponent and size, so
that no text takes long to read, and nothing that is computed from it overflows.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

LONGEST = 64
"""Characters of a number. The longest that editing systems write are fractions of two 64-bit integers."""
LARGEST = 10**20
SMALLEST = Fraction(1, 10**30)
"""Of a number that is not 0, without its sign: what is smaller is rounding of 0."""
FASTEST = 1000
"""Frames per second."""

_EXPONENT = 3
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?P<exponent>[+-]?[0-9]+)|/(?P<below>[0-9]+))?"
)
_WHOLE = re.compile(r"[+-]?[0-9]+")


def rational(value: object) -> Fraction:
    """A number as a user, a file or JSON has it -> the exact one.

    Args:
        value: "25", "23.976", "2.5e-3", "30000/1001", or such a number itself.

    Raises:
        ValueError: it is no number, infinite, has too many digits, or is larger than any that is meant.
    """
    if isinstance(value, Fraction | int) and not isinstance(value, bool):
        return _bounded(Fraction(value), value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no finite number")
        return _bounded(Fraction(value), value)
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        raise ValueError(f"{shown(value)} is no number")
    if match["exponent"] and len(match["exponent"].lstrip("+-").lstrip("0")) > _EXPONENT:
        raise ValueError(f"{value!r} is no number of use")
    number = Fraction(match["whole"] + (f"e{match['exponent']}" if match["exponent"] else ""))
    if match["below"]:
        below = int(match["below"])
        if not below:
            raise ValueError(f"{value!r} is divided by 0")
        number /= below
    return _bounded(-number if match["sign"] == "-" else number, value)


def whole(value: object) -> int:
    """A whole number as text or JSON has it. Raises ValueError as `rational`, and where it has a fraction."""
    if isinstance(value, str):
        if len(value) > LONGEST or not _WHOLE.fullmatch(value.strip()):
            raise ValueError(f"{shown(value)} is no whole number")
        return _bounded(Fraction(int(value)), value).numerator
    number = rational(value)
    if number.denominator != 1:
        raise ValueError(f"{value} is no whole number")
    return number.numerator


def is_whole(text: str) -> bool:
    """Whether a text is a whole number from 0 on that `whole` takes."""
    return len(text) <= LONGEST and text.isascii() and text.isdecimal() and int(text) <= LARGEST


def frame_rate(value: object) -> Fraction:
    """Frames per second, above 0 and up to `FASTEST`. Raises ValueError as `rational`, and where it is out of range."""
    rate = rational(value)
    if not 0 < rate <= FASTEST:
        raise ValueError(f"{shown(value)} is not between 0 and {FASTEST} frames per second")
    return rate


def shown(value: object) -> str:
    """A value in a message, in one line: quoted where it is text, and cut where it is long."""
    if isinstance(value, str):
        text = repr(value[: LONGEST + 1])
    else:
        text = " ".join(_said(value).split()) if _is_short(value) else "the number"
    return text if len(text) <= LONGEST + 2 else f"{text[:LONGEST]}..."


def _said(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # an object of a caller's may fail to show itself, which is not what is reported
        return f"a {type(value).__name__}"


def _is_short(value: object) -> bool:
    # Python writes no integer of more than 4300 digits.
    return not isinstance(value, int) or abs(value) < 10**100


def _bounded(number: Fraction, value: object) -> Fraction:
    if abs(number) > LARGEST:
        raise ValueError(f"{shown(value)} is larger than any number here")
    return Fraction(0) if abs(number) < SMALLEST else number
