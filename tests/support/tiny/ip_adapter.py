"""Tiny random IP-Adapters in the authors' layout, with the image encoder beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

Sort = Literal["base", "plus", "full", "face-id"]
HIDDEN, PROJECTED, SIDE = 48, 40, 28
"""Of the image encoder: widths of its states and of its embedding, pixels to a side."""
_INNER = 64
"""Of the resampler, in one head."""


def write_encoder(folder: Path, *, seed: int = 0, projected: int = PROJECTED) -> Path:
    """A CLIP image encoder of three layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = CLIPVisionConfig(
            hidden_size=HIDDEN,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            projection_dim=projected,
            image_size=SIDE,
            patch_size=14,
        )
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def write_ip_adapter(path: Path, model: Path, sort: Sort = "base", *, seed: int = 0) -> Path:
    """An adapter for a model's UNet; the weights are large enough to be seen in the result."""
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", local_files_only=True, low_cpu_mem_usage=False)
    assert isinstance(unet, UNet2DConditionModel)
    generator = torch.Generator().manual_seed(seed)
    width = int(unet.config["cross_attention_dim"])

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) / (shape[-1] ** 0.5 if len(shape) > 1 else 1)

    tensors = {f"image_proj.{name}": value for name, value in _projection(sort, width, drawn).items()}
    layers = [name for name in unet.attn_processors if ".attn2." in name]
    for place, name in enumerate(layers):
        out = cast("Any", unet.get_submodule(name.removesuffix(".processor"))).to_k.out_features
        for part in ("to_k_ip", "to_v_ip"):
            tensors[f"ip_adapter.{2 * place + 1}.{part}.weight"] = 2 * drawn(out, width)
        if sort == "face-id":
            tensors[f"ip_adapter.{2 * place}.to_q_lora.down.weight"] = drawn(4, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _projection(sort: Sort, width: int, drawn: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:

    def linear(name: str, out: int, given: int, *, bias: bool = True) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": drawn(out, given), **({f"{name}.bias": 0.1 * drawn(out)} if bias else {})}

    def norm(name: str, size: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": 1 + 0.1 * drawn(size), f"{name}.bias": 0.1 * drawn(size)}

    if sort == "base":
        return {**linear("proj", 4 * width, PROJECTED), **norm("norm", width)}
    if sort == "full":
        return {**linear("proj.0", HIDDEN, HIDDEN), **linear("proj.2", width, HIDDEN), **norm("proj.3", width)}
    if sort == "face-id":
        return {**linear("proj.0", 1024, 512), **linear("proj.2", 4 * width, 1024), **norm("norm", width)}
    found = {"latents": drawn(1, 6, _INNER), **linear("proj_in", _INNER, HIDDEN), **linear("proj_out", width, _INNER)}
    found |= norm("norm_out", width)
    for layer in range(4):
        gather, think = f"layers.{layer}.0", f"layers.{layer}.1"
        found |= {**norm(f"{gather}.norm1", _INNER), **norm(f"{gather}.norm2", _INNER)}
        found |= {
            **linear(f"{gather}.to_q", _INNER, _INNER, bias=False),
            **linear(f"{gather}.to_kv", 2 * _INNER, _INNER, bias=False),
            **linear(f"{gather}.to_out", _INNER, _INNER, bias=False),
            **norm(f"{think}.0", _INNER),
            **linear(f"{think}.1", 4 * _INNER, _INNER, bias=False),
            **linear(f"{think}.3", _INNER, 4 * _INNER, bias=False),
        }
    return found
