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
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import UNetMotionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from vedit.checks.finite import check_weights
from vedit.errors import ModelError, VeditError
from vedit.models.branches import own_controlnets
from vedit.models.configs import Part, read_config, read_json
from vedit.models.families.animatediff_files import Blank, with_motion
from vedit.models.families.sd_codec import decodes_in
from vedit.models.families.sd_configs import UNION, config_of, control_types, is_xl
from vedit.models.families.sd_controls import Branch, ControlNet
from vedit.models.families.sd_gguf import fill_from_gguf
from vedit.models.families.sd_single import CLIP_TOKENIZER, controlnet_origins, part_origins, tokenizer_beside
from vedit.models.families.sd_t2i import load_t2i_adapter
from vedit.models.families.sd_weights import built, fill, plain_origins
from vedit.models.headers import SUFFIX
from vedit.models.motion import MOTION_UNET, motion_place
from vedit.models.quantised import quantise
from vedit.models.t2i_adapters import is_t2i_adapter
from vedit.models.weight_files import Stored, stored_in
from vedit.weights.hub_cache import on_disk
from vedit.weights.store import first_line

if TYPE_CHECKING:
    from vedit.models.source import ModelSource

T = TypeVar("T")
_CLASSES = {"unet": UNet2DConditionModel, "controlnet": ControlNetModel}
_OTHERS = {UNION: ControlNetUnionModel, MOTION_UNET: UNetMotionModel}
_PARTS: tuple[Part, ...] = ("unet", "vae", "text_encoder")
_XL_PARTS: tuple[Part, ...] = (*_PARTS, "text_encoder_2")
_CALLED: dict[Part, str] = {
    "unet": "UNet",
    "vae": "autoencoder",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
    "controlnet": "ControlNet",
}
"""What messages call the parts."""
QUANTIZED: tuple[Part, ...] = ("unet", "text_encoder_2")
"""The parts whose weights are quantised where that is asked for: the others are small."""
_SAMPLED = ("unet", "controlnet")
"""The parts that are evaluated at every step."""
_PADDED = ("text_encoder", "text_encoder_2")
"""The parts with a tokenizer of their own."""
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
    controlnets: dict[str, Branch]
    """T2I-Adapters too, by kind; one of many kinds in one stands under each kind that it was given for."""
    text_encoder_2: CLIPTextModelWithProjection | None = None
    """Of Stable Diffusion XL alone."""
    tokenizer_2: CLIPTokenizer | None = None
    zeros_for_empty: bool = True
    """Whether an empty text is zeros to Stable Diffusion XL, as its model_index.json says."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where tensors go, and as what; on "meta" they are accounted for and not read."""

    device: torch.device
    dtype: torch.dtype
    sampled_in: torch.dtype | None = None
    """Of the UNet and what reads controls, where it is another."""
    decoded_in: torch.dtype | None = None
    """Of the autoencoder's decoder, where it is another."""
    rests: bool = False
    """Whether large weights stay in the precision of their file until a layer computes (`vedit.weights.at_rest`)."""
    quantize: str | None = None
    """What the weights of the UNet and of a second text encoder are quantised to; None is not at all."""

    def dtype_of(self, part: str, config: Mapping[str, Any]) -> torch.dtype:
        """Of one part, by its config."""
        if part in _SAMPLED and self.sampled_in is not None:
            return self.sampled_in
        overflows = self.dtype == torch.float16 and config.get("force_upcast") is True
        return torch.float32 if part == "vae" and (overflows or self.dtype == torch.bfloat16) else self.dtype


def load_components(source: ModelSource, *, controls: Sequence[str], target: Target) -> Components:
    """Every part of a model, with the ControlNets of the kinds wanted that it has.

    Raises:
        ModelError: a part is missing, damaged, not in safetensors, or not the whole of its network.
    """
    base = Path(source.base)
    if base.suffix == SUFFIX:
        parts = _told(str(base), lambda: _single_file(source, target))
        own: dict[str, str] = {}
    else:
        parts = _told(str(base), lambda: _folder(source, target))
        own = own_controlnets(base)
    if source.motion_adapter is not None:
        # The noise that motion modules were trained on, whatever the model beneath.
        parts["scheduler_config"] = {**parts["scheduler_config"], "beta_schedule": "linear", "trained_betas": None}
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    wanted = {kind: place for kind, place in places.items() if kind in controls}
    loaded = {place: _controlnet(place, target) for place in dict.fromkeys(wanted.values())}
    parts["controlnets"] = {kind: loaded[place] for kind, place in wanted.items()}
    if target.decoded_in is not None:
        decodes_in(parts["vae"], target.decoded_in)
    return Components(**parts)


def _folder(source: ModelSource, target: Target) -> dict[str, Any]:
    folder, motion = Path(source.base), motion_place(source)
    parts: dict[str, Any] = {}
    for part in _XL_PARTS if is_xl(folder) else _PARTS:
        if part == "unet" and source.unet is not None:
            parts[part] = _gguf(Path(source.unet), read_config(folder / part / "config.json", part), target)
        else:
            parts[part] = _network(folder / part, part, target, motion=motion if part == "unet" else None)
    for part in _PADDED:
        if part in parts:
            name = part.replace("text_encoder", "tokenizer")
            place, encoder = str(folder / name), parts[part]
            parts[name] = _told(place, lambda place=place, encoder=encoder: _tokenizer(place, encoder))
    parts["scheduler_config"] = read_config(folder / "scheduler" / "scheduler_config.json", "scheduler")
    parts["zeros_for_empty"] = read_json(folder / "model_index.json").get("force_zeros_for_empty_prompt") is not False
    return parts


