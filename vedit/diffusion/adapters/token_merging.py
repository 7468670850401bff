"""Token merging across frames (VidToMe, Li et al. 2023) as an adapter: injected into a UNet, taken out without a trace.

In large layers most tokens of a frame are merged into those of the nearest key frame that are most like them: they take
what the layer makes of these (sections 3.2 and 3.3 of the paper). Only the rest attends, to itself and to that key. So
a surface that both show is drawn once, and attention costs a fraction. Small layers stay as they are.

The paper chooses by chance which frame others are merged into, and so depends on how frames are called; here the keys
lie evenly (`vedit.diffusion.adapters.key_frames`) and see those before them. Which tokens are alike is asked of the
source, which says it once for all steps, and a key stays what it is, where the paper moves it towards what is merged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters import self_attention
from vedit.diffusion.adapters.extended import KeyedProcessor
from vedit.diffusion.adapters.key_frames import KeyMemory, keys_around
from vedit.diffusion.adapters.self_attention import (
    Processor,
    answered,
    attended,
    in_self_attention,
    projected,
    weight_of,
)
from vedit.diffusion.nearest import nearest_with_likeness

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.diffusion.adapters.source_states import StatesOf

MERGED = 0.9
"""The share of a frame's tokens that are merged; the paper's."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """How a frame is merged in one layer."""

    key: int
    """The place among the keys of the one that it is merged into."""
    tokens: torch.Tensor
    """(L,): for each token of the frame that of the key."""
    alone: torch.Tensor
    """(R,): the tokens that are not merged, rising."""


def merges_of(
    numbers: Sequence[int], places: Sequence[int], states: StatesOf, *, share: float = MERGED
) -> dict[int, Mapping[int, Merge]]:
    """How every frame is merged, by large layer and by the frame's place.

    Args:
        numbers: of all frames in the source.
        places: of the keys among them.
        states: the source's.
        share: of the tokens that are merged.
    """
    keys = [states(place) for place in places]
    large = [layer for layer, one in keys[0].items() if len(one) >= self_attention.LARGE]
    found: dict[int, dict[int, Merge]] = {layer: {} for layer in large}
    for place, near in keys_around(numbers, places).items():
        own = states(place)
        key, _ = max(near, key=lambda one: one[1])
        for layer in large:
            tokens, likeness = nearest_with_likeness(own[layer], keys[key][layer])
            rest = len(tokens) - round(share * len(tokens))
            # Stable, so that of equally alike tokens the same ones stay.
            alone = likeness.argsort(stable=True)[:rest].sort().values
            found[layer][place] = Merge(key=key, tokens=tokens, alone=alone)
    return dict(found)


class MergingProcessor(KeyedProcessor):
    """Of every other frame most tokens take what is made of those of a key."""

    keeps_made = True

    def __init__(self, layer: int, memory: KeyMemory, merges: Mapping[int, Merge]) -> None:
        super().__init__(layer, memory)
        self.merges = merges

    def others(self, attn: Attention, states: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """See `KeyedProcessor`."""
        pairs = zip(states, places, strict=True)
        return torch.stack([self._merged(attn, one, self.merges[place]) for one, place in pairs])

    def _merged(self, attn: Attention, states: torch.Tensor, merge: Merge) -> torch.Tensor:
        """One frame (L, D) -> (L, D)."""
        output = self.memory.made[self.layer][merge.key][merge.tokens]
        if not len(merge.alone):
            return output
        query, key, value = projected(attn, states[merge.alone][None])
        near = [one[merge.key][None] for one in self.memory.kept[self.layer]]
        weight = weight_of(own=key.shape[1], near=near[0].shape[1], whole=len(states), frames=1, like=query)
        keys, values = (torch.cat([own, other], dim=1) for own, other in zip((key, value), near, strict=True))
        rest = answered(attn, attended(query, keys, values, attn.heads, weight))[0]
        return output.index_copy(0, merge.alone, rest)


def merged_attention(
    unet: UNet2DConditionModel, numbers: Sequence[int], states: StatesOf
) -> AbstractContextManager[KeyMemory]:
    """Inject token merging into the large self-attention layers of the UNet; on leaving, the old processors return.

    Gives the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order.
        states: the source's (`vedit.diffusion.adapters.source_states`).
    """
    memory = KeyMemory.of(numbers)
    merges = merges_of(numbers, memory.places, states)

    def make(layer: int, before: Processor) -> Processor:
        return MergingProcessor(layer, memory, merges[layer]) if layer in merges else before

    return in_self_attention(unet, memory, make)
