"""What `--reference` asks for: pictures that a look takes after, each with how much."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.bounds import Bound, bounded
from vedit.checks.rationals import shown
from vedit.errors import InputError, SettingError

WEIGHT = Bound(kind="number", low=0, high=1)
"""Of how much a picture counts."""
_FORM = "PICTURE[:WEIGHT], for instance still.png:0.7"
_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+", re.ASCII)


@checked
@dataclass(frozen=True, kw_only=True)
class ReferenceSpec:
    """`--reference PICTURE[:WEIGHT]`: a picture, and how much the look takes after it.

    Raises:
        SettingError: the weight is out of `WEIGHT`.
    """

    path: Path
    """Of a still picture."""
    weight: float = 1.0
    """0 is not at all, 1 wholly."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", float(bounded(f"the weight of {self.path.name}", self.weight, WEIGHT)))

    def __str__(self) -> str:
        return f"{self.path}:{self.weight:g}"


def parse_reference(text: str) -> ReferenceSpec:
    """`PICTURE[:WEIGHT]` -> a reference. A file that is there wins over a weight.

    Raises:
        InputError: no picture is named, or the weight is out of 0 to 1.
    """
    told = text.strip()
    left, colon, right = told.rpartition(":")
    weighed = bool(colon) and _NUMBER.fullmatch(right.strip()) is not None and not Path(told).exists()
    name = left if weighed else told
    if not name.strip():
        raise InputError(f"the reference {shown(text)} names no picture", remedy=f"write {_FORM}")
    try:
        return ReferenceSpec(path=Path(name), weight=float(right) if weighed else 1.0)
    except SettingError as error:
        raise InputError(f"the reference {shown(text)}: {error.message}", remedy=error.remedy) from None


def references(given: Sequence[ReferenceSpec | Path | str]) -> tuple[ReferenceSpec, ...]:
    """References as a caller writes them: as specifications, paths, or as --reference has them. Raises InputError."""
    return tuple(_reference(one) for one in given)


def _reference(one: ReferenceSpec | Path | str) -> ReferenceSpec:
    if isinstance(one, ReferenceSpec):
        return one
    return ReferenceSpec(path=one) if isinstance(one, Path) else parse_reference(one)
