"""T2I-Adapters (Mou et al. 2023) by their headers and configs: what one is, and what UNet it fits. No torch.

Three networks: the full one of Stable Diffusion 1.x, the one of XL, which halves its picture once, and the light one.
Each comes as diffusers' folder with its config.json, or as one file, in diffusers' layout or in that of its authors,
which says all by its tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vedit.errors import ModelError
from vedit.models.configs import read_config, read_json
from vedit.models.families.sd_configs import CONFIG
from vedit.models.families.sd_keys import Origin
from vedit.models.headers import read_header
from vedit.models.identify import identify
from vedit.models.kinds import T2I_CELLS
from vedit.models.weight_files import Stored, stored_in

FULL, XL, LIGHT = "full_adapter", "full_adapter_xl", "light_adapter"
"""diffusers' names of the networks."""
_CHANNELS = [320, 640, 1280, 1280]
_BLOCKS = ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]
_PREFIX = "adapter."
"""Of all names in diffusers' layout."""
_Shapes = Mapping[str, tuple[int, ...]]
Places = tuple[tuple[int, int], ...]
"""Where something is added to a UNet, in its order: channels, and pixels to a cell along each side."""


def is_t2i_adapter(place: Path) -> bool:
    """Whether a folder or file is one. Raises ModelError as `vedit.models.identify.identify`."""
    return identify(place).sort == "t2i-adapter"


def adapter_stored(place: Path) -> Stored:
    """The weights of an adapter's folder or file. Raises ModelError where there are none."""
    return stored_in(place) if place.is_dir() else Stored(place=str(place), files=(place,))


def adapter_config(place: Path) -> dict[str, Any]:
    """The config of an adapter as diffusers has it: what lies beside its weights, else what its tensors tell.

    Raises:
        ModelError: the file or the config is damaged, or of a layout that is not known.
    """
    beside = (place if place.is_dir() else place.parent) / CONFIG
    if place.is_dir() or (beside.is_file() and read_json(beside).get("_class_name") == "T2IAdapter"):
        return {"in_channels": 3, **read_config(beside, "t2i_adapter")}
    return _told(place)


def check_t2i_adapter(place: Path, kind: str, unet: Mapping[str, Any], *, cell: int, model: str) -> None:
    """Hold an adapter against a model by headers and configs.

    Args:
        place: its folder or file.
        kind: of the control that it is given for.
        unet: the config of the model's.
        cell: pixels to a latent cell along each side.
        model: what a message calls it.

    Raises:
        ModelError: it is damaged, or what it makes has no place in the UNet.
    """
    found, there = _features(adapter_config(place)), _places(unet, cell)
    _ = adapter_stored(place).homes
    # The last place is the middle block's, which only the one of XL adds to.
    if found not in (there, there[:-1]):
        raise ModelError(
            f"the T2I-Adapter for {kind} adds {_shown(found)}, and the UNet of {model} takes {_shown(there[:-1])}",
            remedy=f"use one that was made for {model}",
        )


