"""Weights of a network in fewer bits, scaled and rounded layer by layer; computed with in the network's own precision.

int8 and fp8 (E4M3) have a scale for each row of a weight. int4 has a scale and a zero point for each 64 numbers; nf4,
a scale for each 64 and sixteen levels at the quantiles of a normal distribution (Dettmers et al. 2023, QLoRA, section
3). Each rounds as torchao's weight-only quantisation does, nf4 as bitsandbytes does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from vedit.models.quantisation import BLOCK, WAYS
from vedit.weights.at_rest import computed_in
from vedit.weights.packed import layers, pack

Parts = Mapping[str, torch.Tensor]
_ENDS = ("conv_in", "conv_out")
"""The layers of a UNet that stay wide: every pixel's value passes them."""
_E4M3 = torch.float8_e4m3fn
_TINY = torch.finfo(torch.float32).tiny
_NF4 = torch.tensor(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)
"""The levels of nf4, as the paper's appendix E lists them."""


def quantise(network: nn.Module, name: str) -> None:
    """Quantise the weights of a network's linear layers and convolutions where they lie, one after the other.

    Args:
        network: whose floating-point type its layers go on to compute in.
        name: int8, int4, fp8 or nf4.
    """
    packing = _PACKINGS[name]
    for path, layer in list(layers(network)):
        weight = layer.get_parameter("weight").data
        if path not in _ENDS and WAYS[name].takes(tuple(weight.shape)):
            wide = computed_in(network, f"{path}.weight")
            pack(layer, packing, packing.packed(weight), computes_in=wide, came_in=weight.dtype)


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """See `vedit.weights.packed.Packing`."""

    quantised: Callable[[torch.Tensor], Parts]
    """A weight in float32 -> what it is packed into."""
    restored: Callable[[Parts], torch.Tensor]

    def packed(self, weight: torch.Tensor) -> Parts:
        """What a weight of whatever floating-point type is packed into."""
        return self.quantised(weight.detach().float().contiguous())

    def unpack(self, parts: Parts, shape: torch.Size) -> torch.Tensor:
        """The numbers that stand for a weight's, in float32."""
        return self.restored(parts).reshape(shape)


def _int8(weight: torch.Tensor) -> Parts:
    rows = weight.flatten(1)
    # Half of what lies between -128 and 127.
    scale = (rows.abs().amax(1, keepdim=True) / 127.5).clamp(min=torch.finfo(torch.float32).eps)
    whole = (rows * (1 / scale)).round().clamp(-128, 127)
    return {"whole": whole.to(torch.int8), "scale": scale}


def _fp8(weight: torch.Tensor) -> Parts:
    rows = weight.flatten(1)
    most = torch.finfo(_E4M3).max
    scale = (rows.abs().amax(1, keepdim=True) / most).clamp(min=_TINY)
    return {"whole": (rows / scale).clamp(-most, most).to(_E4M3), "scale": scale}


def _by_row(parts: Parts) -> torch.Tensor:
    return parts["whole"].float() * parts["scale"]


def _int4(weight: torch.Tensor) -> Parts:
    rows = weight.reshape(-1, BLOCK)
    low, high = rows.amin(1, keepdim=True).clamp(max=0), rows.amax(1, keepdim=True).clamp(min=0)
    scale = ((high - low) / 15).clamp(min=torch.finfo(torch.float32).eps)
    zero = (-(low / scale).round()).clamp(0, 15)
    whole = ((rows * (1 / scale)).round() + zero).clamp(0, 15).to(torch.uint8)
    return {"whole": _pairs(whole), "scale": scale, "zero": zero.to(torch.uint8)}


def _by_block(parts: Parts) -> torch.Tensor:
    return (_apart(parts["whole"]).float() - parts["zero"]) * parts["scale"]


def _nf4(weight: torch.Tensor) -> Parts:
    rows = weight.reshape(-1, BLOCK)
    scale = rows.abs().amax(1, keepdim=True)
    levels = _NF4.to(weight.device)
    # The nearest level lies between the midpoints to its neighbours.
    nearest = torch.bucketize(rows / scale.clamp(min=_TINY), (levels[1:] + levels[:-1]) / 2)
    return {"whole": _pairs(nearest.to(torch.uint8)), "scale": scale}


def _by_level(parts: Parts) -> torch.Tensor:
    levels = _NF4.to(parts["scale"].device)
    return levels[_apart(parts["whole"]).int()] * parts["scale"]


def _pairs(whole: torch.Tensor) -> torch.Tensor:
    """Numbers of four bits (N, K), two to a byte (N, K / 2), the first in the high bits."""
    return whole[:, ::2] << 4 | whole[:, 1::2]


def _apart(pairs: torch.Tensor) -> torch.Tensor:
    return torch.stack([pairs >> 4, pairs & 15], dim=-1).flatten(1)


_PACKINGS = {
    "int8": Quantisation(quantised=_int8, restored=_by_row),
    "fp8": Quantisation(quantised=_fp8, restored=_by_row),
    "int4": Quantisation(quantised=_int4, restored=_by_block),
    "nf4": Quantisation(quantised=_nf4, restored=_by_level),
}
