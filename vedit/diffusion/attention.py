"""Cross-frame self-attention as an adapter: injected into a UNet, and taken out without a trace.

Each frame's self-attention also sees the keys and values of the frame before it and of the shot's anchor frame
(Text2Video-Zero, Khachatryan et al. 2023; Pix2Video, Ceylan et al. 2023), so that what is invented for a surface
in one frame is found again in the next. Frames arrive in order in network calls of any size: the keys and values of
the anchor and of the last frame of a call are kept for the next call, so the result does not depend on the batch.
"""

from __future__ import annotations

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
        if layer not in memory.anchor:
            memory.anchor[layer] = memory.previous[layer] = (key[:1].clone(), value[:1].clone())
        keys = _with_neighbours(key, memory.previous[layer][0], memory.anchor[layer][0])
        values = _with_neighbours(value, memory.previous[layer][1], memory.anchor[layer][1])
        memory.previous[layer] = (key[-1:].clone(), value[-1:].clone())
        heads = attn.heads
        mixed = F.scaled_dot_product_attention(_split(query, heads), _split(keys, heads), _split(values, heads))
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


def _with_neighbours(own: torch.Tensor, previous: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
    """(T, L, D) -> (T, 3 L, D): own tokens, those of the frame before, those of the anchor."""
    before = torch.cat([previous, own[:-1]])
    return torch.cat([own, before, anchor.expand_as(own)], dim=1)


def _split(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(T, L, D) -> (T, heads, L, D / heads)."""
    return states.unflatten(2, (heads, -1)).transpose(1, 2)
