"""Metrics by name: vedit's own, and those of the entry point group `vedit.metrics`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Needs, Registry

_HOME = "vedit.evaluation.metrics"
_METRICS: tuple[Entry, ...] = (
    *(
        Entry(name=name, summary=summary, target=f"{_HOME}.{name}:METRIC")
        for name, summary in (
            ("structure", "whether edges and patterns are the source's"),
            ("detail", "fine detail over the source's, burnt-out highlights and blocked shadows"),
            ("lattice", "the faint lattice of the model's cells in flat parts"),
            ("appearance", "how far colours and fine texture moved from the source"),
            ("drift", "colour, contrast and sharpness over a shot, and at the joins of windows"),
            ("preservation", "what changed outside the mask"),
            ("look", "whether a result of the embedded model wears the look that was asked for"),
        )
    ),
    Entry(
        name="dino",
        summary="how far the structure moved, by DINO's self-similarity",
        target=f"{_HOME}.dino:METRIC",
        needs=Needs(weights=("dino-vitb8",)),
    ),
    Entry(
        name="clip",
        summary="how well frames go with the prompt and with each other, by CLIP",
        target=f"{_HOME}.clip:METRIC",
        needs=Needs(weights=("clip-vit-large-patch14",)),
    ),
    Entry(
        name="pickscore",
        summary="how well frames go with the prompt, by what people prefer",
        target=f"{_HOME}.clip:PICKSCORE",
        needs=Needs(weights=("pickscore-v1",)),
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
