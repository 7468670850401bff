"""What a LoRA file may call the modules of a Stable Diffusion: by diffusers, the original code, or older versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vedit.models.families.sd_keys import open_clip_origin, unet_key

if TYPE_CHECKING:
    from vedit.models.lora_layout import Change

_WEIGHT = ".weight"
# What attention processors called the layers of CLIP's attention.
_CLIP_PROCESSOR = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A module, or the third of what a file has for three of them together."""

    module: str
    third: int | None = None


@dataclass(frozen=True, kw_only=True)
class Names:
    """Every name of a network's modules."""

    dotted: Mapping[str, tuple[Place, ...]]
    flat: Mapping[str, tuple[Place, ...]] = field(init=False)
    """The same with underscores for dots."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "flat", {name.replace(".", "_"): places for name, places in self.dotted.items()})

    def places(self, change: Change) -> tuple[Place, ...]:
        """The modules that a change is for; none where the network has no such module."""
        return (self.flat if change.flat else self.dotted).get(change.name, ())


def unet_names(parameters: Iterable[str], config: Mapping[str, Any]) -> Names:
    """Of a UNet, by the names of its parameters and its config."""
    found: dict[str, tuple[Place, ...]] = {}
    for module in _modules(parameters):
        names = [module, *_in_processor(module)]
        if isinstance(config["layers_per_block"], int):
            names.append(unet_key(module + _WEIGHT, config).removesuffix(_WEIGHT))
        found |= dict.fromkeys(names, (Place(module=module),))
    return Names(dotted=found)


def text_names(parameters: Iterable[str]) -> Names:
    """Of a text encoder; OpenCLIP has query, key and value of an attention in one."""
    found: dict[str, tuple[Place, ...]] = {}
    fused: dict[str, list[Place]] = defaultdict(list)
    for module in _modules(parameters):
        # transformers 5 dropped the level that files were written with, from some of its classes.
        plain = module.removeprefix("text_model.")
        stem, _, layer = plain.rpartition(".")
        origin = open_clip_origin(plain + _WEIGHT)
        names = [plain, *([f"{stem}.{_CLIP_PROCESSOR[layer]}"] if layer in _CLIP_PROCESSOR else [])]
        names += [f"text_model.{name}" for name in names]
        if origin.third is None:
            names.append(origin.key.removesuffix(_WEIGHT))
        else:
            fused[origin.key.removesuffix("_weight")].append(Place(module=module, third=origin.third))
        found |= dict.fromkeys(names, (Place(module=module),))
    return Names(dotted={**found, **{name: tuple(places) for name, places in fused.items()}})


def _in_processor(module: str) -> Iterator[str]:
    """What a layer of an attention was called while it lay in the attention's processor."""
    stem, _, layer = module.removesuffix(".0").rpartition(".")
    if layer in ("to_q", "to_k", "to_v", "to_out"):
        yield f"{stem}.processor.{layer}"


def _modules(parameters: Iterable[str]) -> Iterator[str]:
    return (name.removesuffix(_WEIGHT) for name in parameters if name.endswith(_WEIGHT))
