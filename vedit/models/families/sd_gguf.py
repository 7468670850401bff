"""The UNet of a Stable Diffusion from a GGUF file, in the place of the model's own: it rests in the file's blocks.

Such files hold the UNet alone, under the names of the original code or of diffusers, with the prefix of a whole
checkpoint or without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vedit.errors import ModelError
from vedit.models.families.sd_keys import UNET, Origin, unet_key
from vedit.models.families.sd_weights import FORMATS, account, check_shape, make_buffers
from vedit.models.gguf_blocks import widened
from vedit.models.gguf_header import BLOCKS, PLAIN, GgufHeader, read_gguf
from vedit.models.headers import FETCH_AGAIN
from vedit.weights.at_rest import lay_to_rest, resting_names
from vedit.weights.packed import layers, pack

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = "UNet"


@dataclass(frozen=True, kw_only=True)
class GgufBlocks:
    """See `vedit.weights.packed.Packing`: blocks as a file has them."""

    layout: str

    def unpack(self, parts: Mapping[str, torch.Tensor], shape: torch.Size) -> torch.Tensor:
        """The numbers that the blocks stand for, in float32."""
        return widened(parts["blocks"], self.layout).reshape(shape)


def fill_from_gguf(
    network: torch.nn.Module,
    file: Path,
    config: Mapping[str, Any],
    *,
    device: torch.device,
    dtype: torch.dtype,
    rests: bool = False,
) -> None:
    """Read a UNet's tensors from a GGUF file: layers of quantised weights keep the blocks, all else becomes `dtype`.

    Args:
        network: without numbers in it, see `vedit.models.families.sd_weights.built`.
        file: on this machine.
        config: of the network.
        device: where the tensors go; on "meta" they are accounted for and not read.
        dtype: what is computed in.
        rests: as of `vedit.models.families.sd_weights.fill`.

    Raises:
        ModelError: tensors are missing, have no place or another shape, or are in a format that vedit does not read.
    """
    header = read_gguf(file)
    origins = _origins(network.state_dict(), header, config)
    _check(network, file, header, origins)

    def format_of(name: str) -> torch.dtype:
        return FORMATS.get(header.tensor_formats[origins[name].key], torch.uint8)

    resting = resting_names(network, format_of, dtype) if rests else frozenset[str]()
    quantised = {f"{name}.weight": layer for name, layer in layers(network)}
    found: dict[str, torch.Tensor] = {}
    for name, wanted in network.state_dict().items():
        key = origins[name].key
        layout, raw = header.tensor_formats[key], _bytes(file, header, key, device)
        if layout in BLOCKS and name in quantised:
            pack(quantised[name], GgufBlocks(layout=layout), {"blocks": raw}, computes_in=dtype)
        else:
            wide = widened(raw, layout) if layout in BLOCKS else raw.view(FORMATS[layout])
            found[name] = wide.reshape(wanted.shape).to(wide.dtype if name in resting else dtype)
    network.load_state_dict(found, strict=False, assign=True)
    lay_to_rest(network, resting, dtype)
    make_buffers(network, device)


def check_gguf(network: torch.nn.Module, file: Path, config: Mapping[str, Any]) -> None:
    """Hold a GGUF file against a UNet without numbers in it, by its header. Raises ModelError as `fill_from_gguf`."""
    header = read_gguf(file)
    _check(network, file, header, _origins(network.state_dict(), header, config))


def _origins(names: Iterable[str], header: GgufHeader, config: Mapping[str, Any]) -> Mapping[str, Origin]:
    prefix = _prefix(header)
    if f"{prefix}conv_in.weight" in header.shapes:
        return {name: Origin(key=prefix + name) for name in names}
    return {name: Origin(key=prefix + unet_key(name, config)) for name in names}


def _prefix(header: GgufHeader) -> str:
    return UNET if any(key.startswith(UNET) for key in header.shapes) else ""


def _check(network: torch.nn.Module, file: Path, header: GgufHeader, origins: Mapping[str, Origin]) -> None:
    prefix = _prefix(header)
    own = [key for key in header.shapes if key.startswith(prefix)]
    account(own, origins, place=str(file), part=_PART, own=lambda _: True)
    size = file.stat().st_size
    for name, wanted in network.state_dict().items():
        key = origins[name].key
        layout = header.tensor_formats[key]
        if layout not in BLOCKS and layout not in PLAIN:
            raise ModelError(
                f"{file} has weights in the format {layout}, which vedit does not read",
                remedy=f"take the file in one of {', '.join([*PLAIN, *BLOCKS])}",
            )
        found = header.shapes[key]
        if not (found[:2] == wanted.shape[:2] and prod(found) == wanted.numel()):  # a convolution of one pixel
            check_shape(found, wanted.shape, key=key, part=_PART, place=str(file))
        if key not in header.begins or header.begins[key] + _length(header, key) > size:
            raise ModelError(f"{file} is cut off: it ends before {key!r} does", remedy=FETCH_AGAIN)


def _length(header: GgufHeader, key: str) -> int:
    """The bytes of a tensor."""
    layout, numbers = header.tensor_formats[key], prod(header.shapes[key])
    if layout in PLAIN:
        return numbers * PLAIN[layout]
    count, size = BLOCKS[layout]
    return numbers // count * size


def _bytes(file: Path, header: GgufHeader, key: str, device: torch.device) -> torch.Tensor:
    """A tensor as the file has it, in bytes."""
    length = _length(header, key)
    if device.type == "meta":
        return torch.empty(length, dtype=torch.uint8, device=device)
    with file.open("rb") as opened:
        opened.seek(header.begins[key])
        return torch.frombuffer(bytearray(opened.read(length)), dtype=torch.uint8).to(device)
