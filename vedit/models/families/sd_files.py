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
from vedit.models.branches import own_controlnets
from vedit.models.configs import Part, read_config
from vedit.models.families.sd_configs import config_of
from vedit.models.families.sd_single import CLIP_TOKENIZER, controlnet_origins, part_origins, tokenizer_beside
from vedit.models.families.sd_weights import built, fill, plain_origins
from vedit.models.headers import SUFFIX
from vedit.models.weight_files import Stored, stored_in
from vedit.weights.hub_cache import on_disk
from vedit.weights.store import first_line

if TYPE_CHECKING:
    from vedit.models.source import ModelSource

T = TypeVar("T")
_CLASSES = {"unet": UNet2DConditionModel, "controlnet": ControlNetModel}
_PARTS: tuple[Part, ...] = ("unet", "vae", "text_encoder")
_NAMES: dict[Part, str] = {"unet": "UNet", "vae": "autoencoder", "text_encoder": "text encoder"}
# Of the whole CLIP that some folders hold; the encoder of prompts is a part of it.
_OF_WHOLE_CLIP = ("vision_model.", "visual_projection.", "text_projection.", "logit_scale")
_ATTENTION = "sdpa"
"""How the text encoder's attention is computed, whatever a config says: one could name code of a repository."""


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
        parts = _told(str(base), lambda: _folder(target, base))
        own = own_controlnets(base)
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    parts["controlnets"] = {kind: _controlnet(place, target) for kind, place in places.items() if kind in controls}
    return Components(**parts)


def _folder(target: Target, folder: Path) -> dict[str, Any]:
    place = str(folder / "tokenizer")
    networks: dict[str, Any] = {part: _network(folder / part, part, target) for part in _PARTS}
    return {
        **networks,
        "tokenizer": _told(place, lambda: _tokenizer(place, networks["text_encoder"])),
        "scheduler_config": read_config(folder / "scheduler" / "scheduler_config.json", "scheduler"),
    }


def _network(folder: Path, part: Part, target: Target, *, name: str = "") -> torch.nn.Module:
    """A network from its own folder."""
    file = folder / "config.json"
    network = _told(str(file), lambda: made(part, read_config(file, part)))
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


def made(part: str, config: Mapping[str, Any]) -> torch.nn.Module:
    """A network of a part's kind, without numbers in it."""
    if part == "text_encoder":
        said = {key: value for key, value in config.items() if key != "_class_name"}
        return built(lambda: CLIPTextModel(CLIPTextConfig.from_dict({**said, "attn_implementation": _ATTENTION})))
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
        network = parts[part] = made(part, config)
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
    parts["tokenizer"] = _tokenizer(str(beside or on_disk(CLIP_TOKENIZER)), parts["text_encoder"])
    if beside is None and parts["text_encoder"].config.hidden_size == 1024:
        parts["tokenizer"].pad_token = "!"  # what Stable Diffusion 2 was trained to see behind a prompt
    return parts


def _controlnet(place: str, target: Target) -> ControlNetModel:
    """A ControlNet from a folder or from one file."""
    path = Path(place)
    load = _controlnet_file if path.suffix == SUFFIX and path.is_file() else _controlnet_folder
    return _told(place, lambda: load(target, path))


def _controlnet_folder(target: Target, folder: Path) -> ControlNetModel:
    return cast("ControlNetModel", _network(folder, "controlnet", target, name="ControlNet"))


def _controlnet_file(target: Target, path: Path) -> ControlNetModel:
    stored = Stored(place=str(path), files=(path,))
    config = config_of(path, "controlnet")
    network = made("controlnet", config)
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
    """The tokenizer in a folder, bounded by what the text encoder can take."""
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
    except (VeditError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the libraries die of a bad file in many ways
        raise ModelError(
            f"{place} cannot be loaded: {first_line(error)}",
            remedy="give a complete diffusers folder with safetensors weights",
        ) from error
