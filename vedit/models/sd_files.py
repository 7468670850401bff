"""Files of the SD 1.x layout -> diffusers components: a diffusers folder, or one .safetensors file.

Only safetensors are opened, no code from a repository runs, and nothing touches the network: what is on the hub is
loaded from its cache, as `vedit.models.check` finds it there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from vedit.errors import ModelError, VeditError
from vedit.hub_cache import on_disk
from vedit.models import own_controlnets
from vedit.models.configs import read_config
from vedit.weights import first_line

if TYPE_CHECKING:
    from vedit.models import ModelSource

T = TypeVar("T")
CLIP_TOKENIZER = "openai/clip-vit-large-patch14"
ATTENTION = "sdpa"
"""How the text encoder's attention is computed, whatever a config says: those can name code of a repository."""
SINGLE_FILE_TEXT = "cond_stage_model.transformer."

# What a single SD 1.x file does not say of itself; everything not named is diffusers' default, which is SD 1.x.
SD15_CONFIGS: dict[str, dict[str, Any]] = {
    "unet": {"_class_name": "UNet2DConditionModel", "sample_size": 64, "cross_attention_dim": 768},
    "vae": {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "sample_size": 512,
    },
    "text_encoder": {
        "model_type": "clip_text_model",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "projection_dim": 768,
    },
    "controlnet": {"_class_name": "ControlNetModel", "cross_attention_dim": 768},
    "scheduler": {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    },
}


@dataclass(frozen=True, kw_only=True)
class Components:
    """The parts of a model of this layout, as diffusers and transformers classes."""

    unet: UNet2DConditionModel
    vae: AutoencoderTiny | AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_config: dict[str, object]
    controlnets: dict[str, ControlNetModel]


def load_components(source: ModelSource, *, controls: Sequence[str], dtype: torch.dtype) -> Components:
    """Every part of a model, with the ControlNets of the kinds wanted that it has.

    Raises:
        ModelError: a part is missing, damaged, or not in safetensors.
    """
    base = Path(source.base)
    if base.suffix == ".safetensors":
        parts = _single_file(base, dtype)
        own: dict[str, str] = {}
    else:
        parts = _folder(base, dtype)
        own = own_controlnets(base)
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    parts["controlnets"] = {kind: _controlnet(place, dtype) for kind, place in places.items() if kind in controls}
    return Components(**parts)


def _folder(base: Path, dtype: torch.dtype) -> dict[str, Any]:
    def load() -> dict[str, Any]:
        tiny = read_config(base / "vae" / "config.json", "vae").get("_class_name") == "AutoencoderTiny"
        vae_class = AutoencoderTiny if tiny else AutoencoderKL
        weights = {**_weights(dtype), "local_files_only": True}
        encoder = _text_encoder(base, dtype)
        return {
            "unet": UNet2DConditionModel.from_pretrained(str(base), subfolder="unet", **weights),
            "vae": vae_class.from_pretrained(str(base), subfolder="vae", **weights),
            "text_encoder": encoder,
            "tokenizer": _tokenizer(str(base / "tokenizer"), encoder),
            "scheduler_config": read_config(base / "scheduler" / "scheduler_config.json", "scheduler"),
        }

    return _told(str(base), load)


def _controlnet(place: str, dtype: torch.dtype) -> ControlNetModel:
    """A ControlNet from a folder, or, for SD 1.5, one file."""
    path = Path(place)

    def load() -> ControlNetModel:
        if path.is_dir():
            return ControlNetModel.from_pretrained(str(path), local_files_only=True, **_weights(dtype))
        with _configs(path) as configs:
            weights = {k: v for k, v in _weights(dtype).items() if k != "use_safetensors"}  # the file is one
            return ControlNetModel.from_single_file(
                str(path), config=str(configs), subfolder="controlnet", local_files_only=True, **weights
            )

    return _told(place, load)


def _weights(dtype: torch.dtype) -> dict[str, Any]:
    # The low-memory path needs a further package and says so on every load; these models fit without it.
    return {"torch_dtype": dtype, "use_safetensors": True, "low_cpu_mem_usage": False}


