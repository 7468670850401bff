"""Files of the SD 1.x and 2.x layouts -> diffusers components: a diffusers folder, or one .safetensors file.

Only safetensors are opened, no code from a repository runs, and nothing touches the network: what is on the hub is
loaded from its cache, as `vedit.models.check` finds it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vedit.errors import ModelError, VeditError
from vedit.hub_cache import on_disk
from vedit.models.branches import own_controlnets
from vedit.models.configs import Part, read_config
from vedit.models.headers import SUFFIX
from vedit.models.sd_configs import config_of
from vedit.models.sd_single import CLIP_TOKENIZER, controlnet_origins, part_origins, tokenizer_beside
from vedit.models.sd_weights import built, fill, plain_origins
from vedit.models.weight_files import Stored, stored_in
from vedit.weights import first_line

if TYPE_CHECKING:
    from vedit.models import ModelSource

T = TypeVar("T")
ATTENTION = "sdpa"
"""How the text encoder's attention is computed, whatever a config says: those can name code of a repository."""
_CLASSES = {"unet": UNet2DConditionModel, "controlnet": ControlNetModel}
_NAMES: dict[Part, str] = {"unet": "UNet", "vae": "autoencoder", "text_encoder": "text encoder"}
# Of the whole CLIP that some folders hold; the encoder of prompts is a part of it.
_OF_WHOLE_CLIP = ("vision_model.", "visual_projection.", "text_projection.", "logit_scale")


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
        parts = _told(str(base), lambda: _folder(base, target))
        own = own_controlnets(base)
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    parts["controlnets"] = {kind: _controlnet(place, target) for kind, place in places.items() if kind in controls}
    return Components(**parts)


def _folder(folder: Path, target: Target) -> dict[str, Any]:
    parts: dict[str, Any] = {part: _network(folder / part, part, target) for part in _NAMES}
    return {
        **parts,
        "tokenizer": _tokenizer(str(folder / "tokenizer"), parts["text_encoder"]),
        "scheduler_config": read_config(folder / "scheduler" / "scheduler_config.json", "scheduler"),
    }


def _network(folder: Path, part: Part, target: Target, *, name: str = "") -> torch.nn.Module:
    """A network from its own folder."""
    network = _made(part, read_config(folder / "config.json", part))
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


def _made(part: Part, config: Mapping[str, Any]) -> torch.nn.Module:
    """A network of a part's kind, without numbers in it."""
    if part == "text_encoder":
        told: dict[str, Any] = {**config, "attn_implementation": ATTENTION}
        return built(lambda: CLIPTextModel(CLIPTextConfig(**told)))
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
        parts["tokenizer"] = _tokenizer(str(beside or on_disk(CLIP_TOKENIZER)), parts["text_encoder"])
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
    """A ControlNet from a folder or one file."""
    path = Path(place)
    if path.suffix == SUFFIX:
        return _told(place, lambda: _controlnet_file(path, target))
    return _told(place, lambda: cast("ControlNetModel", _network(path, "controlnet", target, name="ControlNet")))


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


def _tokenizer(place: str, encoder: CLIPTextModel) -> CLIPTokenizer:
    """The tokenizer in a folder or the hub's cache, bounded by what the text encoder can take."""
    tokenizer = CLIPTokenizer.from_pretrained(place, local_files_only=True)
    if len(tokenizer) <= 3:
        # transformers 5 makes an empty tokenizer where it finds no files, which would spell every prompt the same.
        raise OSError(f"{place} has no tokenizer files")
    if len(tokenizer) > encoder.config.vocab_size:
        raise OSError(f"{place} knows {len(tokenizer)} words, the text encoder {encoder.config.vocab_size}")
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
