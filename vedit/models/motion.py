"""Motion adapters of AnimateDiff (Guo et al. 2023) by their headers and configs: what one is, and what it fits.

Two layouts: diffusers' folder with its config.json, and one file of the authors' with `motion_modules` in it, which
says all by its tensors. Importing this does not import torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.errors import ModelError
from vedit.models.configs import read_config, read_json
from vedit.models.families.sd_configs import CONFIG, part_config
from vedit.models.families.sd_keys import Origin
from vedit.models.headers import read_header
from vedit.models.identify import identify, refuse_pickle
from vedit.models.kinds import ANIMATEDIFF, LIKE_SD, SD1
from vedit.models.weight_files import Stored, stored_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vedit.models.source import ModelSource

MODULES = ".motion_modules."
"""In the name of every tensor of a motion module."""
MOTION_UNET = "UNetMotionModel"
"""diffusers' class of a UNet with motion modules in it."""
CONTEXT = 16
"""Frames that motion modules were trained on together, and see at once."""
_HEADS = 8
"""Of the temporal attention in all files of the authors' layout, which do not say it."""
_POSITIONS = "pos_encoder.pe"
_PLACE = re.compile(r"^(?:module\.)?(down_blocks|up_blocks|mid_block)\.(?:(\d+)\.)?motion_modules\.(\d+)\.(.+)$")
_AUTHORS = {
    "pos_embed.pe": f"attention_blocks.0.{_POSITIONS}",
    "attn1.": "attention_blocks.0.",
    "attn2.": "attention_blocks.1.",
    "norm1.": "norms.0.",
    "norm2.": "norms.1.",
    "norm3.": "ff_norm.",
}
"""Pieces of diffusers' names -> what the authors call them."""


def motion_place(source: ModelSource) -> Path | None:
    """The motion adapter that a model's UNet has to be given: the one beside it, or its folder's own; None where the
    UNet has its modules already, or there is no adapter."""
    if source.motion_adapter is not None:
        return Path(source.motion_adapter)
    base = Path(source.base)
    own, unet = base / "motion_adapter", base / "unet" / CONFIG
    if not (own / CONFIG).is_file() or not unet.is_file() or read_json(unet).get("_class_name") == MOTION_UNET:
        return None
    return own


def motion_stored(path: Path) -> Stored:
    """The weights of an adapter's folder or file. Raises ModelError where there are none."""
    return stored_in(path) if path.is_dir() else Stored(place=str(path), files=(path,))


def motion_config(path: Path) -> dict[str, Any]:
    """The config of an adapter as diffusers has it: what lies beside its weights, else what its tensors tell.

    Raises:
        ModelError: the file or the config is damaged, or its modules are not alike.
    """
    beside = (path if path.is_dir() else path.parent) / CONFIG
    if path.is_dir() or (beside.is_file() and read_json(beside).get("_class_name") == "MotionAdapter"):
        config = read_config(beside, "motion_adapter")
    else:
        config = _told(path)
    layers = config.get("motion_layers_per_block", 2)
    # As UNets and ControlNets say it, with which it is compared.
    if isinstance(layers, list) and len(set(layers)) == 1:
        config["motion_layers_per_block"] = layers[0]
    return config


def check_motion_adapter(path: Path, base: Path | None) -> None:
    """Hold a motion adapter against a model by headers and configs.

    Args:
        path: a folder or a file on this machine.
        base: the model; None where it is not on this machine.

    Raises:
        ModelError: it is none, damaged, one that takes a picture, or for another model.
    """
    refuse_pickle(path)
    kind = identify(path)
    if kind.sort != "motion":
        raise ModelError(
            f"{path} is {kind.name}, no motion adapter", remedy="give a motion adapter to --motion-adapter"
        )
    config = motion_config(path)
    if config.get("conv_in_channels"):
        raise ModelError(
            f"{path} is a motion adapter that takes a picture beside the latents (PIA), which vedit cannot run",
            remedy="use AnimateDiff's own: animatediff-v2 or animatediff-v3",
        )
    if base is None:
        return
    whole = identify(base)
    if whole.family == ANIMATEDIFF:
        raise ModelError(
            f"{base} is {whole.name}, which has motion modules of its own", remedy="leave --motion-adapter out"
        )
    if whole.family not in (SD1, LIKE_SD):
        raise ModelError(
            f"{path} is {kind.name}, for {SD1}, and {base} is {whole.name}",
            remedy=f"use a model of {SD1}, or leave --motion-adapter out",
        )
    _check_widths(path, config, base)


