"""Pipelines by name: vedit's own, and those of the entry point group `vedit.pipelines`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

_PIPELINES = (
    Entry(
        name="restyle",
        summary="the source is inverted into noise and sampled again under the prompt",
        target="vedit.pipelines.restyle_pipeline:PIPELINE",
    ),
)
OWN = tuple(entry.name for entry in _PIPELINES)
"""Those that need no plug-in."""


@cache
def pipelines() -> Registry:
    """All of them. A target is a `vedit.pipelines.pipeline.Pipeline`."""
    return Registry.of("pipeline", _PIPELINES, group="vedit.pipelines", protocol="vedit.pipelines.pipeline:Pipeline")
