"""Configs of single files: those that lie beside a file, else those of the family that its tensors tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedit.models.configs import Part, read_config
from vedit.models.families.sd_keys import OPEN_CLIP
from vedit.models.headers import read_header

_NETWORK: dict[str, Any] = {
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "in_channels": 4,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
_UNET: dict[str, Any] = {
    **_NETWORK,
    "_class_name": "UNet2DConditionModel",
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "out_channels": 4,
    "sample_size": 64,
}
_CONTROLNET: dict[str, Any] = {
    **_NETWORK,
    "_class_name": "ControlNetModel",
    "conditioning_embedding_out_channels": [16, 32, 96, 256],
}
_TEXT: dict[str, Any] = {
    "model_type": "clip_text_model",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
}
_SCHEDULER: dict[str, Any] = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
_SD2_NETWORK: dict[str, Any] = {
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
SD1: Mapping[str, Mapping[str, Any]] = {
    "unet": _UNET,
    "vae": _VAE,
    "text_encoder": _TEXT,
    "controlnet": _CONTROLNET,
    "scheduler": _SCHEDULER,
}
"""What a Stable Diffusion 1.x file does not say of itself; what is not named here is diffusers' default."""
SD2: Mapping[str, Mapping[str, Any]] = {
    "unet": {**_UNET, **_SD2_NETWORK},
    "vae": _VAE,
    "text_encoder": {
        **_TEXT,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        # The last of OpenCLIP's 24 is left out, as it was in training.
        "num_hidden_layers": 23,
        "hidden_act": "gelu",
        "projection_dim": 1024,
    },
    "controlnet": {**_CONTROLNET, **_SD2_NETWORK},
    "scheduler": _SCHEDULER,
}
"""The same of Stable Diffusion 2.x."""


def config_of(path: Path, part: Part) -> dict[str, Any]:
    """The config of a part of a single file.

    A folder named like the file with a config of the part in it comes first; of a ControlNet in diffusers' own layout,
    the config that lies in the same folder.

    Raises:
        ModelError: the file or a config beside it is damaged.
    """
    beside = path.with_suffix("") / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    own = path.parent / "config.json"
    for file in (beside, *([own] if part == "controlnet" else ())):
        if file.is_file():
            return read_config(file, part)
    family = SD2 if is_second(path) else SD1
    found = dict(family[part])
    if part == "scheduler" and (prediction := prediction_of(path)):
        found["prediction_type"] = prediction
    return found


def is_second(path: Path) -> bool:
    """Whether the tensors of a file are of Stable Diffusion 2.x rather than of 1.x."""
    shapes = read_header(path).shapes
    if any(key.startswith(OPEN_CLIP) for key in shapes):
        return True
    cross = (shape for key, shape in shapes.items() if key.endswith("attn2.to_k.weight"))
    return next(cross, (0, 0))[-1] == 1024


def prediction_of(path: Path) -> str | None:
    """What a file says its UNet predicts: "epsilon" or "v_prediction"; None where it does not say.

    Trainers write an empty tensor `v_pred`, or an entry of the model specification into the header.
    """
    header = read_header(path)
    if "v_pred" in header.shapes:
        return "v_prediction"
    said = header.metadata.get("modelspec.prediction_type", "")
    return {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon"}.get(said)


def has_scheduler_beside(path: Path) -> bool:
    """Whether the noise schedule of a single file lies in the folder named like it."""
    return (path.with_suffix("") / "scheduler" / "scheduler_config.json").is_file()


def cell_of(vae: Mapping[str, Any]) -> int:
    """Pixels to a latent cell along each side, by an autoencoder's config."""
    return 2 ** (len(vae.get("block_out_channels") or vae["encoder_block_out_channels"]) - 1)
