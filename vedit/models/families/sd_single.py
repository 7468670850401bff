"""Where the tensors of single files are: the layouts of the original Stable Diffusion and ControlNet code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.models.families.sd_keys import (
    CLIP,
    CONTROLNET,
    OPEN_CLIP,
    UNET,
    VAE,
    XL_CLIP,
    XL_OPEN_CLIP,
    Origin,
    open_clip_origin,
    unet_key,
    vae_key,
)

if TYPE_CHECKING:
    from vedit.models.weight_files import Stored

CLIP_TOKENIZER = "openai/clip-vit-large-patch14"


def part_origins(
    part: str, names: Iterable[str], stored: Stored, config: Mapping[str, Any]
) -> tuple[Mapping[str, Origin], tuple[str, ...]]:
    """Where a checkpoint has the tensors of a part, and how the keys begin that are the part's own.

    Args:
        part: "unet", "vae", "text_encoder" or "text_encoder_2".
        names: of the network's tensors, as diffusers has them.
        stored: the checkpoint.
        config: of the network.
    """
    keys = stored.homes.keys()
    if part == "unet":
        return {name: Origin(key=UNET + unet_key(name, config)) for name in names}, (UNET,)
    if part == "vae":
        own = (f"{VAE}encoder.", f"{VAE}decoder.", f"{VAE}quant_conv.", f"{VAE}post_quant_conv.")
        return {name: Origin(key=VAE + vae_key(name, config)) for name in names}, own
    if part == "text_encoder_2":
        # All of it but what compares it with pictures.
        own = tuple(f"{XL_OPEN_CLIP}{start}" for start in ("transformer.", "text_projection", "token_", "positional_"))
        return _open_clip(XL_OPEN_CLIP, names), (*own, f"{XL_OPEN_CLIP}ln_final.")
    if any(key.startswith(OPEN_CLIP) for key in keys):
        origins = _open_clip(OPEN_CLIP, names)
        blocks = tuple(f"{OPEN_CLIP}transformer.resblocks.{n}." for n in range(int(config["num_hidden_layers"])))
        return origins, blocks
    # transformers 5 dropped the `text_model.` level that the files were written with.
    clip = XL_CLIP if any(key.startswith(XL_CLIP) for key in keys) else CLIP
    level = "text_model." if any(key.startswith(f"{clip}text_model.") for key in keys) else ""
    return {name: Origin(key=f"{clip}{level}{name}") for name in names}, (f"{clip}text_model.", f"{clip}encoder.")


def _open_clip(prefix: str, names: Iterable[str]) -> Mapping[str, Origin]:
    """Where a text encoder's tensors are in OpenCLIP's layout; one with a projection has a level more in its names."""
    found = {name: open_clip_origin(name.removeprefix("text_model.")) for name in names}
    return {name: replace(origin, key=prefix + origin.key) for name, origin in found.items()}


def controlnet_origins(names: Iterable[str], stored: Stored, config: Mapping[str, Any]) -> Mapping[str, Origin]:
    """Where a file has a ControlNet's tensors: in diffusers' layout, or in the original one with or without prefix."""
    keys = stored.homes.keys()
    if any(key.startswith("controlnet_cond_embedding.") for key in keys):
        return {name: Origin(key=name) for name in names}
    prefix = CONTROLNET if any(key.startswith(CONTROLNET) for key in keys) else ""
    return {name: Origin(key=prefix + unet_key(name, config)) for name in names}


def tokenizer_beside(path: Path, name: str = "tokenizer") -> Path | None:
    """The folder of a tokenizer that lies with a single file."""
    folders = [folder / name for folder in (path.with_suffix(""), path.parent)]
    return next((folder for folder in folders if folder.is_dir()), None)
