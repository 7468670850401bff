"""Attention along the optical flow (FLATTEN, Cong et al. 2024) as an adapter: injected, and taken out without a trace.

After a frame's self-attention each of its tokens attends to the tokens of earlier frames on its trajectory, and to
itself: queries and keys are the layer's own, values what self-attention has made (section 3.3 of the paper). A token
that was not seen before stays as it is.

The paper lets all frames of a clip attend to one another before and along whole trajectories; here a frame sees itself,
and a trajectory leads back eight frames, so that frames come in network calls of any size. Trajectories are followed
back in parts of pixels (`vedit.diffusion.trajectories`), so that none has to be chosen where two lead to one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.adapters.self_attention import (
    SelfAttention,
    answered,
    attended,
    in_self_attention,
    projected,
    split,
)
from vedit.diffusion.trajectories import earlier_cells, halved_grid

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.types import OpticalFlow

REACH = 8
"""Frames of those that are sampled together that a trajectory leads back, and of the source over one step at most."""
Past = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(kw_only=True)
class FlowMemory:
    """Keys and mixed values (heads, L, D / heads) of the last frames, by layer, and the trajectories of the frames."""

    numbers: tuple[int, ...]
    flow: OpticalFlow
    past: dict[int, Past] = field(default_factory=dict[int, Past])
    """The newest frame last."""
    _done: dict[int, int] = field(default_factory=dict[int, int])
    _cells: dict[int, torch.Tensor] = field(default_factory=dict[int, torch.Tensor])

    def clear(self) -> None:
        """Forget the frames; the next call begins with the first one."""
        self.past.clear()
        self._done.clear()

    def turn(self, layer: int) -> int:
        """The place of the next frame of a layer."""
        place = self._done.get(layer, 0)
        self._done[layer] = place + 1
        return place

    def cells(self, tokens: int, place: int, device: torch.device) -> torch.Tensor:
        """(reach, L) on the device of the layers: where the tokens of a frame were, see `earlier_cells`."""
        if tokens not in self._cells:
            sides = (self.flow.backward.shape[-2], self.flow.backward.shape[-1])
            linked = [0 < after - before <= REACH for before, after in pairwise(self.numbers)]
            cells = earlier_cells(self.flow, halved_grid(sides, tokens), reach=REACH, linked=linked)
            self._cells[tokens] = cells.to(device)
        return self._cells[tokens][place]


class FlowProcessor(SelfAttention):
    """diffusers attention processor of one self-attention layer; the batch axis is time, in order."""

    def __init__(self, layer: int, memory: FlowMemory) -> None:
        self.layer = layer
        self.memory = memory

    def attend(self, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """See `SelfAttention`."""
        query, key, value = projected(attn, states)
        mixed = attended(query, key, value, attn.heads)
        queries, keys = split(query, attn.heads), split(key, attn.heads)
        frames = [self._along(*one) for one in zip(queries, keys, mixed, strict=True)]
        return answered(attn, torch.stack(frames))

    def _along(self, query: torch.Tensor, key: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """One frame, (heads, L, D / heads) each."""
        memory = self.memory
        past = memory.past.setdefault(self.layer, [])
        cells = memory.cells(key.shape[1], memory.turn(self.layer), key.device)[: len(past)]
        made = along_trajectories(query, (key, mixed), past[::-1], cells)
        # Copies, since these are parts of what all frames of a call have.
        past.append((key.clone(), mixed.clone()))
        del past[:-REACH]
        return made


def along_trajectories(
    query: torch.Tensor,
    own: tuple[torch.Tensor, torch.Tensor],
    past: Sequence[tuple[torch.Tensor, torch.Tensor]],
    cells: torch.Tensor,
) -> torch.Tensor:
    """Each token's attention to itself and to the earlier tokens on its trajectory: (heads, L, d).

    Args:
        query: (heads, L, d).
        own: keys and values of the frame, of the same shape.
        past: those of earlier frames, the last one first.
        cells: (frames, L), the token of each that is on the trajectory; negative where none is.
    """
    if not past:
        return own[1]
    there = cells.clamp(min=0)
    keys = torch.stack([own[0], *(one[0][:, at] for one, at in zip(past, there, strict=True))])
    values = torch.stack([own[1], *(one[1][:, at] for one, at in zip(past, there, strict=True))])
    # Sums of half precision are too coarse for a softmax.
    logits = (query.float() * keys.float()).sum(-1) / query.shape[-1] ** 0.5
    lost = torch.cat([torch.zeros_like(cells[:1]), cells]) < 0
    shares = logits.masked_fill(lost[:, None], float("-inf")).softmax(0)
    return (shares[..., None] * values.float()).sum(0).to(values)


def flow_attention(
    unet: UNet2DConditionModel, numbers: Sequence[int], flow: OpticalFlow
) -> AbstractContextManager[FlowMemory]:
    """Inject attention along the flow into every self-attention layer of the UNet; on leaving the old ones return.

    Gives the memory, whose `clear` is to be called before each pass over the frames.

    Args:
        unet: of diffusers.
        numbers: of the frames in the source, in their order; trajectories lead over none that lie far apart.
        flow: of all pairs.
    """
    memory = FlowMemory(numbers=tuple(numbers), flow=flow)
    return in_self_attention(unet, memory, lambda layer, _: FlowProcessor(layer, memory))
