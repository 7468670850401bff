"""How large a model is, from the headers of its files: what estimates of memory and time rest on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.models.branches import own_controlnets
from vedit.models.families.sd_keys import UNET, VAE
from vedit.models.headers import SUFFIX, read_header
from vedit.models.weight_files import stored_in
from vedit.weights.hub_cache import cached

if TYPE_CHECKING:
    from vedit.models.source import ModelSource

SD15_UNET, SD15_VAE, SD15_TEXT, SD15_CONTROLNET = 859_520_964, 83_653_863, 123_060_480, 361_279_120
"""Parameters of the published networks, for the model of that name while it is not on this machine."""

_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I8": 1, "U8": 1}
"""Bytes of each number format that safetensors files name."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Parameters by part."""

    unet: int
    vae: int
    text_encoder: int
    """Of both, where there are two."""
    controlnets: int = 0
    """Of those that are used, together."""

    @property
    def network(self) -> int:
        """What is evaluated at each step."""
        return self.unet + self.controlnets

    @property
    def all(self) -> int:
        """Everything that is loaded."""
        return self.network + self.vae + self.text_encoder


def sizes_of(source: ModelSource, kinds: Collection[str], *, published: Mapping[str, Sizes]) -> Sizes | None:
    """How large a model and the ControlNets of the kinds that it has are; None where that is not known.

    Args:
        source: where its parts are.
        kinds: of the controls that are used.
        published: sizes by location, of models that need not be on this machine.

    Raises:
        ModelError: a file is damaged.
    """
    base = cached(source.base)
    own = own_controlnets(base) if base is not None and base.is_dir() else {}
    places = {**{kind: f"{base}/{sub}" for kind, sub in own.items()}, **source.controlnets}
    known = published.get(source.base)
    found = known if base is None else _of_file(base) if base.suffix == SUFFIX else _of_folder(base)
    branches = [_branch(place, known) for kind, place in places.items() if kind in kinds]
    if found is None or None in branches:
        return None
    total = sum(size for size in branches if size is not None)
    return Sizes(unet=found.unet, vae=found.vae, text_encoder=found.text_encoder, controlnets=total)


def _branch(place: str, known: Sizes | None) -> int | None:
    path = cached(place)
    if path is None:
        # Of the ControlNets of a named model it is known too; of any other that is not here, nothing is.
        return SD15_CONTROLNET if known is not None and "control_v11" in place else None
    return read_header(path).parameters if path.suffix == SUFFIX else stored_in(path).parameters


def _of_folder(folder: Path) -> Sizes | None:
    parts = {part: folder / part for part in ("unet", "vae", "text_encoder")}
    if not all(part.is_dir() for part in parts.values()):
        return None
    found = {part: stored_in(place).parameters for part, place in parts.items()}
    second = folder / "text_encoder_2"
    if second.is_dir():
        found["text_encoder"] += stored_in(second).parameters
    return Sizes(**found)


def _of_file(path: Path) -> Sizes:
    unet = vae = text = 0
    for key, shape in read_header(path).shapes.items():
        if key.startswith(UNET):
            unet += prod(shape)
        elif key.startswith(VAE):
            vae += prod(shape)
        elif key.startswith(("cond_stage_model.", "conditioner.")):
            text += prod(shape)
    return Sizes(unet=unet, vae=vae, text_encoder=text)


def bytes_a_number(path: Path) -> float:
    """What a number takes in a file of weights, or in those of a part's folder: the mean, where formats are mixed."""
    headers = [read_header(path)] if path.suffix == SUFFIX else stored_in(path).headers.values()
    counts = [(name, count) for header in headers for name, count in header.formats.items()]
    return sum(_WIDTHS.get(name, 4) * count for name, count in counts) / max(1, sum(count for _, count in counts))
