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
    Entry(
        name="extended",
        summary="each frame sees itself and key frames: the first, and one in eight",
        target="vedit.models.attention_methods:EXTENDED",
    ),
    Entry(
        name="tokenflow",
        summary="key frames see one another; the others take from these what the source shows there",
        target="vedit.models.attention_methods:TOKENFLOW",
    ),
    Entry(
        name="vidtome",
        summary="tokens that a key frame shows too are drawn once, with the key's",
        target="vedit.models.attention_methods:MERGING",
    ),
    Entry(
        name="flatten",
        summary="each token sees itself in the frames before, along the source's motion",
        target="vedit.models.attention_methods:ALONG_FLOW",
    ),
    Entry(name=NONE, summary="each frame sees itself alone", target="vedit.models.attention:ALONE"),
)
OWN = tuple(entry.name for entry in _METHODS)
"""Those that need no plug-in."""
PLACED = tuple(name for name in OWN if name not in (CROSS_FRAME, NONE))
"""Those that a model without a place for them refuses (`vedit.models.family.Traits.self_attention`)."""


@cache
def attention_methods() -> Registry:
    """All of them. A target is a `vedit.models.attention.AttentionMethod`."""
    protocol = "vedit.models.attention:AttentionMethod"
    return Registry.of("attention method", _METHODS, group="vedit.attention", protocol=protocol)
