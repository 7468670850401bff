"""Attention methods by name: vedit's own, and those of the entry point group `vedit.attention`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

CROSS_FRAME, NONE = "cross-frame", "none"
_METHODS = (
    Entry(
        name=CROSS_FRAME,
        summary="each frame sees the one before it and the shot's first",
        target="vedit.models.attention:CROSS_FRAME",
    ),
    Entry(name=NONE, summary="each frame sees itself alone", target="vedit.models.attention:ALONE"),
)
OWN = tuple(entry.name for entry in _METHODS)
"""Those that need no plug-in."""


@cache
def attention_methods() -> Registry:
    """All of them. A target is a `vedit.models.attention.AttentionMethod`."""
    protocol = "vedit.models.attention:AttentionMethod"
    return Registry.of("attention method", _METHODS, group="vedit.attention", protocol=protocol)
