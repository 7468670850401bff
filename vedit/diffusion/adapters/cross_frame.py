"""Cross-frame self-attention as an adapter: injected into a UNet, and taken out without a trace.

Each frame's self-attention also sees the keys and values of the frame before it and of the shot's anchor frame
(Text2Video-Zero, Khachatryan et al. 2023; Pix2Video, Ceylan et al. 2023), so that what is invented for a surface
in one frame is found again in the next. In large layers, where that would triple the cost of attention, a third of
the neighbours' tokens stands for all of them, each counted three times in the softmax. Frames arrive in order in
network calls of any size: the keys and values of the anchor and of the last frame of a call are kept for the next
call, so what a frame attends to does not depend on the batch; only how its sums are rounded does.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

KeyValue = tuple[torch.Tensor, torch.Tensor]

STRIDE = 3
"""Of the neighbours' tokens every third is seen in large layers: odd, so that the columns seen shift by row."""
LARGE = 512
"""Tokens of a frame from which on a layer is large."""


@dataclass(kw_only=True)
class FrameMemory:
    """Keys and values carried from one network call to the next, by layer; emptied before the anchor's call."""

    anchor: dict[int, KeyValue] = field(default_factory=dict[int, KeyValue])
    previous: dict[int, KeyValue] = field(default_factory=dict[int, KeyValue])

    def clear(self) -> None:
        """Forget: the next call's first frame becomes the anchor."""
        self.anchor.clear()
        self.previous.clear()


class CrossFrameProcessor:
    """diffusers attention processor of one self-attention layer; the batch axis is time, in order.

    The anchor is the first frame of the first call after `FrameMemory.clear`. It sees itself alone, so its states
    do not depend on which frames follow: every window of a shot computes the same anchor.
    """

    def __init__(self, layer: int, memory: FrameMemory) -> None:
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
        if encoder_hidden_states is not None or attention_mask is not None:
            raise ValueError("cross-frame attention replaces self-attention without a mask only")
        # A self-attention layer has all four; diffusers types them for layers that lack some.
        to_k, to_v, to_out = (cast("torch.nn.Module", part) for part in (attn.to_k, attn.to_v, attn.to_out))
        query, key, value = attn.to_q(hidden_states), to_k(hidden_states), to_v(hidden_states)
        memory, layer = self.memory, self.layer
        first = layer not in memory.anchor
        near_key, near_value = _sparse(key), _sparse(value)
        if first:
            memory.anchor[layer] = memory.previous[layer] = (near_key[:1].clone(), near_value[:1].clone())
        previous, anchor = memory.previous[layer], memory.anchor[layer]
        memory.previous[layer] = (near_key[-1:].clone(), near_value[-1:].clone())
        keys = _with_neighbours(key, near_key, previous[0], anchor[0])
        values = _with_neighbours(value, near_value, previous[1], anchor[1])
        heads = attn.heads
        query, keys, values = _split(query, heads), _split(keys, heads), _split(values, heads)
        weight = _weight(own=key.shape[1], neighbour=near_key.shape[1], like=query)
        if first:
            alone = F.scaled_dot_product_attention(query[:1], _split(key[:1], heads), _split(value[:1], heads))
            rest = F.scaled_dot_product_attention(query[1:], keys[1:], values[1:], attn_mask=weight)
            mixed = torch.cat([alone, rest])
        else:
            mixed = F.scaled_dot_product_attention(query, keys, values, attn_mask=weight)
        out = mixed.transpose(1, 2).flatten(2)
        for module in cast("torch.nn.ModuleList", to_out):
            out = module(out)
        return out


@contextmanager
def cross_frame_attention(unet: UNet2DConditionModel) -> Generator[FrameMemory]:
    """Inject cross-frame attention into every self-attention layer of the UNet; on leaving, the old processors return.

    Yields the memory; call its `clear` before the anchor's frame is run.
    """
    before = dict(unet.attn_processors)
    memory = FrameMemory()
    ours = {
        name: CrossFrameProcessor(layer, memory) if ".attn1." in name else processor
        for layer, (name, processor) in enumerate(before.items())
    }
    # diffusers empties the dictionary that it is given.
    unet.set_attn_processor(ours)  # pyright: ignore[reportArgumentType]
    try:
        yield memory
    finally:
        unet.set_attn_processor(before)
        memory.clear()


def _sparse(states: torch.Tensor) -> torch.Tensor:
    """What a frame's neighbours see of it, (T, L, D): all of a small layer, every third token of a large one."""
    return states[:, :: STRIDE if states.shape[1] >= LARGE else 1]


def _weight(*, own: int, neighbour: int, like: torch.Tensor) -> torch.Tensor | None:
    """Added to the logits so that neighbours weigh as if all of their tokens were seen; None where they are.

    A token that stands for n others adds n times its share to the softmax, log n to its logit.
    """
    if own == neighbour:
        return None
    weight = like.new_zeros(1, 1, 1, own + 2 * neighbour)
    weight[..., own:] = math.log(own / neighbour)
    return weight


def _with_neighbours(
    own: torch.Tensor, near: torch.Tensor, previous: torch.Tensor, anchor: torch.Tensor
) -> torch.Tensor:
    """(T, L, D) -> (T, L + 2 M, D): own tokens, those seen of the frame before, those seen of the anchor.

    `near` (T, M, D) is what the frames' neighbours see of them, `previous` and `anchor` (1, M, D).
    """
    before = torch.cat([previous, near[:-1]])
    return torch.cat([own, before, anchor.expand_as(before)], dim=1)


def _split(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(T, L, D) -> (T, heads, L, D / heads)."""
    return states.unflatten(2, (heads, -1)).transpose(1, 2)
