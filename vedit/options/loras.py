"""What `--lora` asks for: files that change a model's weights for a look, how strongly each, and where.

Importing this does not import torch; `vedit.models.lora_layout` reads the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.bounds import Bound, bounded
from vedit.checks.rationals import rational, shown
from vedit.errors import InputError, SettingError
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.registry.catalogue import catalogue

WEIGHT = Bound(kind="number", low=-10, high=10)
"""Of a LoRA: 1 is as it was trained, below 0 is the opposite of what it was trained for."""
FORM = "FILE[:WEIGHT][,mask=MASK]"
_MASK = ",mask="
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)


@checked
@dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """`--lora FILE[:WEIGHT][,mask=MASK]`: which changes of the weights, how strongly, and where.

    Raises:
        SettingError: the weight is out of `WEIGHT`.
    """

    path: Path
    """A .safetensors file, a folder that holds one, a listed name, or an id on the hub that is in its cache."""
    weight: float = 1.0
    """Several LoRAs of a look add up."""
    mask: MaskSpec | None = None
    """Where it acts; None is everywhere."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", bounded(f"the weight of {self.path.name}", self.weight, WEIGHT))

    def __str__(self) -> str:
        return f"{self.path.name}:{self.weight:g}{' in its mask' if self.mask is not None else ''}"


def masks_of(loras: Sequence[LoraSpec]) -> tuple[MaskSpec, ...]:
    """The masks in which LoRAs act, each once; those of one mask act there together."""
    return tuple(dict.fromkeys(one.mask for one in loras if one.mask is not None and one.weight))


def parse_lora(text: str) -> LoraSpec:
    """`FILE[:WEIGHT][,mask=MASK]` -> a LoRA; MASK as `--region` has it.

    A file of the whole name wins over a weight and a mask behind it. A listed name may bring its own weight.

    Raises:
        InputError: no file is named, the weight is no number or out of bounds, or the mask is not understood.
    """
    told = text.strip()
    if _is_there(told):
        return LoraSpec(path=Path(told))
    named, comma, mask = told.partition(_MASK)
    if comma and not mask.strip():
        raise InputError(f"the LoRA {shown(text)} has an empty mask", remedy=f"write {FORM}")
    path, weight = _weighed(named.strip(), text)
    if not path:
        raise InputError(
            f"the LoRA {shown(text)} names no file", remedy=f"write {FORM}, for instance ink.safetensors:0.8"
        )
    try:
        return LoraSpec(path=Path(path), weight=weight, mask=parse_mask_spec(mask.strip()) if comma else None)
    except SettingError as error:
        raise InputError(f"the LoRA {shown(text)}: {error.message}", remedy=error.remedy) from error


def parse_loras(texts: Sequence[str]) -> tuple[LoraSpec, ...]:
    """The LoRAs of several texts, in order. Raises InputError as `parse_lora`."""
    return tuple(map(parse_lora, texts))


def _weighed(named: str, text: str) -> tuple[str, float]:
    """A path and its weight; a path may hold colons itself."""
    if _is_there(named):
        return named, 1.0
    path, colon, weight = named.rpartition(":")
    if not colon:
        return named, usual_weight(named)
    if _NUMBER.fullmatch(weight.strip()):
        return path.strip(), float(rational(weight.strip()))
    if _is_there(path) or path.endswith(".safetensors"):
        raise InputError(
            f"the LoRA {shown(text)} has the weight {shown(weight)}",
            remedy=f"give a number from {WEIGHT.low:g} to {WEIGHT.high:g}, usually 0.5 to 1",
        )
    return named, 1.0


def usual_weight(name: str) -> float:
    """How strongly a LoRA acts where nothing is said: as the list of models says of a name in it, else 1.

    Raises:
        InputError: see `vedit.registry.catalogue.catalogue`.
    """
    listed = None if _is_there(name) else catalogue().models.get(name)
    return 1.0 if listed is None else float(listed.weight)


def _is_there(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or a null character
        return False
