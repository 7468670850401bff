"""Configs of single files: those that lie beside a file, else those of the family that its tensors tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedit.models.configs import Part, read_config, read_json
from vedit.models.families.sd_keys import CONTROLNET, OPEN_CLIP, XL_OPEN_CLIP
from vedit.models.headers import read_header

CONFIG = "config.json"
_SCHEDULER_CONFIG = "scheduler_config.json"
UNION = "ControlNetUnionModel"
"""diffusers' class of a ControlNet of many kinds in one."""
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
_XL_NETWORK: dict[str, Any] = {
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL: Mapping[str, Mapping[str, Any]] = {
    "unet": {
        **_UNET,
        **_XL_NETWORK,
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "sample_size": 128,
    },
    "vae": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
    "text_encoder": _TEXT,
    "text_encoder_2": {
        **_TEXT,
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_attention_heads": 20,
        "num_hidden_layers": 32,
        "hidden_act": "gelu",
        "projection_dim": 1280,
    },
    "controlnet": {**_CONTROLNET, **_XL_NETWORK},
    "scheduler": _SCHEDULER,
}
"""The same of Stable Diffusion XL."""


def part_config(base: Path, part: Part) -> dict[str, Any]:
    """The config of a part of a folder, which has to have it, or of a single file (`config_of`).

    Raises:
        ModelError: it is absent or damaged, or the file is.
    """
    return read_config(base / part / _named(part), part) if base.is_dir() else config_of(base, part)


def config_of(path: Path, part: Part) -> dict[str, Any]:
    """The config of a part of a single file.

    A folder named like the file with a config of the part in it comes first (`configs_beside`); of a ControlNet in
    diffusers' own layout, the config that lies in the same folder.

    Raises:
        ModelError: the file or a config beside it is damaged.
    """
    folder = configs_beside(path)
    beside = [] if folder is None else [folder / part / _named(part)]
    own = path.parent / CONFIG
    for file in (*beside, *([own] if part == "controlnet" else ())):
        if file.is_file():
            config = read_config(file, part)
            return config if part != "controlnet" else config | control_types(read_header(path).shapes)
    found = dict(_family_of(path)[part])
    if part == "scheduler" and (prediction := prediction_of(path)):
        found["prediction_type"] = prediction
        if "ztsnr" in read_header(path).shapes:
            found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    if part == "unet" and _family_of(path) is SD2 and prediction_of(path) == "v_prediction":
        found["sample_size"] = 96
    if part == "controlnet":
        found |= control_types(read_header(path).shapes) or _layers_of(path)
    return found


def _named(part: Part) -> str:
    return _SCHEDULER_CONFIG if part == "scheduler" else CONFIG


def configs_beside(path: Path) -> Path | None:
    """The folder of configs that is named like a single file; None where there is none, or it is of another network.

    Raises:
        ModelError: the file, or the config of the UNet in the folder, is damaged.
    """
    folder = path.with_suffix("")
    network = folder / "unet" / CONFIG
    if not folder.is_dir() or not network.is_file():
        return folder if folder.is_dir() else None
    said, held = read_json(network).get("cross_attention_dim", 1280), _cross_of(path)
    return folder if held is None or said == held else None


def _cross_of(path: Path) -> int | None:
    """How wide the states of the text are that a file's UNet or ControlNet reads."""
    shapes = read_header(path).shapes
    widths = (shape[-1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight") and shape)
    return next(widths, None)


def _family_of(path: Path) -> Mapping[str, Mapping[str, Any]]:
    return SDXL if is_xl(path) else SD2 if is_second(path) else SD1


def is_xl(path: Path) -> bool:
    """Whether a model or a ControlNet is of Stable Diffusion XL: its network takes sizes and a pooled text.

    Raises:
        ModelError: the file, or the folder's config, is damaged.
    """
    if path.is_dir():
        config = next((file for file in (path / "unet" / CONFIG, path / CONFIG) if file.is_file()), None)
        return config is not None and read_json(config).get("addition_embed_type") == "text_time"
    shapes = read_header(path).shapes
    if any(key.startswith(XL_OPEN_CLIP) for key in shapes):
        return True
    # A label in the original layout is that of a class too, in models without a text encoder of XL.
    own = {key.removeprefix(CONTROLNET) for key in shapes}
    return "add_embedding.linear_1.weight" in own or "label_emb.0.0.weight" in own


def _layers_of(path: Path) -> dict[str, Any]:
    """How deep the attention of an XL ControlNet in diffusers' layout is: there are smaller ones."""
    shapes = read_header(path).shapes
    if not is_xl(path) or not any(key.startswith("controlnet_cond_embedding.") for key in shapes):
        return {}

    def depth(begin: str) -> int:
        numbers = [int(key.removeprefix(begin).partition(".")[0]) for key in shapes if key.startswith(begin)]
        return max(numbers, default=-1) + 1

    levels = [depth(f"down_blocks.{level}.attentions.0.transformer_blocks.") for level in range(3)]
    middle = depth("mid_block.attentions.0.transformer_blocks.")
    return {
        "down_block_types": ["CrossAttnDownBlock2D" if level else "DownBlock2D" for level in levels],
        # The middle block is as deep as the last level.
        "transformer_layers_per_block": [*(max(level, 1) for level in levels[:-1]), max(levels[-1], middle, 1)],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
    }


def control_types(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What the config of a ControlNet of many kinds in one says beyond others; nothing for any other.

    Args:
        shapes: of the tensors in its file. Some configs name another class, and the number of types that it began with.
    """
    task = shapes.get("task_embedding")
    return {} if not task else {"_class_name": UNION, "num_control_type": task[0]}


def is_second(path: Path) -> bool:
    """Whether the tensors of a file are of Stable Diffusion 2.x rather than of 1.x."""
    shapes = read_header(path).shapes
    if any(key.startswith(OPEN_CLIP) for key in shapes):
        return True
    return _cross_of(path) == 1024


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
    folder = configs_beside(path)
    return folder is not None and (folder / "scheduler" / _SCHEDULER_CONFIG).is_file()


def cell_of(vae: Mapping[str, Any]) -> int:
    """Pixels to a latent cell along each side, by an autoencoder's config."""
    return 2 ** (len(vae.get("block_out_channels") or vae["encoder_block_out_channels"]) - 1)
