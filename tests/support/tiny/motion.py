"""A tiny random motion adapter for `vedit.testing.tiny_sd`'s model, in diffusers' layout and in that of the authors."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.unets.unet_motion_model import MotionAdapter
from safetensors.torch import save_file

from vedit.testing.tiny_sd import WIDTHS

_AUTHORS = {
    ".transformer_blocks.": ".temporal_transformer.transformer_blocks.",
    ".attn1.": ".attention_blocks.0.",
    ".attn2.": ".attention_blocks.1.",
    ".norm1.": ".norms.0.",
    ".norm2.": ".norms.1.",
    ".norm3.": ".ff_norm.",
    ".pos_embed.pe": ".attention_blocks.0.pos_encoder.pe",
}


def motion_adapter(*, seed: int = 0, middle: bool = True, length: int = 24) -> MotionAdapter:
    """Random modules that act, where fresh ones of the authors would be silent."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MotionAdapter(
            block_out_channels=WIDTHS,
            motion_layers_per_block=1,
            motion_num_attention_heads=8,
            motion_norm_num_groups=8,
            motion_max_seq_length=length,
            use_motion_mid_block=middle,
        )


def write_motion_adapter(folder: Path, *, seed: int = 0, middle: bool = True, length: int = 24) -> Path:
    """Diffusers' folder, of version 2 with modules in the middle block, of 1 and 3 without."""
    motion_adapter(seed=seed, middle=middle, length=length).save_pretrained(folder)
    return folder


def write_motion_file(file: Path, *, seed: int = 0, middle: bool = True, length: int = 24, prefix: str = "") -> Path:
    """The same numbers in one file of the authors' layout, without a config."""
    found: dict[str, torch.Tensor] = {}
    for key, value in motion_adapter(seed=seed, middle=middle, length=length).state_dict().items():
        name = key
        for own, theirs in _AUTHORS.items():
            name = name.replace(own, theirs)
        for part in ("norm", "proj_in", "proj_out"):
            for number in range(3):
                name = name.replace(
                    f"motion_modules.{number}.{part}.", f"motion_modules.{number}.temporal_transformer.{part}."
                )
        found[prefix + name] = value.contiguous()
        if name.endswith("attention_blocks.0.pos_encoder.pe"):
            found[prefix + name.replace("attention_blocks.0", "attention_blocks.1")] = value.clone()
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(found, file)
    return file