def _check_widths(path: Path, config: Mapping[str, Any], base: Path) -> None:
    unet = part_config(base, "unet")
    usual = [320, 640, 1280, 1280]
    pairs = (
        ("block_out_channels", config.get("block_out_channels", usual), unet["block_out_channels"]),
        ("layers_per_block", config.get("motion_layers_per_block", 2), unet.get("layers_per_block", 2)),
    )
    for key, own, wanted in pairs:
        if own != wanted:
            raise ModelError(
                f"{path} is a motion adapter for a UNet with {key} {own}, and the one of {base} has {wanted}",
                remedy="use one that was made for the model",
            )


def _told(path: Path) -> dict[str, Any]:
    """What an adapter's tensors say of it."""
    shapes = read_header(path).shapes
    modules: dict[tuple[str, int], set[int]] = {}
    widths, depths, length = dict[int, int](), dict[tuple[str, ...], set[int]](), 32
    for key, shape in shapes.items():
        found = _PLACE.match(key)
        if found is None:
            continue
        block, number, module, rest = found[1], int(found[2] or 0), int(found[3]), found[4]
        rest = rest.removeprefix("temporal_transformer.")
        modules.setdefault((block, number), set()).add(module)
        if block == "down_blocks" and rest == "norm.weight":
            widths[number] = shape[0]
        if rest.startswith("transformer_blocks."):
            depths.setdefault((block, str(number), str(module)), set()).add(int(rest.split(".")[1]))
        if rest.endswith((_POSITIONS, "pos_embed.pe")) and len(shape) == 3:
            length = shape[1]
    counts = [len(modules.get(("down_blocks", number), ())) for number in range(len(widths))]
    deep = {len(blocks) for blocks in depths.values()}
    if not widths or sorted(widths) != list(range(len(widths))) or len(deep) != 1:
        raise ModelError(
            f"{path} is a motion module of AnimateDiff of a layout that vedit does not know",
            remedy="use version 1, 2 or 3 of the authors, as .safetensors, or its diffusers folder",
        )
    return {
        "block_out_channels": [widths[number] for number in range(len(widths))],
        "motion_layers_per_block": counts,
        "motion_transformer_layers_per_block": deep.pop(),
        "motion_num_attention_heads": _HEADS,
        "motion_max_seq_length": length,
        "use_motion_mid_block": ("mid_block", 0) in modules,
    }


def motion_origins(names: Iterable[str], stored: Stored) -> dict[str, Origin]:
    """Where an adapter has the tensors of motion modules.

    Args:
        names: of these, as diffusers' UNet has them.
        stored: the adapter.
    """
    keys = stored.homes.keys()
    prefix = "module." if any(key.startswith("module.") for key in keys) else ""
    authors = any(".temporal_transformer." in key for key in keys)
    return {name: Origin(key=prefix + (_authors_name(name) if authors else name)) for name in names}


def is_motion_weight(key: str) -> bool:
    """Whether a key of an adapter's file is of what a UNet takes: the authors hold the positions once more for the
    second attention, which diffusers' has from the first."""
    return not key.endswith(f"attention_blocks.1.{_POSITIONS}")


def _authors_name(name: str) -> str:
    begin, _, rest = name.partition(MODULES)
    number, _, rest = rest.partition(".")
    first, second, inner = rest.split(".", 2) if rest.startswith("transformer_blocks.") else ("", "", rest)
    for own, theirs in _AUTHORS.items():
        if inner.startswith(own):
            inner = theirs + inner.removeprefix(own)
            break
    told = f"{first}.{second}.{inner}" if first else inner
    return f"{begin}{MODULES}{number}.temporal_transformer.{told}"