def least_weights(config: Mapping[str, Any]) -> int:
    """How many weights a network of a config has at least: those of its convolutions of three by three."""
    widths: list[int] = config.get("channels", _CHANNELS)
    count: int = config.get("num_res_blocks", 2)
    if config.get("adapter_type", FULL) == LIGHT:
        return sum(18 * (width // 4) ** 2 * count for width in widths)
    return sum(9 * width * width * count for width in widths)


def adapter_origins(names: Iterable[str], stored: Stored, config: Mapping[str, Any]) -> dict[str, Origin]:
    """Where a file has an adapter's tensors.

    Args:
        names: of the network's, as diffusers has them.
        stored: the adapter.
        config: of the network.
    """
    keys = stored.homes.keys()
    if any(key.startswith(_PREFIX) for key in keys):
        return {name: Origin(key=name) for name in names}
    if any(".resnets." in key for key in keys):
        return {name: Origin(key=name.removeprefix(_PREFIX)) for name in names}
    light, count = config.get("adapter_type") == LIGHT, int(config.get("num_res_blocks", 2))
    return {name: Origin(key=_authors_name(name.removeprefix(_PREFIX), light=light, count=count)) for name in names}


def _authors_name(name: str, *, light: bool, count: int) -> str:
    """A name as the authors have it: of the full networks all residual blocks stand in one row."""
    if light:
        return name.replace(".resnets.", ".body.")
    parts = name.split(".")
    if parts[0] != "body":
        return name
    first = int(parts[1]) * count
    if parts[2] == "resnets":
        return ".".join(["body", str(first + int(parts[3])), *parts[4:]])
    return ".".join(["body", str(first), *parts[2:]])


def _told(place: Path) -> dict[str, Any]:
    """What an adapter's tensors say of it."""
    shapes = {key.removeprefix(_PREFIX): shape for key, shape in read_header(place).shapes.items()}
    light = "body.0.in_conv.weight" in shapes
    _, takes, *_ = (*shapes.get("body.0.in_conv.weight" if light else "conv_in.weight", ()), 0, 0)
    cell = T2I_CELLS.get(takes)
    count, widths = _light_levels(shapes) if light else _levels(shapes)
    if cell is None or not widths or 0 in widths:
        raise ModelError(
            f"{place} is a T2I-Adapter of a layout that vedit does not know",
            remedy="give its diffusers folder, with config.json",
        )
    return {
        "in_channels": takes // cell**2,
        "channels": widths,
        "num_res_blocks": count,
        "downscale_factor": cell,
        "adapter_type": LIGHT if light else XL if cell == 16 else FULL,
    }


def _levels(shapes: _Shapes) -> tuple[int, list[int]]:
    """How many residual blocks each level of a full adapter has, and how wide the levels are."""
    rows, count = _counted(shapes, "body."), _counted(shapes, "body.0.resnets.")
    if count:
        return count, [_width(shapes, f"body.{n}.resnets.0.block1.weight") for n in range(rows)]
    # In the authors' row of blocks the first that changes the width begins the second level.
    count = next((n for n in range(1, rows) if f"body.{n}.in_conv.weight" in shapes), max(rows, 1))
    return count, [_width(shapes, f"body.{n}.block1.weight") for n in range(0, rows, count)]


def _light_levels(shapes: _Shapes) -> tuple[int, list[int]]:
    """The same of a light adapter, whose last level is as wide as the one before, which diffusers does not count."""
    rows = _counted(shapes, "body.")
    count = max(_counted(shapes, "body.0.resnets."), _counted(shapes, "body.0.body."))
    return count, [_width(shapes, f"body.{n}.out_conv.weight") for n in range(rows - 1)]


def _width(shapes: _Shapes, key: str) -> int:
    """The channels that a convolution makes; 0 where there is none of the name."""
    return next(iter(shapes.get(key, ())), 0)


def _counted(shapes: _Shapes, begin: str) -> int:
    """How many there are of what is numbered behind a beginning."""
    numbers = [key.removeprefix(begin).partition(".")[0] for key in shapes if key.startswith(begin)]
    return max((int(number) for number in numbers if number.isdecimal()), default=-1) + 1


def _features(config: Mapping[str, Any]) -> Places:
    """What an adapter makes."""
    widths: list[int] = config.get("channels", _CHANNELS)
    sort, cell = config.get("adapter_type", FULL), int(config.get("downscale_factor", 8))
    if sort == XL:
        return tuple((width, cell * (1 if level < 2 else 2)) for level, width in enumerate(widths))
    levels = [*widths, widths[-1]] if sort == LIGHT else widths
    return tuple((width, cell * 2**level) for level, width in enumerate(levels))


def _places(unet: Mapping[str, Any], cell: int) -> Places:
    """Where diffusers' UNet adds features: in a block with attention before it halves its cells, else after, and to the
    middle block."""
    widths: list[int] = unet["block_out_channels"]
    last, kinds = len(widths) - 1, unet.get("down_block_types", _BLOCKS)
    halved = ["CrossAttn" not in kind and level < last for level, kind in enumerate(kinds)]
    down = (
        (width, cell * 2 ** (level + halves)) for level, (width, halves) in enumerate(zip(widths, halved, strict=False))
    )
    return (*down, (widths[-1], cell * 2**last))


def _shown(places: Places) -> str:
    widths, cells = (", ".join(str(place[n]) for place in places) for n in (0, 1))
    return f"{widths} channels at cells of {cells} pixels"
