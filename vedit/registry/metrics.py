"""Metrics by name: vedit's own, and those of the entry point group `vedit.metrics`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

_HOME = "vedit.evaluation.metrics"
_METRICS: tuple[Entry, ...] = ()


@cache
def metrics() -> Registry:
    """All of them. A target is a `vedit.evaluation.metric.Metric`."""
    registry = Registry("metric")
    for entry in _METRICS:
        registry.add(entry)
    registry.add_plugins("vedit.metrics")
    return registry
