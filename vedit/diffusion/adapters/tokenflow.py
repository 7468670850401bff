"""TokenFlow (Geyer et al. 2023) as an adapter: injected into a UNet, and taken out without a trace.

Key frames attend to themselves and one another (`vedit.diffusion.adapters.extended`). Every other frame has no
attention of its own: each of its tokens takes the output of the most like token of the key before and of the key behind
it, mixed by how near these are (equations 2 and 4 of the paper). Which token is most like is asked of the source, whose
states in the same layer say it once for all steps; so the edit of a surface goes where the surface goes.

Keys lie evenly and not by chance, and each stands for itself alone, also in the mixture (`vedit.diffusion.nearest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters.extended import KeyedProcessor
from vedit.diffusion.adapters.key_frames import KeyMemory, keys_around
from vedit.diffusion.adapters.self_attention import in_self_attention
from vedit.diffusion.nearest import nearest_tokens

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.diffusion.adapters.source_states import StatesOf


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a frame takes of one key in one layer."""

    key: int
    """Its place among the keys."""
    weight: float
    tokens: torch.Tensor
    """(L,): for each token of the frame that of the key."""


Field = Mapping[int, tuple[Taken, ...]]
"""The place of a frame -> what it takes, in one layer; weights sum to 1."""


def token_fields(numbers: Sequence[int], places: Sequence[int], states: StatesOf) -> dict[int, Field]:
    """What every frame takes of the keys around it, by layer.

    Args:
        numbers: of all frames in the source.
        places: of the keys among them.
        states: the source's.
    """
    keys = [states(place) for place in places]
    found: dict[int, dict[int, tuple[Taken, ...]]] = {layer: {} for layer in keys[0]}
    for place, near in keys_around(numbers, places).items():
        own = states(place)
        for layer, field in found.items():
            field[place] = tuple(
                Taken(key=key, weight=weight, tokens=nearest_tokens(own[layer], keys[key][layer]))
                for key, weight in near
            )
    return dict(found)


class TokenFlowProcessor(KeyedProcessor):
    """Every other frame takes what is made of the keys around it."""

    keeps_made = True

    def __init__(self, layer: int, memory: KeyMemory, field: Field) -> None:
        super().__init__(layer, memory)
        self.field = field

    def others(self, attn: Attention, states: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """See `KeyedProcessor`."""
        made = self.memory.made[self.layer]
        return torch.stack([gathered(made, self.field[place]) for place in places])


def gathered(made: torch.Tensor, taken: Sequence[Taken]) -> torch.Tensor:
    """What a frame has (L, D) of the keys' outputs (K, L, D)."""
    whole = torch.zeros_like(made[0])
    for one in taken:
        whole = whole + one.weight * made[one.key][one.tokens]
    return whole


def tokenflow_attention(
    unet: UNet2DConditionModel, numbers: Sequence[int], states: StatesOf
) -> AbstractContextManager[KeyMemory]:
    """Inject TokenFlow into every self-attention layer of the UNet; on leaving, the old processors return.

    Gives the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order.
        states: the source's (`vedit.diffusion.adapters.source_states`).
    """
    memory = KeyMemory.of(numbers)
    fields = token_fields(numbers, memory.places, states)
    return in_self_attention(unet, memory, lambda layer, _: TokenFlowProcessor(layer, memory, fields[layer]))
