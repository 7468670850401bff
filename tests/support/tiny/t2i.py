"""Tiny random T2I-Adapters, in diffusers' layouts and in that of their authors, and models of three levels for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, cast

import torch
from diffusers.models.adapter import T2IAdapter
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file

from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

Sort = Literal["full_adapter", "light_adapter", "full_adapter_xl"]
Layout = Literal["folder", "diffusers", "bare", "authors"]
WIDTHS: dict[Sort, list[int]] = {
    "full_adapter": [32, 64, 64],
    "light_adapter": [32, 64],
    "full_adapter_xl": [32, 64, 64, 64],
}


def t2i_adapter(
    sort: Sort = "full_adapter", *, seed: int = 0, channels: int = 3, widths: list[int] | None = None
) -> T2IAdapter:
    """Random weights, two residual blocks a level, whose features are as large as what they are added to."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return T2IAdapter(
            in_channels=channels,
            channels=WIDTHS[sort] if widths is None else widths,
            num_res_blocks=2,
            downscale_factor=16 if sort == "full_adapter_xl" else 8,
            adapter_type=sort,
        ).eval()


def write_t2i(place: Path, adapter: T2IAdapter, layout: Layout = "folder") -> Path:
    """A folder, or one file without config: in diffusers' layout, in it without its prefix, or in the authors' own."""
    if layout == "folder":
        adapter.save_pretrained(place)
        return place
    tensors = adapter.state_dict() if layout == "diffusers" else dict(adapter.adapter.state_dict())
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file(_of_authors(adapter) if layout == "authors" else tensors, place)
    return place


def _of_authors(adapter: T2IAdapter) -> dict[str, torch.Tensor]:
    """As the authors' classes hold them: one row of residual blocks, or light extractors with a body each."""
    network = cast("Any", adapter.adapter)
    modules: dict[str, torch.nn.Module] = {}
    row = 0
    for number, level in enumerate(network.body):
        if adapter.config["adapter_type"] == "light_adapter":
            modules |= {f"body.{number}.in_conv": level.in_conv, f"body.{number}.out_conv": level.out_conv}
            modules |= {f"body.{number}.body.{place}": block for place, block in enumerate(level.resnets)}
            continue
        if level.in_conv is not None:
            modules[f"body.{row}.in_conv"] = level.in_conv
        for block in level.resnets:
            modules[f"body.{row}"] = block
            row += 1
    if hasattr(network, "conv_in"):
        modules["conv_in"] = network.conv_in
    found: dict[str, torch.Tensor] = {}
    for name, module in modules.items():
        found |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    return found


def write_three_levels(folder: Path, *, xl: bool = False) -> Path:
    """A tiny random model without controls, whose UNet halves its cells twice, as the middle block's place needs it."""
    (write_tiny_sdxl if xl else write_tiny_sd)(folder, controls=())
    config = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    cross = ["CrossAttnDownBlock2D", "CrossAttnUpBlock2D"]
    plain = ["DownBlock2D", "UpBlock2D"]
    first, last = (plain, cross) if xl else (cross, plain)
    config |= {
        "block_out_channels": [32, 64, 64],
        "down_block_types": [first[0], cross[0], last[0]],
        "up_block_types": [last[1], cross[1], first[1]],
    }
    if xl:
        config |= {"transformer_layers_per_block": [1, 1, 2], "attention_head_dim": [4, 8, 8]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        cast("UNet2DConditionModel", UNet2DConditionModel.from_config(config)).save_pretrained(folder / "unet")
    return folder