def _network(folder: Path, part: Part, target: Target, *, motion: Path | None = None) -> torch.nn.Module:
    """A network from its own folder; a UNet with the motion modules of an adapter."""
    file, stored = folder / "config.json", stored_in(folder)
    config = read_config(file, part) | (control_types(stored.shapes) if part == "controlnet" else {})
    network = _told(str(file), lambda: made(part, config))
    whole_clip = part in _PADDED
    blank = Blank(
        network=network,
        stored=stored,
        origins=plain_origins(network, stored),
        own=lambda key: not (whole_clip and key.startswith(_OF_WHOLE_CLIP)),
    )
    return _filled(blank, motion, target, part=part, dtype=target.dtype_of(part, config))


def _filled(blank: Blank, motion: Path | None, target: Target, *, part: Part, dtype: torch.dtype) -> torch.nn.Module:
    """A network with its weights; with those of a motion adapter, where there is one. Quantised where the others are
    not there yet, so that no two are wide at a time."""
    whole = blank if motion is None else with_motion(blank, motion)
    fill(
        whole.network,
        whole.stored,
        whole.origins,
        part=_CALLED[part],
        own=whole.own,
        device=target.device,
        dtype=dtype,
        rests=target.rests,
    )
    if target.quantize is not None and part in QUANTIZED:
        if target.device.type != "meta":
            check_weights(_CALLED[part], whole.network)  # rounded numbers are finite, whatever they were
        quantise(whole.network, target.quantize)
    return whole.network


def _gguf(file: Path, config: Mapping[str, Any], target: Target) -> torch.nn.Module:
    """A UNet from a GGUF file."""
    network = made("unet", config)
    dtype = target.dtype_of("unet", config)
    fill_from_gguf(network, file, config, device=target.device, dtype=dtype, rests=target.rests)
    return network


def made(part: str, config: Mapping[str, Any]) -> torch.nn.Module:
    """A network of a part's kind, without numbers in it."""
    if part in _PADDED:
        said = {key: value for key, value in config.items() if key != "_class_name"}
        clip = CLIPTextModel if part == "text_encoder" else CLIPTextModelWithProjection
        return built(lambda: clip(CLIPTextConfig.from_dict({**said, "attn_implementation": _ATTENTION})))
    if part == "vae":
        kind = AutoencoderTiny if config.get("_class_name") == "AutoencoderTiny" else AutoencoderKL
        return built(lambda: cast("torch.nn.Module", kind.from_config(dict(config))))
    kind = _OTHERS.get(str(config.get("_class_name")), _CLASSES[part])
    return built(lambda: cast("torch.nn.Module", kind.from_config(dict(config))))


def _single_file(source: ModelSource, target: Target) -> dict[str, Any]:
    """The parts of one file, without network: its configs are known, the tokenizer lies beside it or in the cache. A
    folder named like the file, with diffusers configs in it, stands in for the known ones."""
    path, motion = Path(source.base), motion_place(source)
    stored = Stored(place=str(path), files=(path,))
    parts: dict[str, Any] = {"scheduler_config": config_of(path, "scheduler")}
    for part in _XL_PARTS if is_xl(path) else _PARTS:
        config = config_of(path, part)
        if part == "unet" and source.unet is not None:
            parts[part] = _gguf(Path(source.unet), config, target)
            continue
        network = made(part, config)
        origins, prefix = part_origins(part, network.state_dict(), stored, config)
        blank = Blank(
            network=network,
            stored=stored,
            origins=origins,
            own=lambda key, prefix=prefix: key.startswith(prefix),
        )
        moving, dtype = motion if part == "unet" else None, target.dtype_of(part, config)
        parts[part] = _filled(blank, moving, target, part=part, dtype=dtype)
    return {**parts, **_tokenizers_of(path, parts)}


def _tokenizers_of(path: Path, parts: Mapping[str, Any]) -> dict[str, CLIPTokenizer]:
    """The tokenizers of a single file: CLIP's own, which pads as each encoder was trained to see it."""
    found: dict[str, CLIPTokenizer] = {}
    for part in _PADDED:
        if part not in parts:
            continue
        name = part.replace("text_encoder", "tokenizer")
        beside = tokenizer_beside(path, name) or tokenizer_beside(path)
        found[name] = _tokenizer(str(beside or on_disk(CLIP_TOKENIZER)), parts[part])
        own = beside is not None and beside.name == name
        # OpenCLIP's encoders, those of Stable Diffusion 2 and the second one of XL, fill up with this.
        if not own and (part == "text_encoder_2" or parts[part].config.hidden_size == 1024):
            found[name].pad_token = "!"
    return found


def _controlnet(place: str, target: Target) -> Branch:
    """A ControlNet or T2I-Adapter from a folder or from one file."""
    path = Path(place)
    if is_t2i_adapter(path):
        return _told(
            place,
            lambda: load_t2i_adapter(
                path, device=target.device, dtype=target.dtype_of("controlnet", {}), rests=target.rests
            ),
        )
    load = _controlnet_file if path.suffix == SUFFIX and path.is_file() else _controlnet_folder
    return _told(place, lambda: load(target, path))


def _controlnet_folder(target: Target, folder: Path) -> ControlNet:
    return cast("ControlNet", _network(folder, "controlnet", target))


def _controlnet_file(target: Target, path: Path) -> ControlNet:
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
        dtype=target.dtype_of("controlnet", config),
        rests=target.rests,
    )
    return cast("ControlNet", network)


def _tokenizer(place: str, encoder: CLIPTextModel | CLIPTextModelWithProjection) -> CLIPTokenizer:
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
