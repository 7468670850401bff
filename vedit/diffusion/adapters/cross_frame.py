"""Cross-frame self-attention as an adapter: injected into a UNet, and taken out without a trace.

Each frame's self-attention also sees the keys and values of the frame before it and of the shot's anchor frame
(Text2Video-Zero, Khachatryan et al. 2023; Pix2Video, Ceylan et al. 2023), so that what is invented for a surface
in one frame is found again in the next. In large layers, where that would triple the cost of attention, a third of
the neighbours' tokens stands for all of them, each counted three times in the softmax. Frames arrive in order in
network calls of any size: the keys and values of the anchor and of the last frame of a call are kept for the next
call, so what a frame attends to does not depend on the batch; only how its sums are rounded does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters.self_attention import (
    KeyValue,
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


@dataclass(kw_only=True)
class FrameMemory:
    """Keys and values carried from one network call to the next, by layer; emptied before the anchor's call."""

    anchor: dict[int, KeyValue] = field(default_factory=dict[int, KeyValue])
    previous: dict[int, KeyValue] = field(default_factory=dict[int, KeyValue])

    def clear(self) -> None:
        """Forget: the next call's first frame becomes the anchor."""
        self.anchor.clear()
        self.previous.clear()


class CrossFrameProcessor(SelfAttention):
    """diffusers attention processor of one self-attention layer; the batch axis is time, in order.

    The anchor is the first frame of the first call after `FrameMemory.clear`. It sees itself alone, so its states
    do not depend on which frames follow: every window of a shot computes the same anchor.
    """

    def __init__(self, layer: int, memory: FrameMemory) -> None:
        self.layer = layer
        self.memory = memory

    def attend(self, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """See `SelfAttention`."""
        query, key, value = projected(attn, states)
        memory, layer = self.memory, self.layer
        first = layer not in memory.anchor
        near_key, near_value = sparse(key), sparse(value)
        if first:
            memory.anchor[layer] = memory.previous[layer] = (near_key[:1].clone(), near_value[:1].clone())
        previous, anchor = memory.previous[layer], memory.anchor[layer]
        memory.previous[layer] = (near_key[-1:].clone(), near_value[-1:].clone())
        keys = _with_neighbours(key, near_key, previous[0], anchor[0])
        values = _with_neighbours(value, near_value, previous[1], anchor[1])
        heads = attn.heads
        weight = weight_of(own=key.shape[1], near=near_key.shape[1], frames=2, like=query)
        if first:
            alone = attended(query[:1], key[:1], value[:1], heads)
            mixed = torch.cat([alone, attended(query[1:], keys[1:], values[1:], heads, weight)])
        else:
            mixed = attended(query, keys, values, heads, weight)
        return answered(attn, mixed)


def cross_frame_attention(unet: UNet2DConditionModel) -> AbstractContextManager[FrameMemory]:
    """Inject cross-frame attention into every self-attention layer of the UNet; on leaving, the old processors return.

    Gives the memory; call its `clear` before the anchor's frame is run.
    """
    memory = FrameMemory()
    return in_self_attention(unet, memory, lambda layer, _: CrossFrameProcessor(layer, memory))


def _with_neighbours(
    own: torch.Tensor, near: torch.Tensor, previous: torch.Tensor, anchor: torch.Tensor
) -> torch.Tensor:
    """(T, L, D) -> (T, L + 2 M, D): own tokens, those seen of the frame before, those seen of the anchor.

    `near` (T, M, D) is what the frames' neighbours see of them, `previous` and `anchor` (1, M, D).
    """
    before = torch.cat([previous, near[:-1]])
    return torch.cat([own, before, anchor.expand_as(before)], dim=1)
