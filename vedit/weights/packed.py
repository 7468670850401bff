"""Weights that rest in fewer bits than are computed in: a layer unpacks its own for the time of one call.

What a network holds is what was packed, in buffers, which move between devices and are written out as any other; its
parameters are those that were left wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, cast

import torch
from torch import nn

from vedit.weights.at_rest import RestingConv2d, RestingLinear, Widening

_BEGIN = "packed_"


class Packing(Protocol):
    """How a weight is packed."""

    def unpack(self, parts: Mapping[str, torch.Tensor], shape: torch.Size) -> torch.Tensor:
        """The numbers of a weight in its shape, in float32 or what they are computed in.

        Args:
            parts: the tensors that it was packed into, by name.
            shape: of the weight.
        """
        ...


class Packed(Widening):
    """A layer whose weight is unpacked each time that it is asked for."""

    packing: Packing
    packed_shape: torch.Size
    came_in: torch.dtype | None
    """The number format that its weight was loaded in; None: it was packed in its file."""
    computes_in: torch.dtype

    @property
    def wide(self) -> torch.dtype:
        """See `vedit.weights.at_rest.Widening`."""
        return self.computes_in

    def awake(self) -> torch.Tensor:
        """See `vedit.weights.at_rest.Widening`."""
        weight = self.packing.unpack(self.parts, self.packed_shape).to(self.computes_in)
        for change in self.changes:
            weight = change(weight)
        return weight

    @property
    def parts(self) -> dict[str, torch.Tensor]:
        """The tensors that its weight was packed into, by name."""
        held = {name: buffer for name, buffer in self.named_buffers(recurse=False) if name.startswith(_BEGIN)}
        return {name.removeprefix(_BEGIN): buffer for name, buffer in held.items()}

    @property
    def weight(self) -> torch.Tensor:
        """The numbers, as they are computed with."""
        return self.awake()


class PackedLinear(Packed, nn.Linear):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A linear layer of a packed weight."""


class PackedConv2d(Packed, nn.Conv2d):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A convolution of a packed weight."""


_CLASSES: dict[type[nn.Module], type[Packed]] = {
    nn.Linear: PackedLinear,
    nn.Conv2d: PackedConv2d,
    RestingLinear: PackedLinear,
    RestingConv2d: PackedConv2d,
}


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers of a network, with numbers in it or without, whose weights can be packed, by name."""
    return ((name, module) for name, module in network.named_modules() if type(module) in _CLASSES)


def pack(
    layer: nn.Module,
    packing: Packing,
    parts: Mapping[str, torch.Tensor],
    *,
    computes_in: torch.dtype,
    came_in: torch.dtype | None = None,
) -> None:
    """Have a layer hold what its weight was packed into, in the weight's place.

    Args:
        layer: one of `layers`.
        packing: how it was packed.
        parts: what it was packed into, by name.
        computes_in: of the layer.
        came_in: the number format that it was loaded in; None: it was packed in its file.
    """
    shape = layer.get_parameter("weight").shape
    del layer.weight
    for left in ("desk", "changes"):  # of one that rested
        layer.__dict__.pop(left, None)
    layer.__class__ = _CLASSES[type(layer)]
    packed = cast("Packed", layer)
    packed.packing, packed.packed_shape, packed.came_in = packing, shape, came_in
    packed.computes_in = computes_in
    for name, part in parts.items():
        layer.register_buffer(f"{_BEGIN}{name}", part)


def weight_names(network: nn.Module) -> tuple[str, ...]:
    """The names of a network's parameters, and of the weights that were packed in their place."""
    packed = (f"{name}.weight" for name, layer in network.named_modules() if isinstance(layer, Packed))
    return (*(name for name, _ in network.named_parameters()), *packed)


def held(network: nn.Module, name: str) -> torch.Tensor:
    """What a network holds of one of `weight_names`: the parameter, or the first tensor that it was packed into."""
    layer = network.get_submodule(name.rpartition(".")[0])
    if isinstance(layer, Packed) and name.endswith(".weight"):
        return next(iter(layer.parts.values()))
    return network.get_parameter(name).data


def shape_of(network: nn.Module, name: str) -> torch.Size:
    """The shape of one of `weight_names`."""
    layer = network.get_submodule(name.rpartition(".")[0])
    return layer.packed_shape if isinstance(layer, Packed) and name.endswith(".weight") else held(network, name).shape
