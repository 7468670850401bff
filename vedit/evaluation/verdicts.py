"""Figures in words: what a supervisor reads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vedit.evaluation.report import Verdict

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.media.contract.report import ContractReport


def verdicts_of(figures: Mapping[str, Figure], contract: ContractReport | None) -> tuple[Verdict, ...]:
    """The verdicts that the figures at hand allow, the gravest subjects first."""
    return tuple(_contract(contract))


def _contract(contract: ContractReport | None) -> Sequence[Verdict]:
    if contract is None:
        return []
    if contract.ok:
        return [Verdict(subject="timing and sound", level="good", text="Timing, sound and tags are the source's.")]
    names = ", ".join(check.name for check in contract.breaches)
    return [Verdict(subject="timing and sound", level="bad", text=f"Not as in the source: {names}.")]
