"""Weights that rest in the precision of their file and are widened for the one layer that computes.

A network whose file is in half precision and that computes in float32 would take twice its file in memory. Here its
large layers keep what the file has, and a layer's weight is widened as the layer is called, into memory that all layers
share. Half precision goes into float32 without loss: the results are those of a network that was widened as it was
loaded, to the bit. It costs one pass over the weights for each call of the network, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F

LEAST_NUMBERS = 2**16
"""Of a weight that rests: small ones are not worth the call."""
LEAST_SAVED = 128 * 2**20
"""Bytes that a network has to save; a smaller one is as fast as it can be."""

Change = Callable[[torch.Tensor], torch.Tensor]
"""A weight in the number format that is computed in -> the same, changed."""


class Desk:
    """The memory that the layers of a network widen their weights in, one after the other."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._memory: torch.Tensor | None = None

    def widened(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight in `dtype`, laid out as it is; good until the next one is widened."""
        if self._memory is None or self._memory.numel() < weight.numel() or self._memory.device != weight.device:
            self._memory = None  # room for the next
            with torch.inference_mode(mode=False):
                self._memory = torch.empty(weight.numel(), dtype=self.dtype, device=weight.device)
        return self._memory[: weight.numel()].as_strided(weight.shape, weight.stride()).copy_(weight)


class Widening(torch.nn.Module):
    """What a layer has that makes its weight anew for each call."""

    changes: tuple[Change, ...] = ()
    """That the weight is given, in this order."""

    def awake(self) -> torch.Tensor:
        """The weight as the layer computes with it."""
        raise NotImplementedError

    @property
    def wide(self) -> torch.dtype:
        """What the layer computes in."""
        raise NotImplementedError


class _Resting(Widening):
    """What a layer has whose weight rests."""

    desk: Desk

    @property
    def wide(self) -> torch.dtype:
        """See `Widening`."""
        return self.desk.dtype

    def awake(self) -> torch.Tensor:
        """The weight as the layer computes with it; one that was put in wide is that already."""
        weight = self.get_parameter("weight").data
        if weight.dtype == self.desk.dtype and not self.changes:
            return weight
        wide = self.desk.widened(weight)
        for change in self.changes:
            wide = change(wide)
        return wide


class RestingLinear(_Resting, torch.nn.Linear):
    """A linear layer whose weight rests."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """See `torch.nn.Linear`."""
        return F.linear(input, self.awake(), self.bias)


class RestingConv2d(_Resting, torch.nn.Conv2d):
    """A convolution whose weight rests."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """See `torch.nn.Conv2d`."""
        return self._conv_forward(input, self.awake(), self.bias)


_RESTING: Mapping[type[torch.nn.Module], type[_Resting]] = {
    torch.nn.Linear: RestingLinear,
    torch.nn.Conv2d: RestingConv2d,
}


def resting_names(network: torch.nn.Module, stored: Callable[[str], torch.dtype], dtype: torch.dtype) -> frozenset[str]:
    """The weights of a network that are left to rest; none where it saves little.

    Args:
        network: with or without numbers in it.
        stored: name of a tensor -> its number format in the file.
        dtype: what the network computes in.
    """
    # diffusers and transformers tell what a network computes in by its first parameter.
    (first, *_) = (name for name, _ in network.named_parameters())
    found: dict[str, int] = {}
    for module_name, module in network.named_modules():
        name = f"{module_name}.weight"
        if type(module) not in _RESTING or name == first:
            continue
        numbers, narrow = module.get_parameter("weight").numel(), stored(name)
        if numbers >= LEAST_NUMBERS and narrow.is_floating_point and narrow.itemsize < dtype.itemsize:
            found[name] = numbers * (dtype.itemsize - narrow.itemsize)
    return frozenset(found) if sum(found.values()) >= LEAST_SAVED else frozenset()


def lay_to_rest(network: torch.nn.Module, names: frozenset[str], dtype: torch.dtype) -> None:
    """Let the layers of some weights, which are in the number format of their file, widen them as they are called."""
    desk = Desk(dtype)
    for name in names:
        module = network.get_submodule(name.removesuffix(".weight"))
        module.__class__ = _RESTING[type(module)]
        resting = cast("_Resting", module)
        resting.desk, resting.changes = desk, ()


def weight_of(layer: torch.nn.Linear) -> torch.Tensor:
    """A layer's weight as it is computed with; good until another layer of the network is called."""
    return layer.awake() if isinstance(layer, Widening) else layer.weight


def computed_in(network: torch.nn.Module, name: str) -> torch.dtype:
    """What a parameter is computed in, whatever it rests in."""
    owner = network.get_submodule(name.rpartition(".")[0])
    return cast("Widening", owner).wide if rests(network, name) else network.get_parameter(name).dtype


def wide_tensors(network: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a network by its name, in order, as it is computed with; one is there at a time."""
    owners = {f"{name}.weight": owner for name, owner in network.named_modules() if isinstance(owner, _Resting)}
    for name, value in sorted(network.state_dict().items()):
        yield name, (value.to(owners[name].desk.dtype) if name in owners else value)


@contextmanager
def changed(network: torch.nn.Module, changes: Mapping[str, Change]) -> Generator[None]:
    """Changes of weights that rest or are packed for as long as the context lasts, after those that are there."""
    owners = [(network.get_submodule(name.removesuffix(".weight")), change) for name, change in changes.items()]
    before = [(cast("Widening", owner), cast("Widening", owner).changes) for owner, _ in owners]
    try:
        for owner, change in owners:
            cast("Any", owner).changes = (*cast("Widening", owner).changes, change)
        yield
    finally:
        for owner, changes_before in before:
            owner.changes = changes_before


def rests(network: torch.nn.Module, name: str) -> bool:
    """Whether a weight is one that rests, or is packed."""
    return name.endswith(".weight") and isinstance(network.get_submodule(name.removesuffix(".weight")), Widening)
