"""States of a UNet's decoder as an adapter: taken in one pass, given in the next, and taken out without a trace.

As in Plug-and-Play (Tumanyan et al. 2023, section 4): the features of the second residual block at a quarter of the
latents' resolution, before its shortcut is added, and the queries and keys of the self-attention from there on. In
SD 1.5 these are decoder layers 4, and 4 to 11.

It hangs on the layers that make these states, and not on attention processors: so it goes with whatever processor there
is, cross-frame attention among them, whose frames then see their neighbours' keys of the source too.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

QUARTER = 3
"""Blocks of the decoder from the one at a quarter of the latents' resolution on."""
Mode = Literal["off", "take", "give"]


class SourceStates:
    """What is held of each layer, a tensor for each network call; see `vedit.diffusion.injecting.FeatureInjection`."""

    def __init__(self, features: torch.nn.Module | None, attention: tuple[torch.nn.Module, ...]) -> None:
        self._features, self._attention = features, attention
        self._mode: Mode = "off"
        self._wanted: frozenset[torch.nn.Module] = frozenset()
        self._held: dict[torch.nn.Module, list[torch.Tensor]] = {}
        self._calls: dict[torch.nn.Module, int] = {}

    @property
    def layers(self) -> tuple[torch.nn.Module, ...]:
        """Whose output is held."""
        return (*(() if self._features is None else (self._features,)), *self._attention)

    @property
    def held_bytes(self) -> int:
        """Of all that is held now."""
        return sum(state.nbytes for states in self._held.values() for state in states)

    @contextmanager
    def taking(self, *, features: bool, attention: bool) -> Generator[None]:
        """See `FeatureInjection`."""
        wanted = [*([self._features] if features and self._features is not None else [])]
        self._wanted = frozenset([*wanted, *(self._attention if attention else ())])
        self._held = {layer: [] for layer in self._wanted}
        with self._in_mode("take"):
            yield

    @contextmanager
    def giving(self) -> Generator[None]:
        """See `FeatureInjection`."""
        self._calls = dict.fromkeys(self._held, 0)
        try:
            with self._in_mode("give"):
                yield
        finally:
            self._held = {}

    @contextmanager
    def _in_mode(self, mode: Mode) -> Generator[None]:
        self._mode = mode
        try:
            yield
        finally:
            self._mode = "off"

    def hook(self, layer: torch.nn.Module, _: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor | None:
        """After a layer has run: hold its output, or put what is held in its place."""
        if self._mode == "off" or layer not in self._held:
            return None
        held = self._held[layer]
        if self._mode == "take":
            held.append(output)
            return None
        # A guided step passes over the frames twice, in the same calls.
        number = self._calls[layer]
        self._calls[layer] = number + 1
        found = held[number % len(held)]
        # Several prompts for one frame: the one source is that of all.
        return found if len(found) == len(output) else found.expand_as(output)


@contextmanager
def source_injection(unet: UNet2DConditionModel) -> Generator[SourceStates]:
    """Hang onto the UNet's decoder for as long as the context lasts; nothing changes until states are taken and given.

    Yields what takes and gives them.
    """
    features, attention = injected_layers(unet)
    states = SourceStates(features, attention)
    with ExitStack() as hooks:
        for layer in states.layers:
            hooks.callback(layer.register_forward_hook(states.hook).remove)
        yield states


def injected_layers(unet: UNet2DConditionModel) -> tuple[torch.nn.Module | None, tuple[torch.nn.Module, ...]]:
    """The convolution whose output is the features, and the layers of queries and keys, in the decoder's order."""
    blocks = list(unet.up_blocks)[-QUARTER:]
    resnets = list(cast("torch.nn.ModuleList", blocks[0].resnets))
    # A small network has a single block at some resolutions.
    second = min(1, len(resnets) - 1)
    features = cast("torch.nn.Module", resnets[second].conv2)
    found: list[torch.nn.Module] = []
    for number, block in enumerate(blocks):
        transformers = list(cast("Any", getattr(block, "attentions", None)) or ())
        for transformer in transformers[second if number == 0 else 0 :]:
            for inner in cast("Any", transformer).transformer_blocks:
                found += [inner.attn1.to_q, inner.attn1.to_k]
    return features, tuple(found)
