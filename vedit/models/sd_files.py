"""Files of the SD 1.x and 2.x layouts -> diffusers components: a diffusers folder, one .safetensors file, a hub id.

Only safetensors are opened and no code from a repository runs. A path never touches the network; a hub id is looked
for in the local cache first and fetched only where it is absent there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from huggingface_hub import hf_hub_download, snapshot_download
from safetensors import SafetensorError
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vedit.errors import ModelError
from vedit.models.branches import own_controlnets
from vedit.models.headers import SUFFIX
from vedit.models.sd_configs import config_of
from vedit.models.sd_single import CLIP_TOKENIZER, controlnet_origins, part_origins, tokenizer_beside
from vedit.models.sd_weights import built, fill, plain_origins
from vedit.models.weight_files import Stored, stored_in

if TYPE_CHECKING:
    from vedit.models import ModelSource

T = TypeVar("T")
_CLASSES = {"unet": UNet2DConditionModel, "controlnet": ControlNetModel}
_NAMES = {"unet": "UNet", "vae": "autoencoder", "text_encoder": "text encoder"}
# Of the whole CLIP that some folders hold; the encoder of prompts is a part of it.
_OF_WHOLE_CLIP = ("vision_model.", "visual_projection.", "text_projection.", "logit_scale")
_WANTED = ("model_index.json", "*/*.json", "*/merges.txt", "*/vocab.txt")
_WEIGHTS = ("diffusion_pytorch_model{}.safetensors", "model{}.safetensors", "*{}-*-of-*.safetensors")


@dataclass(frozen=True, kw_only=True)
class Components:
    """The parts of a model of this layout, as diffusers and transformers classes."""

    unet: UNet2DConditionModel
    vae: AutoencoderTiny | AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_config: dict[str, object]
    controlnets: dict[str, ControlNetModel]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where tensors go, and as what; on "meta" they are accounted for and not read."""

    device: torch.device
    dtype: torch.dtype


def load_components(source: ModelSource, *, controls: Sequence[str], target: Target) -> Components:
    """Every part of a model, with the ControlNets of the kinds wanted that it has.

    Raises:
        ModelError: a part is missing, damaged, not in safetensors, or not the whole of its network.
    """
    base = Path(source.base)
    if base.suffix == SUFFIX:
        parts = _told(str(base), lambda: _single_file(base, target))
        own: dict[str, str] = {}
    else:
        parts = _part(source.base, partial(_folder, target), folders=("unet", "vae", "text_encoder", "tokenizer"))
        own = own_controlnets(base) if base.is_dir() else {}
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    parts["controlnets"] = {kind: _controlnet(place, target) for kind, place in places.items() if kind in controls}
    return Components(**parts)


def _folder(target: Target, folder: Path) -> dict[str, Any]:
    return {
        **{part: _network(folder / part, part, target) for part in ("unet", "vae", "text_encoder")},
        "tokenizer": _tokenizer(str(folder / "tokenizer")),
        "scheduler_config": _json(folder / "scheduler" / "scheduler_config.json"),
    }


def _network(folder: Path, part: str, target: Target, *, name: str = "") -> torch.nn.Module:
    """A network from its own folder."""
    network = _made(part, _json(folder / "config.json"))
    stored = stored_in(folder)
    whole_clip = part == "text_encoder"
    fill(
        network,
        stored,
        plain_origins(network, stored),
        part=name or _NAMES[part],
        own=lambda key: not (whole_clip and key.startswith(_OF_WHOLE_CLIP)),
        device=target.device,
        dtype=target.dtype,
    )
    return network


def _made(part: str, config: Mapping[str, Any]) -> torch.nn.Module:
    """A network of a part's kind, without numbers in it."""
    if part == "text_encoder":
        own = config.get("text_config") or config
        # What a folder says of how attention is computed is not for it to say.
        kept = {key: value for key, value in own.items() if not key.startswith("_") and key != "quantization_config"}
        return built(lambda: CLIPTextModel(CLIPTextConfig.from_dict(kept)))
    if part == "vae":
        kind = AutoencoderTiny if config.get("_class_name") == "AutoencoderTiny" else AutoencoderKL
        return built(lambda: cast("torch.nn.Module", kind.from_config(dict(config))))
    return built(lambda: cast("torch.nn.Module", _CLASSES[part].from_config(dict(config))))


