"""The bounds of every number that a user may set: one table, for Python, the command line and plan files alike."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from vedit.checks.nearest import VERY_ALIKE, suggest
from vedit.checks.rationals import shown
from vedit.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a number may be. All are finite; both ends are allowed."""

    kind: Literal["integer", "number"]
    low: float
    high: float

    def __str__(self) -> str:
        kind = "a whole number" if self.kind == "integer" else "a number"
        return f"{kind} from {end_text(self.low)} to {end_text(self.high)}"

    def holds(self, value: float) -> bool:
        """Whether a number lies within; NaN does not."""
        return self.low <= value <= self.high


BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        "strength": Bound(kind="number", low=0, high=1),
        # What is used is 1 to 20; far beyond, the numbers of the networks overflow.
        "guidance": Bound(kind="number", low=0, high=100),
        "variation": Bound(kind="number", low=0, high=1),
        # TOML and JSON readers take 64 bits with a sign.
        "seed": Bound(kind="integer", low=0, high=2**63 - 1),
        "steps": Bound(kind="integer", low=1, high=1000),
        "inversion_steps": Bound(kind="integer", low=1, high=1000),
        "fixed_point": Bound(kind="integer", low=1, high=100),
        "short_side": Bound(kind="integer", low=64, high=4096),
        "batch": Bound(kind="integer", low=1, high=1_000_000),
        "window": Bound(kind="integer", low=1, high=1_000_000),
        # In the window at hand, a third of it: `vedit.diffusion.windows`.
        "overlap": Bound(kind="integer", low=0, high=333_333),
        "grow": Bound(kind="number", low=-10_000, high=10_000),
        "feather": Bound(kind="number", low=0, high=10_000),
        "control scale": Bound(kind="number", low=0, high=10),
        "control start": Bound(kind="number", low=0, high=1),
        "control end": Bound(kind="number", low=0, high=1),
    }
)
"""Name of a setting -> what it may be."""


def bounded(name: str, value: object, *, called: str = "") -> Any:
    """A setting's value as a plain int or float, NumPy's numbers taken too.

    Args:
        name: in `BOUNDS`.
        value: what was given.
        called: the setting in the message, where that is not its name.

    Raises:
        SettingError: it is no such number (True and False are none), not finite, or out of bounds.
    """
    bound = BOUNDS[name]
    number = _number(value, bound)
    if number is None or not bound.holds(number):
        raise SettingError(f"{called or name} is {shown(value)}", remedy=f"give {bound}")
    return number


def bound_fields(options: object, names: tuple[str, ...]) -> None:
    """`bounded` for fields of a frozen dataclass that is being made; None stays where it is the field's default."""
    for name in names:
        value = getattr(options, name)
        if value is not None or getattr(type(options), name) is not None:
            object.__setattr__(options, name, bounded(name, value))


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
