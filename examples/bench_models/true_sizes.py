"""Models of random numbers at their true sizes: neither time nor memory depends on what the weights are.

Each is a diffusers folder in float16, as the published ones are. Norms are 1 and all else is small, so that nothing
overflows on its way through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from vedit.models.families.sd_configs import SD1, SD2, SDXL

RANK = 64
"""Of the LoRA that makes an LCM of Stable Diffusion 1.5."""
_SPREAD = 0.02


def write_model(folder: Path, configs: Mapping[str, Mapping[str, Any]], *, scheduler: Mapping[str, Any]) -> Path:
    """Write a model of the Stable Diffusion 1.x layout, once.

    Args:
        folder: that it is written into; where its index is there already, nothing is done.
        configs: of its parts.
        scheduler: what its scheduler's config says beside those of its family.
    """
    if (folder / "model_index.json").is_file():
        return folder
    networks: dict[str, Callable[[], Any]] = {
        "unet": lambda: UNet2DConditionModel.from_config(dict(configs["unet"])),
        "vae": lambda: AutoencoderKL.from_config(dict(configs["vae"])),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig.from_dict(dict(configs["text_encoder"]))),
    }
    for part, make in networks.items():
        _write_network(folder / part, make, configs[part], name="model" if part == "text_encoder" else "")
    _write_json(folder / "scheduler" / "scheduler_config.json", {**configs["scheduler"], **scheduler})
    _tokenizer().save_pretrained(folder / "tokenizer")
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", configs["scheduler"]["_class_name"]],
    }
    pipeline = "StableDiffusionPipeline"
    if "text_encoder_2" in configs:
        second = configs["text_encoder_2"]
        _write_network(
            folder / "text_encoder_2",
            lambda: CLIPTextModelWithProjection(CLIPTextConfig.from_dict(dict(second))),
            second,
            name="model",
        )
        _tokenizer().save_pretrained(folder / "tokenizer_2")
        parts["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        parts["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
        pipeline = "StableDiffusionXLPipeline"
    _write_json(folder / "model_index.json", {"_class_name": pipeline, **parts})
    return folder


def write_sd15(folder: Path) -> Path:
    """Stable Diffusion 1.5."""
    return write_model(folder, SD1, scheduler={})


def write_sd21(folder: Path) -> Path:
    """Stable Diffusion 2.1, which predicts v at 768 pixels."""
    configs = {**SD2, "unet": {**SD2["unet"], "sample_size": 96}}
    return write_model(folder, configs, scheduler={"prediction_type": "v_prediction"})


def write_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL."""
    return write_model(folder, SDXL, scheduler={})


def write_tile(folder: Path, *, xl: bool = False) -> Path:
    """A ControlNet for Stable Diffusion 1.5, or for XL."""
    config = (SDXL if xl else SD1)["controlnet"]
    if not (folder / "config.json").is_file():
        _write_network(folder, lambda: ControlNetModel.from_config(dict(config)), config)
    return folder


def write_lcm_lora(file: Path) -> Path:
    """A LoRA of every linear layer and convolution of the UNet, in kohya's layout, as LCM-LoRA is published."""
    if file.is_file():
        return file
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(dict(SD1["unet"]))
    tensors: dict[str, torch.Tensor] = {}
    spread = torch.Generator().manual_seed(1)
    for name, module in unet.named_modules():
        if not isinstance(module, torch.nn.Linear | torch.nn.Conv2d) or "block" not in name.split(".")[0]:
            continue
        key, (out, given, *kernel) = f"lora_unet_{name.replace('.', '_')}", module.weight.shape
        tensors[f"{key}.lora_down.weight"] = _random((RANK, given, *kernel), spread)
        tensors[f"{key}.lora_up.weight"] = _random((out, RANK, *([1] * len(kernel))), spread)
        tensors[f"{key}.alpha"] = torch.tensor(float(RANK) / 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file


def _write_network(folder: Path, make: Callable[[], Any], config: Mapping[str, Any], *, name: str = "") -> None:
    with torch.device("meta"):
        network = make()
    spread = torch.Generator().manual_seed(0)
    tensors = {key: _filled(key, value, spread) for key, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"{name or 'diffusion_pytorch_model'}.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", config)


def _filled(key: str, like: torch.Tensor, spread: torch.Generator) -> torch.Tensor:
    if not like.is_floating_point():
        return torch.arange(like.numel()).view(like.shape)
    if like.dim() == 1:
        return torch.full(like.shape, 1.0 if "norm" in key and key.endswith("weight") else 0.0, dtype=torch.float16)
    return _random(like.shape, spread)


def _random(shape: tuple[int, ...] | torch.Size, spread: torch.Generator) -> torch.Tensor:
    return (torch.randn(tuple(shape), generator=spread) * _SPREAD).half()


def _tokenizer() -> CLIPTokenizer:
    """Spells every word in letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)


def _write_json(file: Path, value: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), "utf-8")
