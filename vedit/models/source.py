"""Where the parts of a model come from, and what lies in its folder by which name. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vedit.registry.catalogue import own
from vedit.weights.hub_cache import on_disk

DEFAULT = "embedded"
FAST_FOLDER, DRAWN_FOLDER = "fast", "drawn"
"""In a model's folder: few-step weights (`vedit.models.distilled`), for all looks and for those that they name."""
TIER_FOLDERS = (DRAWN_FOLDER, FAST_FOLDER)
"""The one that serves some looks comes before the one that serves all."""
LOOKS = "looks.json"
"""In a model's folder: the looks and words that it was trained on."""


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """Where a model's parts come from: `base` is a folder, a .safetensors file or a hub id with an optional @revision.

    `controlnets` maps a control kind to a ControlNet's folder, file, hub id, or file on the hub (owner/name/FILE); the
    ones that a folder holds itself are found there.
    """

    base: str
    controlnets: Mapping[str, str] = field(default_factory=dict[str, str])
    ip_adapter: str | None = None
    """A file, or a file on the hub; None: there is none."""
    image_encoder: str | None = None
    """The folder of what its pictures are read with; None: it lies near the IP-Adapter."""
    motion_adapter: str | None = None
    """A folder, a file or a hub id; None: the model has motion modules in itself, or none."""

    unet: str | None = None
    """A GGUF file that the UNet is read from in the place of the model's own; None: it has its own."""

    @property
    def added(self) -> dict[str, str]:
        """Name -> place of what stands beside the model and its branches, or in the place of a part."""
        named = {name: getattr(self, name) for name in ("motion_adapter", "ip_adapter", "image_encoder", "unet")}
        return {name: place for name, place in named.items() if place is not None}

    @property
    def on_disk(self) -> ModelSource:
        """The same with paths in the place of hub ids, as far as those are in the hub's cache."""
        return ModelSource(
            base=on_disk(self.base),
            controlnets={kind: on_disk(place) for kind, place in self.controlnets.items()},
            ip_adapter=None if self.ip_adapter is None else on_disk(self.ip_adapter),
            image_encoder=None if self.image_encoder is None else on_disk(self.image_encoder),
            unet=self.unet,
            motion_adapter=None if self.motion_adapter is None else on_disk(self.motion_adapter),
        )


_OWN = own().models
SD15 = ModelSource(
    base=_OWN["sd15"].place,
    controlnets={kind: _OWN[name].place for kind, name in _OWN["sd15"].controlnets.items()},
)
"""Stable Diffusion 1.5, of which sizes are known before it is fetched."""
