"""Fast tiers of random weights for the models of `vedit.testing_sd`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from vedit.models.fast import FastTier, unet_digest, withdraw_other, write_settings
from vedit.models.lora import write_lora

SAMPLING, INVERSION = (751, 501, 251), (1,)
CONV, LINEAR = "conv_in", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def random_pairs(folder: Path, *, rank: int = 3, seed: int = 7) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """(A, B) for a convolution and a linear layer of the model's UNet, large enough to be seen."""
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name in (CONV, LINEAR):
        outputs, *inputs = weights[f"{name}.weight"].shape
        down = torch.randn(rank, *inputs, generator=generator) * 0.1
        pairs[name] = (down, torch.randn(outputs, rank, *(1 for _ in inputs[1:]), generator=generator))
    return pairs


def tier_for(folder: Path, **changes: Any) -> FastTier:
    """A tier of the model's own weights."""
    given: dict[str, Any] = {"sampling": SAMPLING, "inversion": INVERSION, "guidance": 2.0, **changes}
    return FastTier(folder=folder / "fast", unet=unet_digest(folder), **given)


def write_tier(folder: Path, *, seed: int = 7, **changes: Any) -> FastTier:
    """A tier that is loaded with the model; it takes the place of one that is there."""
    tier = tier_for(folder, **changes)
    withdraw_other(tier)
    write_lora(tier.weights, random_pairs(folder, seed=seed))
    write_settings(tier)
    return tier