def _text_encoder(base: Path, dtype: torch.dtype) -> CLIPTextModel:
    config = CLIPTextConfig(**read_config(base / "text_encoder" / "config.json", "text_encoder"))
    bars = is_progress_bar_enabled()
    disable_progress_bar()  # one encoder's bar would break into the render's own
    try:
        return CLIPTextModel.from_pretrained(
            str(base),
            subfolder="text_encoder",
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            attn_implementation=ATTENTION,
        )
    finally:
        if bars:
            enable_progress_bar()


def _tokenizer(base: str, encoder: CLIPTextModel) -> CLIPTokenizer:
    """The tokenizer in a folder or the hub's cache, bounded by what the text encoder can take."""
    tokenizer = CLIPTokenizer.from_pretrained(base, local_files_only=True)
    if len(tokenizer) <= 3:
        # transformers 5 makes an empty tokenizer where it finds no files, which would spell every prompt the same.
        raise OSError(f"{base} has no tokenizer files")
    if len(tokenizer) > encoder.config.vocab_size:
        raise OSError(f"{base} knows {len(tokenizer)} words, the text encoder {encoder.config.vocab_size}")
    # transformers writes 1e30 for "no limit", to which every prompt would be padded.
    tokenizer.model_max_length = min(int(tokenizer.model_max_length), encoder.config.max_position_embeddings)
    return tokenizer


def _told(place: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (VeditError, MemoryError):
        raise
    except Exception as error:  # the libraries die of a bad file in many ways
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise ModelError(
            f"{place} cannot be loaded: {first_line(error)}",
            remedy="give a complete diffusers folder with safetensors weights",
        ) from error


def _single_file(path: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The parts of one SD 1.x file, without network: the configs are known, the tokenizer lies beside it or in the
    cache. A folder named like the file, with diffusers configs in it, stands in for the SD 1.5 ones."""
    with _configs(path) as configs:

        def load() -> dict[str, Any]:
            shared = {**_weights(dtype), "config": str(configs), "local_files_only": True}
            del shared["use_safetensors"]  # the file is one
            return {
                "unet": UNet2DConditionModel.from_single_file(str(path), subfolder="unet", **shared),
                "vae": AutoencoderKL.from_single_file(str(path), subfolder="vae", **shared),
                "text_encoder": _single_file_text(path, configs / "text_encoder", dtype),
                "scheduler_config": read_config(configs / "scheduler" / "scheduler_config.json", "scheduler"),
            }

        parts = _told(str(path), load)
        folders = [folder / "tokenizer" for folder in (configs, path.parent)]
        beside = next((folder for folder in folders if folder.is_dir()), None)
        try:
            tokenizer = _tokenizer(str(beside or on_disk(CLIP_TOKENIZER)), parts["text_encoder"])
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{path.name} holds no tokenizer, and none is on this machine",
                remedy=f"put CLIP's tokenizer/ folder beside it, or run: hf download {CLIP_TOKENIZER} "
                "tokenizer.json tokenizer_config.json vocab.json merges.txt special_tokens_map.json",
            ) from error
    return {**parts, "tokenizer": tokenizer}


@contextmanager
def _configs(path: Path) -> Generator[Path]:
    beside = path.with_suffix("")
    if beside.is_dir() and any(beside.glob("*/config.json")):
        yield beside
        return
    with tempfile.TemporaryDirectory(prefix="vedit-") as temporary:
        for part, config in SD15_CONFIGS.items():
            folder = Path(temporary, part)
            folder.mkdir()
            file = folder / ("scheduler_config.json" if part == "scheduler" else "config.json")
            file.write_text(json.dumps(config), "utf-8")
        yield Path(temporary)


def _single_file_text(path: Path, config: Path, dtype: torch.dtype) -> CLIPTextModel:
    told: dict[str, Any] = {**read_config(config / "config.json", "text_encoder"), "attn_implementation": ATTENTION}
    encoder = CLIPTextModel(CLIPTextConfig(**told))
    own = encoder.state_dict()
    with safe_open(path, framework="pt") as file:
        # transformers 5 dropped the `text_model.` level that SD 1.x files were written with.
        weights = {
            target: file.get_tensor(key)
            for key in file.keys()  # noqa: SIM118 - not a mapping
            if key.startswith(SINGLE_FILE_TEXT)
            for target in (key.removeprefix(SINGLE_FILE_TEXT), key.removeprefix(SINGLE_FILE_TEXT + "text_model."))
            if target in own
        }
    encoder.load_state_dict(weights)
    torch.nn.Module.to(encoder, dtype)
    return encoder
