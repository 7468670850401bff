"""What all metrics of the registry promise."""

from __future__ import annotations

from collections import Counter

import pytest

from vedit.evaluation.metric import Metric
from vedit.registry.metrics import metrics
from vedit.weights.store import info

NAMES = [entry.name for entry in metrics() if entry.origin == "vedit"]


def test_no_figure_has_the_name_of_another() -> None:
    counted = Counter(figure.name for name in NAMES for figure in metrics()[name].load().figures)
    assert [name for name, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_defined(name: str) -> None:
    metric: Metric = metrics()[name].load()
    assert metric.figures
    assert isinstance(metric.quick, bool) and isinstance(metric.whole_shot, bool)
    for figure in metric.figures:
        assert figure.name.isidentifier() and figure.name == figure.name.lower()
        assert figure.title and len(figure.variant) > 40
        assert "\n" not in figure.variant


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_a_metric_needs_are_known(name: str) -> None:
    for weights in metrics()[name].needs.weights:
        assert info(weights).name == weights
