"""An attention method: each frame's self-attention sees the first frame beside the frame itself.

A cheaper relative of vedit's own, which shows the frame before as well.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.nn import functional as F

from vedit.models.attention import Together
from vedit.models.family import Model


class Seen:
    """The first frame's keys and values by layer, carried from one network call to the next."""

    def __init__(self) -> None:
        self.by_layer: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def clear(self) -> None:
        """The next call begins with the first frame again."""
        self.by_layer.clear()


class Processor:
    """A diffusers attention processor of one self-attention layer."""

    def __init__(self, layer: str, seen: Seen) -> None:
        self.layer, self.seen = layer, seen

    def __call__(self, attn: Any, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        """(T, L, D) -> (T, L, D)."""
        query, key, value = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        if self.layer not in self.seen.by_layer:
            self.seen.by_layer[self.layer] = (key[:1].clone(), value[:1].clone())
        first_key, first_value = self.seen.by_layer[self.layer]
        keys = torch.cat([key, first_key.expand_as(key)], 1)
        values = torch.cat([value, first_value.expand_as(value)], 1)
        query, keys, values = (one.unflatten(2, (attn.heads, -1)).transpose(1, 2) for one in (query, keys, values))
        mixed = F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2)
        for module in attn.to_out:
            mixed = module(mixed)
        return mixed


class FirstFrame:
    """A `vedit.models.attention.AttentionMethod`."""

    needs_flow = False
    cost = 0.95
    """Network evaluations, in those with vedit's own method."""

    def open(self, model: Model, together: Together) -> AbstractContextManager[Seen | None]:
        """The method in the UNet of a model for as long as the context lasts; a model without one stays as it is."""
        unet = getattr(model.denoiser, "unet", None)
        return nullcontext() if unet is None else _put_into(unet)


@contextmanager
def _put_into(unet: Any) -> Generator[Seen]:
    before, seen = dict(unet.attn_processors), Seen()
    unet.set_attn_processor({n: Processor(n, seen) if ".attn1." in n else one for n, one in before.items()})
    try:
        yield seen
    finally:
        unet.set_attn_processor(before)


first_frame = FirstFrame()
