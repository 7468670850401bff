"""Upscalers by name: vedit's own, and those of the entry point group `vedit.upscalers`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

_UPSCALERS = (
    Entry(
        name="guided",
        summary="enlarged, with as much of the source's fine detail as the look has kept",
        target="vedit.finishing.guided:guided",
    ),
    Entry(name="lanczos", summary="the plain enlargement of the result", target="vedit.finishing.guided:lanczos"),
)
OWN = tuple(entry.name for entry in _UPSCALERS)
"""Those that need no plug-in."""


@cache
def upscalers() -> Registry:
    """All of them. A target is a `vedit.protocols.Upscaler`."""
    return Registry.of("upscaler", _UPSCALERS, group="vedit.upscalers", protocol="vedit.protocols:Upscaler")
