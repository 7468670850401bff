"""The LoRAs of a look in a Stable Diffusion: in the text encoders while prompts are encoded, in the UNet while it
samples, everywhere or in a mask.

Sums are made once and kept for the windows of a shot; of a network that rests they take no more than the files.
ControlNets, and the inversion of the source, are left alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from vedit.errors import ModelError
from vedit.models.configs import Part
from vedit.models.digests import file_digest
from vedit.models.families.sd_configs import CONFIG, part_config
from vedit.models.families.sd_files import made
from vedit.models.families.sd_lora_names import text_names, unet_names
from vedit.models.identify import identify
from vedit.models.kinds import SDXL, built_on
from vedit.models.lora_file import LoraFile, lora_path, read_lora_file
from vedit.models.lora_layout import TEXT, TEXT_2, UNET
from vedit.models.merging import Target, Weighted, Weights, check_fits, merged, swapped
from vedit.models.motion import MODULES
from vedit.options.loras import masks_of
from vedit.weights.packed import held, weight_names

if TYPE_CHECKING:
    from vedit.models.families.sd_networks import Networks
    from vedit.models.source import ModelSource
    from vedit.options.loras import LoraSpec
    from vedit.options.masks import MaskSpec
    from vedit.options.request import RestyleOptions

_PARTS: tuple[Part, ...] = ("unet", "text_encoder", "text_encoder_2")
_CALLED = {UNET: "UNet", TEXT: "text encoder", TEXT_2: "second text encoder"}


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A sum, and what it was made of."""

    key: tuple[object, ...]
    before: Mapping[str, torch.Tensor]
    """Held, so that no other tensor can come to lie where one of them does."""
    weights: Weights


@dataclass(frozen=True, kw_only=True)
class WeightsInMasks:
    """See `vedit.diffusion.conditioning.MaskedWeights`."""

    unet: torch.nn.Module
    sums: Sequence[Weights]

    def under(self, number: int) -> AbstractContextManager[None]:
        """The weights of a mask: they are put in by pointer, in no time."""
        return swapped(self.unet, self.sums[number])


class Loras:
    """See `vedit.models.families.sd_networks.Adaptation`."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[torch.nn.Module, dict[int, _Kept]] = WeakKeyDictionary()
        """Of a UNet: what acts everywhere under 0, then what acts in each mask."""

    @contextmanager
    def encoding(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """In the text encoders; what acts in a mask alone acts on no words."""
        loras = _acting(options.loras, None)
        with ExitStack() as stack:
            for part, encoder in model.text.encoders.items() if loras else ():
                stack.enter_context(swapped(encoder, merged(_target(part, encoder), loras)))
            yield

    @contextmanager
    def sampling(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """In the UNet, what acts in the whole picture."""
        unet, loras = model.denoiser.unet, _acting(options.loras, None)
        if not options.loras:
            self._kept.pop(unet, None)
        with swapped(unet, self._sum(unet, 0, loras)) if loras else nullcontext():
            yield

    @contextmanager
    def masked(self, model: Networks, options: RestyleOptions) -> Generator[WeightsInMasks]:
        """In the UNet, what acts in masks: on top of what is there."""
        unet = model.denoiser.unet
        groups = [_acting(options.loras, mask) for mask in masks_of(options.loras)]
        sums = [self._sum(unet, number, loras) for number, loras in enumerate(groups, 1)]
        yield WeightsInMasks(unet=unet, sums=sums)

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """Which files, how strongly each acts, and in which mask by its number."""
        masks = masks_of(options.loras)
        told = [
            f"{file_digest(lora_path(one.path))}:{one.weight!r}" + (f"@{masks.index(one.mask)}" if one.mask else "")
            for one in options.loras
            if one.weight
        ]
        return {"loras": " ".join(told)} if told else {}

    def _sum(self, unet: torch.nn.Module, slot: int, loras: Sequence[Weighted]) -> Weights:
        key = tuple(one.key for one in loras)
        slots = self._kept.setdefault(unet, {})
        kept = slots.get(slot)
        if kept is not None and kept.key == key and _is_same(unet, kept.before):
            return kept.weights
        slots.pop(slot, None)  # room for the next
        weights = merged(_target(UNET, unet), loras)
        before = {name: held(unet, name) for name in weights}
        slots[slot] = _Kept(key=key, before=before, weights=weights)
        return weights


LORAS = Loras()


def check_loras(source: ModelSource, loras: Iterable[LoraSpec]) -> None:
    """Hold files against a model by their headers and its configs.

    Raises:
        ModelError: one is not on this machine, damaged, no LoRA, of an unknown layout, or for another model.
    """
    base = Path(source.on_disk.base)
    blank: Mapping[str, Target] | None = None
    for spec in loras:
        file = read_lora_file(lora_path(spec.path))
        _check_family(base, file)
        blank = _blank(base) if blank is None else blank
        for part in dict.fromkeys(change.part for change in file.changes):
            if part not in blank:
                (first, *_) = [change.first for change in file.changes if change.part == part]
                raise ModelError(
                    f"{file.path} does not fit the model: {first!r} is for a {_CALLED[part]}, and it has none",
                    remedy="give one that was trained for this model",
                )
            check_fits(blank[part], file)


def _check_family(base: Path, file: LoraFile) -> None:
    kind, whole = identify(file.path), identify(base)
    if kind.part == "lora" and kind.family and whole.family and kind.family != built_on(whole.family):
        raise ModelError(
            f"{file.path} is {kind.name}, and the model is {whole.name}", remedy="give a LoRA for this model"
        )


def _acting(loras: Iterable[LoraSpec], mask: MaskSpec | None) -> tuple[Weighted, ...]:
    """Those that act in a mask; None is the whole picture. Raises ModelError as `read_lora_file`."""
    return tuple(
        Weighted(file=read_lora_file(lora_path(one.path)), weight=one.weight)
        for one in loras
        if one.mask == mask and one.weight
    )


def _target(part: str, network: Any) -> Target:
    # Motion modules take LoRAs of their own, which are refused as for another model.
    parameters = [name for name in weight_names(network) if MODULES not in name]
    names = unet_names(parameters, network.config) if part == UNET else text_names(parameters)
    return Target(part=part, module=network, names=names, called=_CALLED[part])


def _blank(base: Path) -> Mapping[str, Target]:
    """The networks of a model without numbers in them, by its configs."""
    if base.is_dir():
        has: tuple[Part, ...] = tuple(part for part in _PARTS if (base / part / CONFIG).is_file())
    else:
        has = _PARTS if identify(base).family == SDXL else _PARTS[:2]
    return {part: _target(part, made(part, part_config(base, part))) for part in has}


def _is_same(network: torch.nn.Module, before: Mapping[str, torch.Tensor]) -> bool:
    """Whether a network's tensors are those that a sum was made of."""
    now = {name: held(network, name) for name in before}
    return all(
        now[name].data_ptr() == one.data_ptr() and now[name].device == one.device for name, one in before.items()
    )
