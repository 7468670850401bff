"""A model before it is loaded: on this machine, whole, and of files that say what can be. Does not import torch.

It is cheap, so it comes before anything else that a render does: of weights the headers are read, of the rest all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.errors import ModelError
from vedit.models.branches import own_controlnets
from vedit.models.configs import Part, damaged, read_config, read_json
from vedit.models.distilled import distilled_in
from vedit.models.families.sd_branches import check_branches
from vedit.models.families.sd_configs import config_of, configs_beside, is_xl
from vedit.models.families.sd_single import CLIP_TOKENIZER, tokenizer_beside
from vedit.models.headers import read_header
from vedit.models.ip_adapters import check_ip_adapter
from vedit.models.listed import branches_of
from vedit.models.source import LOOKS, ModelSource
from vedit.models.t2i_adapters import is_t2i_adapter, least_weights
from vedit.models.tokenizer_files import check_tokenizer
from vedit.models.weight_files import stored_in
from vedit.models.words import read_vocabulary
from vedit.registry.catalogue import catalogue
from vedit.weights.hub_cache import hub_place, on_disk

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef


def checked(model: ModelRef, *, controls: Collection[str] = (), fast: bool = True) -> ModelSource:
    """Where a model's parts are on this machine, each found whole.

    Args:
        model: that was asked for.
        controls: the kinds of the branches that are wanted; the others need not be there.
        fast: its fast tier too, where it has one.

    Returns:
        Folders and files; of branches those that are wanted and that there are.

    Raises:
        ModelError: it is not on this machine, or a file of it is damaged, with its name.
    """
    found = located(model, controls=controls)
    try:
        model.family.check(found, controls, fast=fast)
    except ModelError as error:
        on_hub = hub_place(model.source.base)
        if on_hub is None:
            raise
        again = "" if on_hub.unfinished else " --force"
        raise ModelError(error.message, remedy=f"run: vedit models pull {model.name}{again}") from None
    return found


def located(model: ModelRef, *, controls: Collection[str] = ()) -> ModelSource:
    """As `checked`, without a look into any file. Raises ModelError where there is no such model on this machine."""
    source = model.source
    wanted = {kind: place for kind, place in source.controlnets.items() if kind in controls}
    found = replace(source, controlnets=wanted).on_disk
    parts = (found.ip_adapter, found.image_encoder, found.motion_adapter)
    for place in (found.base, *found.controlnets.values(), *parts):
        if place is not None and hub_place(place) is not None:
            raise _absent(model, place)
    if found.ip_adapter is None:
        return found
    encoder = None if found.image_encoder is None else Path(found.image_encoder)
    fitting = check_ip_adapter(Path(found.ip_adapter), encoder, Path(found.base))
    return replace(found, image_encoder=str(fitting))


def check_parts(found: ModelSource, controls: Collection[str], *, fast: bool) -> None:
    """The check of a model of the SD 1.x layout. Raises ModelError for what is missing or damaged."""
    base = Path(found.base)
    if base.is_dir():
        _check_folder(base)
        for tier in distilled_in(base) if fast else ():
            _check_tier(tier.weights)
    else:
        _check_file(base)
        _check_tokenizer_of(base)
    branches = branches_at(found, controls)
    for place in dict.fromkeys(branches.values()):
        if place.is_dir():
            _check_part(place, "t2i_adapter" if is_t2i_adapter(place) else "controlnet")
        else:
            _check_file(place)
    check_branches(base, branches)


def branches_at(found: ModelSource, controls: Collection[str]) -> dict[str, Path]:
    """Where a model's control branches are, by kind: its own for some kinds, and those given beside it."""
    base = Path(found.base)
    own = own_controlnets(base) if base.is_dir() else {}
    within = {kind: base / sub for kind, sub in own.items() if kind in controls}
    return within | {kind: Path(place) for kind, place in found.controlnets.items()}


def _absent(model: ModelRef, place: str) -> ModelError:
    """What is on the hub, if anywhere, is fetched by a command of its own: a render never does."""
    listed = catalogue().models
    own = listed.get(model.name)
    # By a listed name comes all that it needs: with an IP-Adapter its image encoder.
    name = next((one.name for one in listed.values() if one.place == place), None)
    if own is not None and place in (own.place, *branches_of(own).values()):
        name = own.name
    what = place if name is None else f"{name} ({place})"
    return ModelError(
        f"{what} is not on this machine: there is no such folder or file, and it is not in the hub's cache",
        remedy=f"check the path, or fetch it with: vedit models pull {name or place}",
    )


