"""Weights into networks, with every tensor accounted for: none is left at random, and none is left over in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError, safe_open

from vedit.errors import ModelError
from vedit.models.families.sd_keys import Origin
from vedit.weights.at_rest import lay_to_rest, resting_names

if TYPE_CHECKING:
    from pathlib import Path

    from vedit.models.weight_files import Stored

Network = TypeVar("Network", bound=torch.nn.Module)
# Buffers that older versions wrote; today's networks compute them.
_COMPUTED = ("position_ids", "attn_mask", "num_batches_tracked")
FORMATS = {"F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn, "F32": torch.float32}
_REMEDY = "fetch the file again; where a trainer or a merge wrote it, save the whole network under its usual names"
# What diffusers called the parts of an autoencoder's attention before 2023.
_OLD_ATTENTION = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def built(make: Callable[[], Network]) -> Network:
    """A network without numbers in it: those of its file come instead of random ones that would have to be made."""
    with torch.device("meta"):
        return make()


def fill(
    network: torch.nn.Module,
    stored: Stored,
    origins: Mapping[str, Origin],
    *,
    part: str,
    own: Callable[[str], bool],
    device: torch.device,
    dtype: torch.dtype,
    rests: bool = False,
) -> None:
    """Read a network's tensors; afterwards each of them came from the file.

    Args:
        network: see `built`.
        stored: the files.
        origins: for each tensor of the network, where it is.
        part: what a message calls the network.
        own: whether a key of the file belongs to this part; such a key without a place is an error.
        device: where the tensors go; on "meta" they are accounted for and not read.
        dtype: what they become.
        rests: whether large ones of half precision may stay so (`vedit.weights.at_rest`).

    Raises:
        ModelError: tensors are missing or have no place, or have another shape or no floating point.
    """
    account(stored.homes.keys(), origins, place=stored.place, part=part, own=own)
    wanted = network.state_dict()
    resting = resting_names(network, lambda name: _format(stored, origins[name].key), dtype) if rests else frozenset()
    found: dict[str, torch.Tensor] = {}
    for file, names in _by_file(stored, origins).items():
        for name, tensor in _tensors(file, {name: origins[name] for name in names}).items():
            fitted = _fitted(tensor, wanted[name].shape, key=origins[name].key, part=part, place=stored.place)
            found[name] = fitted.to(device=device, dtype=fitted.dtype if name in resting else dtype, copy=True)
    network.load_state_dict(found, assign=True)
    lay_to_rest(network, resting, dtype)
    make_buffers(network, device)


def _format(stored: Stored, key: str) -> torch.dtype:
    """The number format of a tensor in its file; of those that torch has not, one that fits no network."""
    return FORMATS.get(stored.headers[stored.homes[key]].tensor_formats.get(key, ""), torch.uint8)


def account(
    keys: Collection[str], origins: Mapping[str, Origin], *, place: str, part: str, own: Callable[[str], bool]
) -> None:
    """Hold the keys of a file against the tensors of a network; see `fill`. Raises ModelError as that."""
    places = {origin.key for origin in origins.values()}
    missing = [origin.key for origin in origins.values() if origin.key not in keys]
    foreign = [key for key in keys if own(key) and key not in places and not key.endswith(_COMPUTED)]
    told = [
        f"lacks {len(missing)} of its {len(origins)} tensors, among them {missing[0]!r}" if missing else "",
        f"has {len(foreign)} that have no place in it, among them {foreign[0]!r}" if foreign else "",
    ]
    if missing or foreign:
        raise ModelError(f"{place}: the {part} {' and '.join(filter(None, told))}", remedy=_REMEDY)


def _by_file(stored: Stored, origins: Mapping[str, Origin]) -> Mapping[Path, Collection[str]]:
    grouped: dict[Path, list[str]] = defaultdict(list)
    for name, origin in origins.items():
        grouped[stored.homes[origin.key]].append(name)
    return grouped


def _tensors(file: Path, origins: Mapping[str, Origin]) -> Mapping[str, torch.Tensor]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: _of(opened.get_tensor(origin.key), origin) for name, origin in origins.items()}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} cannot be read: {str(error).splitlines()[0]}", remedy=_REMEDY) from error


def _of(tensor: torch.Tensor, origin: Origin) -> torch.Tensor:
    part = tensor if origin.third is None else tensor.chunk(3)[origin.third]
    return part.T if origin.transposed else part


def _fitted(tensor: torch.Tensor, wanted: torch.Size, *, key: str, part: str, place: str) -> torch.Tensor:
    """The tensor in the shape of the network's: a convolution of one pixel is a linear layer."""
    if tensor.shape != wanted and tensor.shape[:2] == wanted[:2] and tensor.numel() == wanted.numel():
        tensor = tensor.reshape(wanted)
    check_shape(tensor.shape, wanted, key=key, part=part, place=place)
    if not tensor.is_floating_point():
        raise ModelError(
            f"{place}: {key!r} of the {part} is of {str(tensor.dtype).removeprefix('torch.')}",
            remedy="quantised weights are not supported: use those in float16, bfloat16 or float32",
        )
    return tensor


def check_shape(found: Sequence[int], wanted: Sequence[int], *, key: str, part: str, place: str) -> None:
    """Raises ModelError where a tensor is of another shape than its network's."""
    if tuple(found) != tuple(wanted):
        raise ModelError(
            f"{place}: the {part} takes {key!r} of {tuple(wanted)}, not {tuple(found)}",
            remedy="its config is of another network: fetch the folder again",
        )


def make_buffers(network: torch.nn.Module, device: torch.device) -> None:
    """Make the buffers that no file holds, which `built` has left without numbers too."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if not buffer.is_meta or device.type == "meta":
                continue
            if name != "position_ids":
                raise ModelError(
                    f"vedit cannot make the buffer {name!r} of {type(module).__name__}",
                    remedy="install the versions of diffusers and transformers that vedit was tested with",
                )
            module.register_buffer(
                name, torch.arange(buffer.shape[-1], device=device).expand(buffer.shape), persistent=False
            )


def plain_origins(network: torch.nn.Module, stored: Stored) -> Mapping[str, Origin]:
    """Where a folder has a network's tensors: under their names, or under those of an earlier version."""
    keys = stored.homes.keys()
    return {name: Origin(key=next((k for k in _aliases(name) if k in keys), name)) for name in network.state_dict()}


def _aliases(name: str) -> tuple[str, ...]:
    old = name
    if "attentions" in name:
        for new, before in _OLD_ATTENTION.items():
            old = old.replace(new, before)
    return (name, f"text_model.{name}", old)
