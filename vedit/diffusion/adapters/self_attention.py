"""The self-attention of a UNet in parts, for adapters that let frames see one another in it.

What a frame sees of others lies behind its own tokens in keys and values. In large layers, where all of them would
multiply the cost of attention, a third of another frame's tokens stands for all, each counted three times.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.diffusion.conditioning import Memory

Remembers = TypeVar("Remembers", bound="Memory")
KeyValue = tuple[torch.Tensor, torch.Tensor]
Processor = Callable[..., torch.Tensor]
"""diffusers' attention processor: (layer, states (T, L, D)) -> (T, L, D)."""

STRIDE = 3
"""Of another frame's tokens every third is seen in large layers: odd, so that the columns seen shift by row."""
LARGE = 512
"""Tokens of a frame from which on a layer is large."""
_OWN = ".attn1."
"""In the names of self-attention layers."""


class SelfAttention(ABC):
    """diffusers attention processor of one self-attention layer; the batch axis is time."""

    @abstractmethod
    def attend(self, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """What the layer makes of the frames of a call: (T, L, D) -> (T, L, D)."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **_: object,
    ) -> torch.Tensor:
        """As diffusers calls it. Raises ValueError where a layer is asked for more than self-attention without a
        mask."""
        if encoder_hidden_states is not None or attention_mask is not None:
            raise ValueError("attention across frames replaces self-attention without a mask only")
        return self.attend(attn, hidden_states)


@contextmanager
def in_self_attention(
    unet: UNet2DConditionModel, memory: Remembers, make: Callable[[int, Processor], Processor]
) -> Generator[Remembers]:
    """Processors in every self-attention layer of a UNet for as long as the context lasts; then the old ones return.

    Yields the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        memory: that the processors share; it is emptied at the end.
        make: (number of the layer, its processor) -> the one that takes its place.
    """
    before = dict(unet.attn_processors)
    ours = {
        name: make(layer, cast("Processor", processor)) if _OWN in name else processor
        for layer, (name, processor) in enumerate(before.items())
    }
    # diffusers empties the dictionary that it is given.
    unet.set_attn_processor(ours)  # pyright: ignore[reportArgumentType]
    try:
        yield memory
    finally:
        unet.set_attn_processor(before)
        memory.clear()


def self_attention_layers(unet: UNet2DConditionModel) -> Iterator[tuple[int, torch.nn.Module]]:
    """The layers themselves, with the numbers that `in_self_attention` gives them."""
    for layer, name in enumerate(unet.attn_processors):
        if _OWN in name:
            yield layer, unet.get_submodule(name.removesuffix(".processor"))


def projected(attn: Attention, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values (T, L, D) of a layer's states."""
    # A self-attention layer has all three; diffusers types them for layers that lack some.
    to_k, to_v = (cast("torch.nn.Module", part) for part in (attn.to_k, attn.to_v))
    return attn.to_q(states), to_k(states), to_v(states)


def attended(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """(T, heads, L, D / heads): softmax attention of queries (T, L, D) over keys and values (T, M, D).

    Args:
        query, key, value: of the layer, before they are split among heads.
        heads: that there are.
        weight: added to the logits, as `weight_of` gives it.
    """
    return F.scaled_dot_product_attention(split(query, heads), split(key, heads), split(value, heads), attn_mask=weight)


def answered(attn: Attention, mixed: torch.Tensor) -> torch.Tensor:
    """What a layer makes of its mixed values: (T, heads, L, D / heads) -> (T, L, D)."""
    out = mixed.transpose(1, 2).flatten(2)
    for module in cast("Sequence[torch.nn.Module]", attn.to_out):
        out = module(out)
    return out


def sparse(states: torch.Tensor) -> torch.Tensor:
    """What other frames see of one, (T, L, D): all of a small layer, every third token of a large one."""
    return states[:, :: STRIDE if states.shape[1] >= LARGE else 1]


def weight_of(*, own: int, near: int, frames: int, like: torch.Tensor, whole: int | None = None) -> torch.Tensor | None:
    """Added to the logits so that other frames weigh as if all of their tokens were seen; None where they are.

    A token that stands for n others adds n times its share to the softmax, log n to its logit.

    Args:
        own: tokens that are seen of the frame itself, which come first.
        near: those that are seen of each other frame.
        frames: other frames that are seen.
        like: of the number format.
        whole: all tokens of a frame; None: as many as are seen of the frame itself.
    """
    whole = own if whole is None else whole
    if whole == near:
        return None
    weight = like.new_zeros(1, 1, 1, own + frames * near)
    weight[..., own:] = math.log(whole / near)
    return weight


def split(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(T, L, D) -> (T, heads, L, D / heads)."""
    return states.unflatten(2, (heads, -1)).transpose(1, 2)
