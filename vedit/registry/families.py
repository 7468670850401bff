"""Model families by name: vedit's own, and those of the entry point group `vedit.families`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

OWN = "sd"
_FAMILIES = (
    Entry(
        name=OWN,
        summary="the Stable Diffusion 1.x layout: UNet, autoencoder, CLIP text encoder, ControlNets",
        target="vedit.models.families.stable_diffusion:FAMILY",
    ),
)


@cache
def families() -> Registry:
    """All of them. A target is a `vedit.models.family.Family`."""
    registry = Registry("model family")
    for entry in _FAMILIES:
        registry.add(entry)
    registry.add_plugins("vedit.families")
    return registry
