"""`--require 'warp_error<1.3x'`: what a result has to hold to, checked before the work and judged after it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.checks.nearest import suggest
from vedit.checks.rationals import shown
from vedit.errors import SettingError

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.media.contract.report import ContractReport

CONTRACT = "contract"
"""Required by its name alone: timing, sound and metadata are the source's."""
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(x?)\s*")


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A bound on a figure, or the contract as a whole."""

    text: str
    """As it was asked for."""
    name: str
    """Of the figure, or `CONTRACT`."""
    sign: str = ""
    bound: float = 0.0
    times_own: bool = False
    """The bound is a multiple of the source's own value."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Whether a requirement is met."""

    requirement: str
    met: bool
    found: str
    """What was measured, in words."""


def parse_requirements(texts: Sequence[str], known: Collection[str]) -> tuple[Requirement, ...]:
    """Requirements as texts, for instance "warp_error<1.3x", "camera_path<=0.5" or "contract".

    Args:
        texts: one each.
        known: names of the figures that will be measured.

    Raises:
        SettingError: one is no requirement, or names a figure that is not measured; with the nearest name.
    """
    return tuple(_parsed(text, known) for text in texts)


def names_in(texts: Sequence[str]) -> frozenset[str]:
    """The names of figures that requirements begin with, whether there are such figures or not."""
    return frozenset(found[0] for text in texts if (found := re.search(r"[a-z][a-z0-9_]*", text)))


def _parsed(text: str, known: Collection[str]) -> Requirement:
    if text.strip() == CONTRACT:
        return Requirement(text=CONTRACT, name=CONTRACT)
    found = _FORM.fullmatch(text)
    if found is None:
        raise SettingError(
            f"{shown(text)} is not a requirement",
            remedy="write FIGURE<NUMBER, with <, <=, > or >=; 1.3x is 1.3 times the source's own value",
        )
    name, sign, bound, own = found.groups()
    if name not in known:
        names = [*known, CONTRACT]
        raise SettingError(f"no figure that is measured is named {shown(name)}", remedy=suggest(name, names))
    return Requirement(text=text.strip(), name=name, sign=sign, bound=float(bound), times_own=bool(own))


def judge(
    requirements: Sequence[Requirement], figures: Mapping[str, Figure], contract: ContractReport | None
) -> tuple[Outcome, ...]:
    """Whether each is met; what could not be measured is not."""
    return tuple(
        _of_contract(one, contract) if one.name == CONTRACT else _judged(one, figures[one.name]) for one in requirements
    )


def _of_contract(one: Requirement, contract: ContractReport | None) -> Outcome:
    if contract is None:
        return Outcome(
            requirement=one.text,
            met=False,
            found="it was not checked: nothing says that the result was made to keep it",
        )
    names = ", ".join(check.name for check in contract.breaches)
    return Outcome(
        requirement=one.text, met=contract.ok, found="all of it holds" if contract.ok else f"broken: {names}"
    )


def _judged(one: Requirement, figure: Figure) -> Outcome:
    places, unit = figure.definition.places, figure.definition.unit
    if figure.value is None:
        return Outcome(requirement=one.text, met=False, found=f"not measured: {figure.why}")
    found = f"{figure.value:.{places}f} {unit}".strip()
    if one.times_own:
        if figure.own is None:
            return Outcome(requirement=one.text, met=False, found=f"{found}, and the source's own value is not known")
        times = f"{figure.value / figure.own:.3f}x, " if figure.own > 0 else ""
        found = f"{times}{found}, the source's own is {figure.own:.{places}f}"
        return Outcome(requirement=one.text, met=_SIGNS[one.sign](figure.value, one.bound * figure.own), found=found)
    return Outcome(requirement=one.text, met=_SIGNS[one.sign](figure.value, one.bound), found=found)
