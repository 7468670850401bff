"""What every metric of the registry that needs no weights keeps to."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.made_frames import pan
from vedit.evaluation.metric import Metric
from vedit.registry.entry import Entry
from vedit.registry.metrics import metrics
from vedit.testing.metrics import scores_of

BUILT_IN = [entry for entry in metrics() if entry.origin == "vedit"]


def test_no_figure_is_given_by_two_metrics() -> None:
    names = Counter(figure.name for entry in BUILT_IN for figure in _metric(entry).figures)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_a_figure_is_defined_in_full(entry: Entry) -> None:
    for figure in _metric(entry).figures:
        assert figure.name.isidentifier()
        assert figure.name.islower()
        assert figure.title
        assert len(figure.variant) > 40
        assert "\n" not in figure.variant + figure.title


@pytest.mark.parametrize(
    "entry", [entry for entry in BUILT_IN if not entry.needs.weights], ids=lambda entry: entry.name
)
def test_a_source_against_itself_gives_the_ideal(entry: Entry) -> None:
    metric = _metric(entry)
    scores = scores_of(metric, pan(10, step=3))
    assert scores.keys() == {figure.name for figure in metric.figures}
    for figure in metric.figures:
        score = scores[figure.name]
        assert score.value is not None or score.why
        if figure.ideal is not None and score.value is not None:
            assert score.value == pytest.approx(figure.ideal, abs=1e-6)


def _metric(entry: Entry) -> Metric:
    return entry.load()
