"""What every metric of the registry that needs no weights keeps to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import vedit
from tests.support.clips import two_shots
from tests.support.toy_metrics import only
from vedit.evaluation.listing import list_metrics
from vedit.evaluation.metric import Metric
from vedit.registry.entry import Entry
from vedit.registry.metrics import metrics
from vedit.testing.contracts import check_metric

BUILT_IN = [entry for entry in metrics() if entry.origin == "vedit"]


def test_no_figure_is_given_by_two_metrics() -> None:
    names = Counter(figure.name for entry in BUILT_IN for figure in _metric(entry).figures)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "entry", [entry for entry in BUILT_IN if not entry.needs.weights], ids=lambda entry: entry.name
)
def test_it_keeps_the_contract(entry: Entry) -> None:
    check_metric(entry.name)


@dataclass(frozen=True)
class FakePoint:
    """An entry point as importlib.metadata has it."""

    name: str
    value: str
    dist: None = None


def test_each_works_as_a_plug_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By an entry point alone, from the command line's function on: measured, and required."""
    points = [FakePoint(name=f"my-{one.name}", value=one.target) for one in BUILT_IN if not one.needs.weights]

    def entry_points(*, group: str) -> list[FakePoint]:
        return points if group == "vedit.metrics" else []

    monkeypatch.setattr("vedit.registry.entry.entry_points", entry_points)
    clip = two_shots(tmp_path / "in.mov")
    with only():
        listed = list_metrics()
        assert [one.name for one in listed] == [point.name for point in points] and all(one.usable for one in listed)
        main = [one.figures[0].name for one in listed]
        report = vedit.evaluate(clip, clip, require=[f"{name}>=-1e9" for name in main])
    assert set(main) <= set(report.figures)
    for outcome, name in zip(report.required, main, strict=True):
        figure = report.figures[name]
        assert outcome.met is (figure.value is not None), outcome
        assert figure.value is not None or figure.why


def _metric(entry: Entry) -> Metric:
    return entry.load()
