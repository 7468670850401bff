"""Whether a ControlNet or T2I-Adapter is one for a UNet: by configs, before either is loaded. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedit.errors import ModelError
from vedit.models.branches import check_control_type
from vedit.models.configs import read_config
from vedit.models.families.sd_configs import UNION, cell_of, config_of, control_types, part_config
from vedit.models.t2i_adapters import check_t2i_adapter, is_t2i_adapter
from vedit.models.weight_files import stored_in

_ADDED = ("addition_embed_type", "projection_class_embeddings_input_dim")
"""What a network takes beside the text's states."""
_USUAL: Mapping[str, object] = {
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 1280,
    "in_channels": 4,
}
"""What both networks have where their configs do not say."""


def check_branches(base: Path, places: Mapping[str, Path]) -> None:
    """The check of a model's ControlNets and T2I-Adapters.

    Args:
        base: the model's folder or file.
        places: kinds of control -> their folders and files.

    Raises:
        ModelError: one is for another network, whose residuals or text would have other widths, or is of many kinds
            without the one that is asked for; or a config or header is damaged.
    """
    if not places:
        return
    unet = part_config(base, "unet")
    for kind, place in places.items():
        if is_t2i_adapter(place):
            check_t2i_adapter(place, kind, unet, cell=cell_of(part_config(base, "vae")), model=base.name)
            continue
        net = _config_at(place)
        for key in (*_USUAL, *_ADDED):
            own, wanted = (config.get(key, _USUAL.get(key)) for config in (net, unet))
            # A ControlNet without cross-attention takes no text, whatever its config says; one may do with less beside.
            less = (key == "cross_attention_dim" and ignores_text(net)) or (key in _ADDED and own is None)
            if own != wanted and not less:
                raise ModelError(
                    f"the ControlNet for {kind} has a {key} of {own}, the UNet of {wanted}",
                    remedy=f"use one that was made for {base.name}",
                )
        if net.get("_class_name") == UNION:
            check_control_type(place, kind, count=int(net.get("num_control_type", 6)))


def _config_at(place: Path) -> Mapping[str, Any]:
    if not place.is_dir():
        return config_of(place, "controlnet")
    return read_config(place / "config.json", "controlnet") | control_types(stored_in(place).shapes)


def ignores_text(net: Mapping[str, Any]) -> bool:
    """Whether a ControlNet has nothing through which a prompt could reach it, by its config."""
    blocks = (*net.get("down_block_types", ("CrossAttn",)), net.get("mid_block_type", "CrossAttn"))
    return net.get("addition_embed_type") is None and not any("CrossAttn" in (block or "") for block in blocks)
