"""The LoRAs of a look in a Stable Diffusion: in the text encoders while prompts are encoded, in the UNet while it
samples.

Sums are made once and kept for the windows of a shot. ControlNets, and the inversion of the source, are left alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from vedit.errors import InputError, ModelError
from vedit.models.configs import Part, read_config
from vedit.models.digests import file_digest
from vedit.models.families.sd_configs import config_of
from vedit.models.families.sd_files import made
from vedit.models.families.sd_lora_names import text_names, unet_names
from vedit.models.identify import identify
from vedit.models.lora_file import LoraFile, lora_path, read_lora_file
from vedit.models.lora_layout import TEXT, TEXT_2, UNET
from vedit.models.merging import Target, Weighted, Weights, check_fits, merged, swapped

if TYPE_CHECKING:
    from vedit.models.families.sd_networks import Networks
    from vedit.models.source import ModelSource
    from vedit.options.loras import LoraSpec
    from vedit.options.request import RestyleOptions

_PARTS: tuple[Part, ...] = ("unet", "text_encoder")
_CALLED = {UNET: "UNet", TEXT: "text encoder", TEXT_2: "second text encoder"}


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A sum, and what it was made of."""

    key: tuple[object, ...]
    before: Weights
    """Held, so that no other tensor can come to lie where one of them does."""
    weights: Weights


class Loras:
    """See `vedit.models.families.sd_adapters.Adaptation`."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[torch.nn.Module, _Kept] = WeakKeyDictionary()

    @contextmanager
    def encoding(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """In the text encoders; what acts in a mask alone acts on no words."""
        loras = _everywhere(options.loras)
        with ExitStack() as stack:
            for part, encoder in model.text.encoders.items() if loras else ():
                stack.enter_context(swapped(encoder, merged(_target(part, encoder), loras)))
            yield

    @contextmanager
    def sampling(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """In the UNet."""
        unet, loras = model.denoiser.unet, _everywhere(options.loras)
        if not loras:
            self._kept.pop(unet, None)
            yield
            return
        with swapped(unet, self._sum(unet, loras)):
            yield

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """Which files, and how strongly each acts."""
        told = [f"{file_digest(lora_path(one.path))}:{one.weight!r}" for one in options.loras]
        return {"loras": " ".join(told)} if told else {}

    def _sum(self, unet: torch.nn.Module, loras: Sequence[Weighted]) -> Weights:
        key = tuple(one.key for one in loras)
        kept = self._kept.get(unet)
        if kept is not None and kept.key == key and _is_same(unet, kept.before):
            return kept.weights
        self._kept.pop(unet, None)  # room for the next
        weights = merged(_target(UNET, unet), loras)
        before = {name: unet.get_parameter(name).data for name in weights}
        self._kept[unet] = _Kept(key=key, before=before, weights=weights)
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
        if spec.mask is not None:
            raise InputError(f"the LoRA {spec.path} has a mask, which is not supported", remedy="leave the mask out")
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
    if kind.part == "lora" and kind.family and whole.family and kind.family != whole.family:
        raise ModelError(
            f"{file.path} is {kind.name}, and the model is {whole.name}", remedy="give a LoRA for this model"
        )


def _everywhere(loras: Iterable[LoraSpec]) -> tuple[Weighted, ...]:
    """Those that act in the whole picture. Raises ModelError as `read_lora_file`."""
    return tuple(
        Weighted(file=read_lora_file(lora_path(one.path)), weight=one.weight)
        for one in loras
        if one.mask is None and one.weight
    )


def _target(part: str, network: Any) -> Target:
    parameters = [name for name, _ in network.named_parameters()]
    names = unet_names(parameters, network.config) if part == UNET else text_names(parameters)
    return Target(part=part, module=network, names=names, called=_CALLED[part])


def _blank(base: Path) -> Mapping[str, Target]:
    """The networks of a model without numbers in them, by its configs."""
    if base.is_dir():
        files: dict[Part, Path] = {part: base / part / "config.json" for part in _PARTS}
        configs = {part: read_config(file, part) for part, file in files.items() if file.is_file()}
    else:
        configs = {part: config_of(base, part) for part in _PARTS}
    return {part: _target(part, made(part, config)) for part, config in configs.items()}


def _is_same(network: torch.nn.Module, before: Weights) -> bool:
    """Whether a network's tensors are those that a sum was made of."""
    now = {name: network.get_parameter(name).data for name in before}
    return all(
        now[name].data_ptr() == one.data_ptr() and now[name].device == one.device for name, one in before.items()
    )
