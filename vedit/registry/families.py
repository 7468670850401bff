"""Model families by name: vedit's own, and those of the entry point group `vedit.families`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

OWN, XL, MOVING = "sd", "sdxl", "animatediff"
_FAMILIES = (
    Entry(
        name=OWN,
        summary="the Stable Diffusion 1.x layout: UNet, autoencoder, CLIP text encoder, ControlNets",
        target="vedit.models.families.stable_diffusion:FAMILY",
    ),
    Entry(
        name=XL,
        summary="Stable Diffusion XL: two text encoders, and a UNet that is told the size of the picture",
        target="vedit.models.families.stable_diffusion_xl:FAMILY",
    ),
    Entry(
        name=MOVING,
        summary="AnimateDiff: a Stable Diffusion 1.x with motion modules, which draws frames together",
        target="vedit.models.families.animatediff:FAMILY",
    ),
)
VEDITS = frozenset(entry.name for entry in _FAMILIES)
"""Vedit's own, whose checkpoints `vedit.models.identify` knows by name."""


@cache
def families() -> Registry:
    """All of them. A target is a `vedit.models.family.Family`."""
    registry = Registry("model family")
    for entry in _FAMILIES:
        registry.add(entry)
    registry.add_plugins("vedit.families")
    return registry
