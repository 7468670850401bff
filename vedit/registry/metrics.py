"""Metrics by name: vedit's own, and those of the entry point group `vedit.metrics`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

_HOME = "vedit.evaluation.metrics"
_METRICS: tuple[Entry, ...] = (
    Entry(
        name="motion",
        summary="how much of the source's motion is lost or made up",
        target=f"{_HOME}.motion:METRIC",
    ),
    Entry(
        name="camera_path",
        summary="whether the camera goes where the source's goes, each step and at the end",
        target=f"{_HOME}.camera_path:METRIC",
    ),
    Entry(
        name="warp_error",
        summary="how far frames differ once the motion is taken out, over 1 and 8 frames and from first to last",
        target=f"{_HOME}.warp_error:METRIC",
    ),
    Entry(
        name="flicker",
        summary="brightness and detail that come and go along the scene's tracks, fast and slow",
        target=f"{_HOME}.flicker:METRIC",
    ),
    Entry(
        name="anchoring",
        summary="whether what was drawn rides on the scene or stays on the screen",
        target=f"{_HOME}.anchoring:METRIC",
    ),
    Entry(
        name="contrast",
        summary="how strong fine detail is, so that nobody wins by blur",
        target=f"{_HOME}.contrast:METRIC",
    ),
)


@cache
def metrics() -> Registry:
    """All of them. A target is a `vedit.evaluation.metric.Metric`."""
    registry = Registry("metric")
    for entry in _METRICS:
        registry.add(entry)
    registry.add_plugins("vedit.metrics")
    return registry