def _check_folder(folder: Path) -> None:
    read_json(folder / "model_index.json")
    _check_part(folder / "unet", "unet")
    _check_part(folder / "vae", "vae")
    encoders: tuple[Part, ...] = ("text_encoder", "text_encoder_2") if is_xl(folder) else ("text_encoder",)
    for part in encoders:
        text = _check_part(folder / part, part)
        words = folder / part.replace("text_encoder", "tokenizer")
        check_tokenizer(words, vocabulary=text.get("vocab_size", 49408))
    read_config(folder / "scheduler" / "scheduler_config.json", "scheduler")
    if (folder / LOOKS).exists():
        read_vocabulary(folder / LOOKS)


def _check_tier(weights: Path) -> None:
    """Raises ModelError for a fast tier's weights; the model can do without."""
    try:
        read_header(weights)
    except ModelError as error:
        remedy = f"fetch the model again, or remove its folder {weights.parent.name}/"
        raise ModelError(error.message, remedy=remedy) from None


def _check_file(file: Path) -> None:
    """A single file, and the configs that may lie in a folder beside it."""
    read_header(file)
    beside = configs_beside(file)
    if beside is None:
        return
    for part in ("unet", "vae", "text_encoder", "text_encoder_2", "controlnet"):
        if (beside / part / "config.json").exists():
            read_config(beside / part / "config.json", part)
    if (beside / "scheduler").exists():
        read_config(beside / "scheduler" / "scheduler_config.json", "scheduler")


def _check_tokenizer_of(file: Path) -> None:
    """A single file holds none: it lies beside it, or CLIP's own is in the hub's cache."""
    beside = tokenizer_beside(file)
    folder = beside or Path(on_disk(CLIP_TOKENIZER))
    if beside is None and not folder.is_dir():
        raise ModelError(
            f"{file.name} holds no tokenizer, and none is on this machine",
            remedy=f"put CLIP's tokenizer/ folder beside it, or run: vedit models pull {CLIP_TOKENIZER}",
        )
    check_tokenizer(folder, vocabulary=config_of(file, "text_encoder").get("vocab_size", 49408))


def _check_part(folder: Path, part: Part) -> dict[str, Any]:
    """The config of one part, after it was held against what its weights can fill."""
    if not folder.is_dir():
        raise damaged(folder, "is a file, where a folder should be" if folder.exists() else "is missing")
    config = read_config(folder / "config.json", part)
    held = stored_in(folder).parameters
    least = _LEAST[part](config)
    if least > held:
        raise damaged(
            folder / "config.json",
            f"describes a network of at least {least} weights, and its files hold {held}",
            "fetch the model again: they do not belong together",
        )
    return config


def _least_blocks(config: Mapping[str, Any]) -> int:
    """Of blocks of resnets: one convolution of three by three from its width to its width in each layer."""
    widths: list[int] = config.get("block_out_channels") or []
    layers = config.get("layers_per_block", 1)
    counts: list[int] = layers if isinstance(layers, list) else [layers] * len(widths)
    return sum(9 * width * width * count for width, count in zip(widths, counts, strict=False))


def _least_tiny(config: Mapping[str, Any]) -> int:
    """Of `AutoencoderTiny`: three such convolutions in each block."""
    if "encoder_block_out_channels" not in config:
        return _least_blocks(config)
    return sum(
        27 * width * width * count
        for side in ("encoder", "decoder")
        for width, count in zip(
            config.get(f"{side}_block_out_channels") or [], config.get(f"num_{side}_blocks") or [], strict=False
        )
    )


def _least_text(config: Mapping[str, Any]) -> int:
    """Of CLIP's text encoder: attention and feed-forward matrices of each layer, words and positions."""
    width: int = config["hidden_size"]
    inner, layers = config.get("intermediate_size", 2048), config.get("num_hidden_layers", 12)
    known = config.get("vocab_size", 49408) + config.get("max_position_embeddings", 77)
    return layers * (4 * width * width + 2 * width * inner) + known * width


_LEAST: dict[Part, Callable[[Mapping[str, Any]], int]] = {
    "unet": _least_blocks,
    "controlnet": _least_blocks,
    "vae": _least_tiny,
    "text_encoder": _least_text,
    "text_encoder_2": _least_text,
    "t2i_adapter": least_weights,
}
