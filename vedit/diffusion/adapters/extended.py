"""Extended self-attention over key frames as an adapter: injected into a UNet, and taken out without a trace.

Every frame sees its own keys and values and those of the key frames, so that one set of them stands for a surface in
the whole window (extended attention: TokenFlow, Geyer et al. 2023, equation 3; Tune-A-Video, Wu et al. 2023, for two
frames). There all key frames see one another at once; here each sees those before it, so that they may be cut into
network calls anyhow (`vedit.diffusion.adapters.key_frames`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

import torch

from vedit.diffusion.adapters.key_frames import KeyMemory
from vedit.diffusion.adapters.self_attention import (
    SelfAttention,
    answered,
    attended,
    in_self_attention,
    projected,
    sparse,
    weight_of,
)

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class KeyedProcessor(SelfAttention):
    """diffusers attention processor of one self-attention layer; the batch axis is time, in the memory's order.

    Key frames see themselves and the keys before them; what becomes of the others is the method's.
    """

    keeps_made: ClassVar[bool] = False
    """Whether others take what the layer has made of the keys."""

    def __init__(self, layer: int, memory: KeyMemory) -> None:
        self.layer = layer
        self.memory = memory

    def attend(self, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """See `SelfAttention`."""
        places = self.memory.turn(self.layer, len(states))
        if not self.memory.is_key(places[0]):
            return self.others(attn, states, places)
        output = answered(attn, self._keys(attn, states))
        if self.keeps_made:
            self.memory.keep_made(self.layer, output)
        return output

    @abstractmethod
    def others(self, attn: Attention, states: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """What the layer makes of frames that are no keys, by their places: (T, L, D) -> (T, L, D)."""

    def _keys(self, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """Key frames (k, L, D), mixed (k, heads, L, D / heads); what others see of them is kept."""
        query, key, value = projected(attn, states)
        mixed: list[torch.Tensor] = []
        for one in range(len(states)):
            own = slice(one, one + 1)
            near = self.memory.kept.get(self.layer)
            mixed.append(_beside(query[own], key[own], value[own], near, attn.heads))
            self.memory.keep(self.layer, sparse(key[own]), sparse(value[own]))
        return torch.cat(mixed)


class ExtendedProcessor(KeyedProcessor):
    """Every other frame sees itself and all keys."""

    def others(self, attn: Attention, states: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """See `KeyedProcessor`."""
        query, key, value = projected(attn, states)
        return answered(attn, _beside(query, key, value, self.memory.kept[self.layer], attn.heads))


def _beside(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    near: Sequence[torch.Tensor] | None,
    heads: int,
) -> torch.Tensor:
    """Attention of frames (T, L, D) to themselves and to what is kept of others, keys and values (K, M, D)."""
    if near is None:
        return attended(query, key, value, heads)
    others = [one.flatten(0, 1).expand(len(key), -1, -1) for one in near]
    weight = weight_of(own=key.shape[1], near=near[0].shape[1], frames=len(near[0]), like=query)
    keys, values = (torch.cat([own, other], dim=1) for own, other in zip((key, value), others, strict=True))
    return attended(query, keys, values, heads, weight)


def extended_attention(unet: UNet2DConditionModel, numbers: Sequence[int]) -> AbstractContextManager[KeyMemory]:
    """Inject extended attention into every self-attention layer of the UNet; on leaving, the old processors return.

    Gives the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order.
    """
    memory = KeyMemory.of(numbers)
    return in_self_attention(unet, memory, lambda layer, _: ExtendedProcessor(layer, memory))
