"""What the self-attention layers of a UNet are given of the source, to find in one frame what another one shows."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from vedit.diffusion.adapters.self_attention import self_attention_layers

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

StatesOf = Callable[[int], dict[int, torch.Tensor]]
"""The place of a frame -> the states (L, D) of each self-attention layer, by the layer's number."""


def frame_states(unet: UNet2DConditionModel, run: Callable[[int], object]) -> StatesOf:
    """What gives the states of the source's frames, one by one.

    Args:
        unet: of diffusers.
        run: puts the frame of a place through the network, alone: what other frames would be called with it would
            decide the last bits of its states, and so, where two tokens are alike, which one is taken.
    """

    def states(place: int) -> dict[int, torch.Tensor]:
        with _recorded(unet) as found:
            run(place)
        return found

    return states


@contextmanager
def _recorded(unet: UNet2DConditionModel) -> Generator[dict[int, torch.Tensor]]:
    """What the layers are called with while the context lasts, the first frame's of the last call."""
    found: dict[int, torch.Tensor] = {}

    def record(layer: int) -> Callable[[torch.nn.Module, tuple[Any, ...]], None]:
        def hook(_: torch.nn.Module, given: tuple[Any, ...]) -> None:
            found[layer] = given[0][0].detach().clone()

        return hook

    with ExitStack() as hooks:
        for layer, module in self_attention_layers(unet):
            hooks.callback(module.register_forward_pre_hook(record(layer)).remove)
        yield found
