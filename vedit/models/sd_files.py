"""Files of the SD 1.x layout -> diffusers components: a diffusers folder, one .safetensors file, or a hub id.

Only safetensors are opened and no code from a repository runs. A path never touches the network; a hub id is looked
for in the local cache first and fetched only where it is absent there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from huggingface_hub import hf_hub_download
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from vedit.errors import ModelError

if TYPE_CHECKING:
    from vedit.models import ModelSource

T = TypeVar("T")
CLIP_TOKENIZER = "openai/clip-vit-large-patch14"
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
        parts = _folder(source.base, dtype)
        own = own_controlnets(base) if base.is_dir() else {}
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    parts["controlnets"] = {kind: _controlnet(place, dtype) for kind, place in places.items() if kind in controls}
    return Components(**parts)


def own_controlnets(folder: Path) -> dict[str, str]:
    """Control kinds -> subfolders of a diffusers folder: its controls.json says which is which.

    diffusers saves the branches of a MultiControlNet as controlnet, controlnet_1, ... without saying what they read.
    """
    table = folder / "controls.json"
    return json.loads(table.read_text("utf-8")) if table.is_file() else {}


def _folder(base: str, dtype: torch.dtype) -> dict[str, Any]:
    def load(p: str, kw: Mapping[str, Any]) -> dict[str, Any]:
        vae_config: dict[str, Any] = AutoencoderKL.load_config(p, subfolder="vae", **kw)  # pyright: ignore[reportAssignmentType]
        vae_class = AutoencoderTiny if vae_config.get("_class_name") == "AutoencoderTiny" else AutoencoderKL
        weights = {**_weights(dtype), **kw}
        return {
            "unet": UNet2DConditionModel.from_pretrained(p, subfolder="unet", **weights),
            "vae": vae_class.from_pretrained(p, subfolder="vae", **weights),
            "text_encoder": _text_encoder(p, dtype, kw),
            "tokenizer": _tokenizer(p, {"subfolder": "tokenizer", **kw}),
            "scheduler_config": _scheduler_config(p, kw),
        }

    return _part(base, load)


def _hub_file(file: str, repo: str, kw: Mapping[str, Any]) -> str:
    return hf_hub_download(repo, file, **kw)


def _controlnet_folder(dtype: torch.dtype, base: str, kw: Mapping[str, Any]) -> ControlNetModel:
    return ControlNetModel.from_pretrained(base, **_weights(dtype), **kw)


def _controlnet(place: str, dtype: torch.dtype) -> ControlNetModel:
    """A ControlNet from a folder, a hub id, or, for SD 1.5, one file: a path or owner/name/FILE.safetensors."""
    path = Path(place)
    if path.suffix != ".safetensors":
        return _part(place, partial(_controlnet_folder, dtype))
    if not path.is_file():
        owner, name, file = place.split("/", 2) if place.count("/") >= 2 else ("", "", "")
        if not file or path.is_absolute():
            raise ModelError(f"there is no file {place}", remedy="check the path given to --controlnet")
        path = Path(_part(f"{owner}/{name}", partial(_hub_file, file)))

    def load() -> ControlNetModel:
        with _configs(path) as configs:
            weights = {k: v for k, v in _weights(dtype).items() if k != "use_safetensors"}  # the file is one
            return ControlNetModel.from_single_file(
                str(path), config=str(configs), subfolder="controlnet", local_files_only=True, **weights
            )

    return _told(place, load)


def _weights(dtype: torch.dtype) -> dict[str, Any]:
    # The low-memory path needs a further package and says so on every load; these models fit without it.
    return {"torch_dtype": dtype, "use_safetensors": True, "low_cpu_mem_usage": False}


def _text_encoder(base: str, dtype: torch.dtype, kw: Mapping[str, Any]) -> CLIPTextModel:
    bars = is_progress_bar_enabled()
    disable_progress_bar()  # one encoder's bar would break into the render's own
    try:
        return CLIPTextModel.from_pretrained(base, subfolder="text_encoder", dtype=dtype, use_safetensors=True, **kw)
    finally:
        if bars:
            enable_progress_bar()


def _tokenizer(base: str, kw: Mapping[str, Any]) -> CLIPTokenizer:
    tokenizer = CLIPTokenizer.from_pretrained(base, **kw)
    if len(tokenizer) <= 3:
        # transformers 5 makes an empty tokenizer where it finds no files, which would spell every prompt the same.
        raise OSError(f"{base} has no tokenizer files")
    return tokenizer


def _scheduler_config(base: str, kw: Mapping[str, Any]) -> dict[str, object]:
    return cast("dict[str, object]", DDIMScheduler.load_config(base, subfolder="scheduler", **kw))


def _part(place: str, load: Callable[[str, Mapping[str, Any]], T]) -> T:
    """Load from a folder without network, or from the hub's cache and, failing that, the hub."""
    if Path(place).is_dir():
        return _told(place, lambda: load(place, {"local_files_only": True}))
    repo, _, revision = place.partition("@")
    pinned = {"revision": revision} if revision else {}
    try:
        return load(repo, {"local_files_only": True, **pinned})
    except (OSError, ValueError):
        return _told(place, lambda: load(repo, pinned))


def _told(place: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ValueError, SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{place} cannot be loaded: {reason}",
            remedy="give a complete diffusers folder with safetensors weights, or a hub id while the hub is in reach",
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
                "scheduler_config": json.loads((configs / "scheduler" / "scheduler_config.json").read_text("utf-8")),
            }

        parts = _told(str(path), load)
        folders = [folder / "tokenizer" for folder in (configs, path.parent)]
        beside = next((folder for folder in folders if folder.is_dir()), None)
        try:
            tokenizer = _tokenizer(str(beside or CLIP_TOKENIZER), {"local_files_only": True})
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
    encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(str(config), local_files_only=True))
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
