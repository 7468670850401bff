"""Extended self-attention over key frames as an adapter: injected into a UNet, and taken out without a trace.

Every frame sees its own keys and values and those of the key frames, so that one set of them stands for a surface in
the whole window (extended attention: TokenFlow, Geyer et al. 2023, equation 3; Tune-A-Video, Wu et al. 2023, for two
frames). There all key frames see one another at once; here each sees those before it, so that they may be cut into
network calls anyhow (`vedit.diffusion.adapters.key_frames`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters.key_frames import KeyMemory, key_places
from vedit.diffusion.adapters.self_attention import (
    answered,
    attended,
    check_plain,
    in_self_attention,
    projected,
    sparse,
    weight_of,
)

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class ExtendedProcessor:
    """diffusers attention processor of one self-attention layer; the batch axis is time, in the memory's order."""

    def __init__(self, layer: int, memory: KeyMemory) -> None:
        self.layer = layer
        self.memory = memory

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
        if self.memory.is_key(called[0]):
            return answered(attn, keys_attended(attn, hidden_states, self.memory, self.layer))
        query, key, value = projected(attn, hidden_states)
        near = self.memory.kept[self.layer]
        return answered(attn, _beside(query, key, value, near, attn.heads))


def keys_attended(attn: Attention, states: torch.Tensor, memory: KeyMemory, layer: int) -> torch.Tensor:
    """Key frames (k, L, D) that see themselves and the keys before them, mixed (k, heads, L, D / heads); what others
    see of them is kept."""
    query, key, value = projected(attn, states)
    mixed: list[torch.Tensor] = []
    for one in range(len(states)):
        own = slice(one, one + 1)
        near = memory.kept.get(layer)
        mixed.append(_beside(query[own], key[own], value[own], near, attn.heads))
        memory.keep(layer, sparse(key[own]), sparse(value[own]))
    return torch.cat(mixed)


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


@contextmanager
def extended_attention(unet: UNet2DConditionModel, numbers: Sequence[int]) -> Generator[KeyMemory]:
    """Inject extended attention into every self-attention layer of the UNet; on leaving, the old processors return.

    Yields the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order.
    """
    memory = KeyMemory(places=key_places(numbers), count=len(numbers))
    with in_self_attention(unet, lambda layer, _: ExtendedProcessor(layer, memory)):
        try:
            yield memory
        finally:
            memory.clear()
