"""Bounds of the numbers that a user may set: what one may be, and the error where it is not."""

from __future__ import annotations

import math
import numbers
import operator
from dataclasses import dataclass
from typing import Any, Literal

from vedit.checks.nearest import VERY_ALIKE, suggest
from vedit.checks.rationals import shown
from vedit.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a number may be; it is finite, and both ends are allowed. An infinite end is none."""

    kind: Literal["integer", "number"]
    low: float
    high: float

    def __str__(self) -> str:
        kind = "a whole number" if self.kind == "integer" else "a number"
        end = f"to {end_text(self.high)}" if math.isfinite(self.high) else "on"
        return f"{kind} from {end_text(self.low)} {end}"

    def holds(self, value: float) -> bool:
        """Whether a number lies within; NaN does not."""
        return self.low <= value <= self.high


def bounded(name: str, value: object, bound: Bound) -> Any:
    """A setting's value as a plain int or float, NumPy's numbers taken too.

    Args:
        name: of the setting, as the message has it.
        value: what was given.
        bound: what it may be.

    Raises:
        SettingError: it is no such number (True and False are none), not finite, or out of bounds.
    """
    number = _number(value, bound)
    if number is None or not bound.holds(number):
        raise SettingError(f"{name} is {shown(value)}", remedy=f"give {bound}")
    return number


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises SettingError where a setting's value is none of the words that it may be."""
    if value not in choices:
        told = suggest(str(value), choices, before="use one of ", cutoff=VERY_ALIKE)
        raise SettingError(f"{name} is {shown(value)}", remedy=told)


def _number(value: object, bound: Bound) -> float | None:
    # NumPy's bool is no `bool`, but no `numbers.Number` either.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        if bound.kind == "integer":
            return operator.index(value)  # pyright: ignore[reportArgumentType]
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def end_text(end: float) -> str:
    """One end of a bound as people write it: all digits of a whole number."""
    return str(end) if isinstance(end, int) else f"{end:g}"
