"""Token merging across frames (VidToMe, Li et al. 2023) as an adapter: injected into a UNet, taken out without a trace.

In large layers most tokens of a frame are merged into those of the nearest key frame that are most like them: they take
what the layer makes of these (sections 3.2 and 3.3 of the paper). Only the rest attends, to itself and to that key. So
a surface that both show is drawn once, and attention costs a fraction. Small layers stay as they are.

The paper chooses by chance which frame others are merged into, and so depends on how frames are called; here the keys
lie evenly (`vedit.diffusion.adapters.key_frames`) and see those before them. Which tokens are alike is asked of the
source, which says it once for all steps, and a key stays what it is, where the paper moves it towards what is merged.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters import self_attention
from vedit.diffusion.adapters.extended import keys_attended
from vedit.diffusion.adapters.key_frames import KeyMemory, key_places
from vedit.diffusion.adapters.self_attention import (
    Processor,
    answered,
    attended,
    check_plain,
    in_self_attention,
    projected,
    weight_of,
)
from vedit.diffusion.nearest import around, nearest_with_likeness

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
    keys = sorted(places, key=lambda place: numbers[place])
    of_keys = {place: states(place) for place in keys}
    large = [layer for layer, one in of_keys[keys[0]].items() if len(one) >= self_attention.LARGE]
    found: dict[int, dict[int, Merge]] = {layer: {} for layer in large}
    for place, number in enumerate(numbers):
        if place in of_keys:
            continue
        own = states(place)
        which, _ = max(around(number, [numbers[key] for key in keys]), key=lambda one: one[1])
        for layer in large:
            tokens, likeness = nearest_with_likeness(own[layer], of_keys[keys[which]][layer])
            rest = len(tokens) - round(share * len(tokens))
            # Stable, so that of equally alike tokens the same ones stay.
            alone = likeness.argsort(stable=True)[:rest].sort().values
            found[layer][place] = Merge(key=list(places).index(keys[which]), tokens=tokens, alone=alone)
    return dict(found)


class MergingProcessor:
    """diffusers attention processor of one self-attention layer; the batch axis is time, in the memory's order."""

    def __init__(self, layer: int, memory: KeyMemory, merges: Mapping[int, Merge]) -> None:
        self.layer = layer
        self.memory = memory
        self.merges = merges

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **_: object,
    ) -> torch.Tensor:
        """hidden_states (T, L, D) -> (T, L, D)."""
        check_plain(encoder_hidden_states, attention_mask)
        called = self.memory.turn(self.layer, len(hidden_states))
        if not self.memory.is_key(called[0]):
            pairs = zip(hidden_states, called, strict=True)
            return torch.stack([self._merged(attn, states, self.merges[place]) for states, place in pairs])
        output = answered(attn, keys_attended(attn, hidden_states, self.memory, self.layer))
        self.memory.keep_made(self.layer, output)
        return output

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


@contextmanager
def merged_attention(unet: UNet2DConditionModel, numbers: Sequence[int], states: StatesOf) -> Generator[KeyMemory]:
    """Inject token merging into the large self-attention layers of the UNet; on leaving, the old processors return.

    Yields the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order.
        states: the source's (`vedit.diffusion.adapters.source_states`).
    """
    memory = KeyMemory(places=key_places(numbers), count=len(numbers))
    merges = merges_of(numbers, memory.places, states)

    def make(layer: int, before: Processor) -> Processor:
        return MergingProcessor(layer, memory, merges[layer]) if layer in merges else before

    with in_self_attention(unet, make):
        try:
            yield memory
        finally:
            memory.clear()
