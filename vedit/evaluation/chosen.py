"""Which metrics are measured: those that are asked for, or all that can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.evaluation.metric import Metric
from vedit.registry.metrics import metrics as registry
from vedit.weights.store import find

if TYPE_CHECKING:
    from vedit.registry.entry import Entry


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The metrics of a measurement."""

    metrics: Mapping[str, Metric]
    notes: tuple[str, ...] = ()
    """What is not measured, and why."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of all that they give."""
        return tuple(one.name for metric in self.metrics.values() for one in metric.figures)


def load_metric(entry: Entry) -> Metric:
    """The metric of an entry.

    Raises:
        InputError: it cannot be loaded, or is no metric.
    """
    return entry.load_as(Metric, "metric")


def missing(entry: Entry) -> tuple[str, ...]:
    """The weights of a metric that are not on this machine. Raises InputError where it cannot be loaded."""
    return tuple(name for name in entry.needs.weights if find(name) is None)


def choose(names: tuple[str, ...] | None, *, quick: bool, required: Collection[str] = ()) -> Chosen:
    """The metrics of these names; of None, all whose weights are here.

    Args:
        names: of metrics.
        quick: of all of them, the quick ones alone, and those that are required.
        required: names of figures.

    Raises:
        InputError: there is none of a name, a weight of one that is asked for is not here, or two give one figure.
    """
    entries = list(registry()) if names is None else [registry()[name] for name in dict.fromkeys(names)]
    found: dict[str, Metric] = {}
    notes: list[str] = []
    taken: dict[str, str] = {}
    for entry in entries:
        lacking = missing(entry)
        if lacking:
            if names is not None:
                raise InputError(
                    f"the metric {entry.name!r} needs the weights {', '.join(lacking)}, which are not on this machine",
                    remedy=f"run: vedit models pull {lacking[0]}",
                )
            notes.append(f"{entry.name} is not measured: it needs the weights {', '.join(lacking)}")
            continue
        metric = load_metric(entry)
        asked = any(figure.name in required for figure in metric.figures)
        if names is None and quick and not (metric.quick or asked):
            continue
        for figure in metric.figures:
            if figure.name in taken:
                raise InputError(
                    f"the metrics {taken[figure.name]!r} and {entry.name!r} both give a figure {figure.name!r}",
                    remedy=f"uninstall or rename the one of {entry.origin}",
                )
            taken[figure.name] = entry.name
        found[entry.name] = metric
    return Chosen(metrics=found, notes=tuple(notes))
