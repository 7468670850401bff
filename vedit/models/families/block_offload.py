"""Networks whose blocks wait in host memory and come to the device one after the other, as they are called.

While a block computes, the next one is on its way, in the order in which they were called before. So the device holds
two blocks and what is small, and not the network. A block that has run leaves at once, by pointer: what waits are the
very tensors that were there before, and whoever exchanges them between two calls of a network (a LoRA) finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D

BLOCKS = (ResnetBlock2D, BasicTransformerBlock, Upsample2D, Downsample2D)
"""What comes and goes as a whole, nearly all of a network; the rest is small and stays."""
Wait = Callable[[], None]


class Lane(Protocol):
    """The way to a device."""

    def waiting(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor in host memory, from where it is sent."""
        ...

    def send(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Wait]:
        """Copies on the device, and what makes sure that they are there before what is computed next."""
        ...

    def mark(self) -> Wait:
        """What waits until all that was to be computed by now is done."""
        ...


class CudaLane:
    """A stream of a CUDA device beside the one that computes; memory of the host that it reads without the CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)

    def waiting(self, tensor: torch.Tensor) -> torch.Tensor:
        """See `Lane`."""
        return tensor.cpu().pin_memory()

    def send(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Wait]:
        """See `Lane`."""
        with torch.cuda.stream(self._stream):
            copies = [torch.empty_like(one, device=self._device).copy_(one, non_blocking=True) for one in tensors]
            there = self._stream.record_event()
        return copies, lambda: torch.cuda.current_stream(self._device).wait_event(there)

    def mark(self) -> Wait:
        """See `Lane`."""
        return torch.cuda.current_stream(self._device).record_event().synchronize


@dataclass(frozen=True)
class _Sent:
    """A block on the device, or on its way there."""

    block: torch.nn.Module
    hosts: list[torch.Tensor]
    copies: list[torch.Tensor]
    there: Wait


class BlockOffload:
    """See the module; `take` makes it go with `vedit.models.families.modules.ModuleOffload`.

    Args:
        device: that computes.
        networks: whose blocks wait.
        others: modules that come as a whole while the networks do not compute.
        lane: to the device.
    """

    def __init__(
        self, device: torch.device, networks: Iterable[torch.nn.Module], others: Sequence[torch.nn.Module], lane: Lane
    ) -> None:
        self._device, self._others, self._lane = device, others, lane
        self._follows: dict[torch.nn.Module | None, torch.nn.Module] = {}
        """Block -> the one that was called after it."""
        self._last: torch.nn.Module | None = None
        self._coming: _Sent | None = None
        self._here: _Sent | None = None
        self._leaving: tuple[list[torch.Tensor], Wait] | None = None
        for network in networks:
            self._take_apart(network)

    def take(self, module: torch.nn.Module) -> None:
        """Bring one of the other modules to the device, or none, for a network."""
        for other in self._others:
            torch.nn.Module.to(other, self._device if other is module else "cpu")

    def _take_apart(self, network: torch.nn.Module) -> None:
        blocks = blocks_of(network)
        waiting = {module for block in blocks for module in block.modules()}
        for module in network.modules():
            own = _own(module)
            _put([module], [self._lane.waiting(one) if module in waiting else one.to(self._device) for one in own])
        for block in blocks:
            block.register_forward_pre_hook(partial(self._before, block))
            block.register_forward_hook(partial(self._after, block), always_call=True)

    def _before(self, block: torch.nn.Module, *_: Any) -> None:
        coming, self._coming = self._coming, None
        if coming is None or coming.block is not block or not _are(block, coming.hosts):
            coming = self._sent(block)
        coming.there()
        _put(block.modules(), coming.copies)
        self._here = coming
        self._follows[self._last], self._last = block, block

    def _after(self, block: torch.nn.Module, *_: Any) -> None:
        here, self._here = self._here, None
        if here is None or here.block is not block:
            return  # it could not come
        _put(block.modules(), here.hosts)
        done = self._lane.mark()
        # The one before it has run by now, or is waited for while this one runs: no third one is on the device.
        if self._leaving is not None:
            self._leaving[1]()
        self._leaving = (here.copies, done)
        following = self._follows.get(block)
        if following is not None:
            self._coming = self._sent(following)

    def _sent(self, block: torch.nn.Module) -> _Sent:
        hosts = _held(block)
        # Else what leaves the device could not be written to where it was made for good.
        with torch.inference_mode(mode=False), torch.no_grad():
            copies, there = self._lane.send(hosts)
        return _Sent(block, hosts, copies, there)


def blocks_of(network: torch.nn.Module) -> list[torch.nn.Module]:
    """The blocks of a network that come and go, none within another."""
    found: list[torch.nn.Module] = []
    for child in network.children():
        found += [child] if isinstance(child, BLOCKS) else blocks_of(child)
    return found


def _are(block: torch.nn.Module, hosts: Sequence[torch.Tensor]) -> bool:
    """Whether a block's tensors are still those: another one has been put in where a LoRA acts."""
    return all(one.data_ptr() == host.data_ptr() for one, host in zip(_held(block), hosts, strict=True))


def _held(block: torch.nn.Module) -> list[torch.Tensor]:
    """What a block holds: parameters, and buffers, in which quantised weights are."""
    return [tensor for module in block.modules() for tensor in _own(module)]


def _own(module: torch.nn.Module) -> list[torch.Tensor]:
    parameters = [parameter.data for parameter in module.parameters(recurse=False)]
    return parameters + list(module.buffers(recurse=False))


def _put(modules: Iterable[torch.nn.Module], tensors: Sequence[torch.Tensor]) -> None:
    """Have modules hold other tensors in the place of their own, in the order of `_own`."""
    given = iter(tensors)
    for module in modules:
        for parameter in module.parameters(recurse=False):
            parameter.data = next(given)
        for name, _ in module.named_buffers(recurse=False):
            setattr(module, name, next(given))
