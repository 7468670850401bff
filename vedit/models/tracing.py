"""What networks hold and compute, found by running them on the meta device: every tensor's size and life, no number.

Nothing is computed there, so a network of any size takes as long as its operators are many. What is counted is what
the kernels of the device meant would allocate: an attention is one fused kernel, a convolution on a CPU brings a
reordered copy of its weights.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

_aten = torch.ops.aten
_CONVOLUTIONS = (_aten.convolution.default, _aten.conv2d.default)
_PRODUCTS = (_aten.mm.default, _aten.addmm.default, _aten.bmm.default, _aten.baddbmm.default)
_ATTENTION = _aten.scaled_dot_product_attention.default
_UNFUSED = _aten._scaled_dot_product_attention_math.default
_MAPPED = 32 * 2**20
"""Bytes from which on an allocation in host memory is one of its own, which goes back to the system when it is freed.
Smaller ones share a heap, which stays as large as it once was."""


@dataclass(kw_only=True)
class Traced:
    """What a pass through networks takes."""

    peak: int = 0
    """Bytes that tensors made in it hold at once; weights are not among them."""
    left: int = 0
    """Bytes of those that outlive it."""
    convolutions: float = 0.0
    """Floating-point operations, a multiplication and an addition being two."""
    products: float = 0.0
    """The same of matrix products."""
    attention: float = 0.0
    """The same of fused attention."""
    moved: float = 0.0
    """Bytes that the other operators read and write."""


@dataclass
class MemoryTrace(TorchDispatchMode):
    """A mode in which tensors on the meta device are followed from their making to their end.

    Args:
        device: whose kernels are meant: "cpu", or another.
        fused: an attention is one kernel; else it is its two products, and the table of all pairs between them.
    """

    device: str
    fused: bool = True
    found: Traced = field(default_factory=Traced)

    def __post_init__(self) -> None:
        super().__init__()
        self._live = {True: 0, False: 0}
        """Bytes of large and of small tensors."""
        self._heap = 0
        """Bytes that small ones have held at most."""
        self._known = WeakIdKeyDictionary()

    def take(self) -> Traced:
        """What was traced since it was last asked, or since the beginning."""
        taken, self.found = self.found, Traced(peak=self.found.left, left=self.found.left)
        return taken

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator, and count what it makes."""
        given = kwargs or {}
        if func is _ATTENTION and not self.fused:
            with self:
                return _UNFUSED(*args, **given)[0]
        if func is _ATTENTION:
            query, key, value = cast("tuple[torch.Tensor, ...]", args[:3])
            made = query.new_empty((*query.shape[:-1], value.shape[-1]))
            self.found.attention += 2 * query.numel() * key.shape[-2] + 2 * made.numel() * key.shape[-2]
            self._account(made, args, workspace=0)
            return made
        if func not in _CONVOLUTIONS and func not in _PRODUCTS:
            with self:
                made = func.decompose(*args, **given)
            if made is not NotImplemented:
                return made
        made = func(*args, **given)
        self._account(made, args, workspace=self._computed(func, args, made))
        return made

    def _computed(self, func: Any, args: tuple[Any, ...], made: Any) -> int:
        """Count an operator's work; the bytes that its kernel needs beside its result."""
        if func in _CONVOLUTIONS:
            weight = cast("torch.Tensor", args[1])
            self.found.convolutions += 2 * made.numel() * prod(weight.shape[1:])
            return weight.numel() * weight.element_size() if self.device == "cpu" else 0
        if func in _PRODUCTS:
            left = cast("torch.Tensor", args[-2])
            self.found.products += 2 * made.numel() * left.shape[-1]
        elif not func.is_view:
            self.found.moved += sum(_bytes(one) for one in (*_tensors(args), *_tensors(made)))
        return 0

    def _account(self, made: Any, args: Any, *, workspace: int) -> None:
        given = {id(one.untyped_storage()) for one in _tensors(args)}
        for tensor in _tensors(made):
            storage = tensor.untyped_storage()
            if id(storage) in given or storage in self._known:
                continue  # a view, or written in place
            self._known[storage] = None
            size = storage.nbytes()
            large = self.device != "cpu" or size >= _MAPPED
            self._live[large] += size
            weakref.finalize(storage, self._freed, size, large)
        self._heap = max(self._heap, self._live[False])
        self.found.peak = max(self.found.peak, self._live[True] + self._heap + workspace)
        self.found.left = sum(self._live.values())

    def _freed(self, size: int, large: bool) -> None:
        self._live[large] -= size
        self.found.left = sum(self._live.values())


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    """The tensors among an operator's arguments or results."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in cast("Sequence[Any]", values):
            yield from _tensors(value)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