def _single_file(path: Path, target: Target) -> dict[str, Any]:
    """The parts of one file, without network: its configs are known, the tokenizer lies beside it or in the cache. A
    folder named like the file, with diffusers configs in it, stands in for the known ones."""
    stored = Stored(place=str(path), files=(path,))
    parts: dict[str, Any] = {"scheduler_config": config_of(path, "scheduler")}
    for part, name in _NAMES.items():
        config = config_of(path, part)
        network = parts[part] = _made(part, config)
        origins, prefix = part_origins(part, network.state_dict(), stored, config)
        fill(
            network,
            stored,
            origins,
            part=name,
            own=lambda key, prefix=prefix: key.startswith(prefix),
            device=target.device,
            dtype=target.dtype,
        )
    beside = tokenizer_beside(path)
    try:
        parts["tokenizer"] = _tokenizer(str(beside or CLIP_TOKENIZER))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} holds no tokenizer, and none is on this machine",
            remedy=f"put CLIP's tokenizer/ folder beside it, or run: hf download {CLIP_TOKENIZER} "
            "tokenizer.json tokenizer_config.json vocab.json merges.txt special_tokens_map.json",
        ) from error
    if beside is None and parts["text_encoder"].config.hidden_size == 1024:
        parts["tokenizer"].pad_token = "!"  # what Stable Diffusion 2 was trained to see behind a prompt
    return parts


def _controlnet(place: str, target: Target) -> ControlNetModel:
    """A ControlNet from a folder, a hub id, or one file: a path or owner/name/FILE.safetensors."""
    path = Path(place)
    if path.suffix != SUFFIX:
        return _part(place, partial(_controlnet_folder, target), folders=())
    if not path.is_file():
        owner, name, file = place.split("/", 2) if place.count("/") >= 2 else ("", "", "")
        if not file or path.is_absolute():
            raise ModelError(f"there is no file {place}", remedy="check the path given to --controlnet")
        path = _hub_file(f"{owner}/{name}", file)
    return _told(place, lambda: _controlnet_file(path, target))


def _controlnet_folder(target: Target, folder: Path) -> ControlNetModel:
    return cast("ControlNetModel", _network(folder, "controlnet", target, name="ControlNet"))


def _controlnet_file(path: Path, target: Target) -> ControlNetModel:
    stored = Stored(place=str(path), files=(path,))
    config = config_of(path, "controlnet")
    network = _made("controlnet", config)
    origins = controlnet_origins(network.state_dict(), stored, config)
    fill(
        network,
        stored,
        origins,
        part="ControlNet",
        own=lambda _: True,
        device=target.device,
        dtype=target.dtype,
    )
    return cast("ControlNetModel", network)


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", remedy="fetch the whole folder again") from error


def _tokenizer(place: str) -> CLIPTokenizer:
    tokenizer = CLIPTokenizer.from_pretrained(place, local_files_only=True)
    if len(tokenizer) <= 3:
        # transformers 5 makes an empty tokenizer where it finds no files, which would spell every prompt the same.
        raise OSError(f"{place} has no tokenizer files")
    return tokenizer


def _part(place: str, load: Callable[[Path], T], *, folders: Sequence[str]) -> T:
    """Load from a folder without network, or from the hub's cache and, failing that, the hub."""
    if Path(place).is_dir():
        return _told(place, lambda: load(Path(place)))
    fault: ModelError | None = None
    try:
        return load(_snapshot(place, folders, local=True))
    except ModelError as error:
        fault = error  # of what lies in the cache: it may be there in part
    except (OSError, ValueError):
        pass
    try:
        folder = _told(place, lambda: _snapshot(place, folders))
    except ModelError as error:
        raise fault or error from error
    try:
        return _told(place, lambda: load(folder))
    except ModelError:
        # Some repositories hold their weights in half precision alone.
        return _told(place, lambda: load(_snapshot(place, folders, variant=".fp16")))


def _snapshot(place: str, folders: Sequence[str], *, variant: str = "", local: bool = False) -> Path:
    repo, _, revision = place.partition("@")
    weights = [pattern.format(variant) for pattern in _WEIGHTS]
    wanted = [f"{folder}/{name}" for folder in folders for name in weights] or [
        "config.json",
        "*.index*.json",
        *weights,
    ]
    patterns = [*(_WANTED if folders else ()), *wanted]
    return Path(snapshot_download(repo, revision=revision or None, allow_patterns=patterns, local_files_only=local))


def _hub_file(repo: str, file: str) -> Path:
    name, _, revision = repo.partition("@")
    fetch = partial(hf_hub_download, name, file, revision=revision or None)
    try:
        return Path(fetch(local_files_only=True))
    except (OSError, ValueError):
        return Path(_told(f"{repo}/{file}", fetch))


def _told(place: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ValueError, SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{place} cannot be loaded: {reason}",
            remedy="give a complete diffusers folder with safetensors weights, or a hub id while the hub is in reach",
        ) from error
