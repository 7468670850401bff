"""Every metric there is, what it gives, what it needs, and whether that is here."""

from __future__ import annotations

from dataclasses import dataclass

from vedit.errors import InputError
from vedit.evaluation.chosen import load_metric, missing
from vedit.evaluation.definition import Definition
from vedit.registry.metrics import metrics


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """One line of the list."""

    name: str
    summary: str
    origin: str
    """The distribution that brings it."""
    needs: tuple[str, ...]
    """Names of weights."""
    missing: tuple[str, ...]
    """Those of them that are not on this machine."""
    quick: bool
    figures: tuple[Definition, ...]
    fault: str = ""
    """Why it cannot be loaded; empty where it can."""

    @property
    def usable(self) -> bool:
        return not self.missing and not self.fault


def list_metrics() -> tuple[MetricInfo, ...]:
    """All of them, vedit's own first; one that cannot be loaded is listed with its fault."""
    found: list[MetricInfo] = []
    for entry in metrics():
        figures: tuple[Definition, ...] = ()
        absent: tuple[str, ...] = ()
        quick, fault = False, ""
        try:
            absent = missing(entry)
            metric = load_metric(entry)
            figures, quick = metric.figures, metric.quick
        except InputError as error:
            fault = str(error)
        found.append(
            MetricInfo(
                name=entry.name,
                summary=entry.summary,
                origin=entry.origin,
                needs=entry.needs.weights,
                missing=absent,
                quick=quick,
                figures=figures,
                fault=fault,
            )
        )
    return tuple(found)
