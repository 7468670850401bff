"""Where the parts of a model come from, and what lies in its folder by which name. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

    @property
    def on_disk(self) -> ModelSource:
        """The same with paths in the place of hub ids, as far as those are in the hub's cache."""
        return ModelSource(
            base=on_disk(self.base), controlnets={kind: on_disk(place) for kind, place in self.controlnets.items()}
        )


# The authors' own repositories hold some of the ControlNets as pickle only; these are the same weights as safetensors.
_CONTROLNETS = "comfyanonymous/ControlNet-v1-1_fp16_safetensors"
SD15 = ModelSource(
    base="stable-diffusion-v1-5/stable-diffusion-v1-5",
    controlnets={
        "tile": f"{_CONTROLNETS}/control_v11f1e_sd15_tile_fp16.safetensors",
        "softedge": f"{_CONTROLNETS}/control_v11p_sd15_softedge_fp16.safetensors",
        "depth": f"{_CONTROLNETS}/control_v11f1p_sd15_depth_fp16.safetensors",
        "canny": f"{_CONTROLNETS}/control_v11p_sd15_canny_fp16.safetensors",
    },
)
NAMED = {"sd15": SD15}
"""The models of the hub that have a name of their own."""
