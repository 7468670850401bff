"""Attention methods over key frames and over what the source shows, as `vedit.models.attention` asks for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from vedit.diffusion.adapters.extended import extended_attention
from vedit.diffusion.adapters.flow_attention import flow_attention
from vedit.diffusion.adapters.source_states import frame_states
from vedit.diffusion.adapters.token_merging import merged_attention
from vedit.diffusion.adapters.tokenflow import tokenflow_attention
from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.diffusion.adapters.source_states import StatesOf
    from vedit.diffusion.conditioning import Memory
    from vedit.models.attention import Together
    from vedit.models.family import Model

# Costs: a thread's time of 16 frames at 256x256 in the embedded model; a twentieth of what opening takes is in it.
_FINEST = 50
"""Steps of the schedule at whose last level the source is looked at: hardly any noise."""


class Extended:
    """Each frame sees itself and key frames (`vedit.diffusion.adapters.extended`)."""

    needs_flow = False
    cost = 1.21

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory]:
        """See `vedit.models.attention.AttentionMethod.open`."""
        return _put_into(model, lambda unet: extended_attention(unet, together.numbers))


class TokenFlow:
    """Key frames attend, the others take from these (`vedit.diffusion.adapters.tokenflow`)."""

    needs_flow = False
    cost = 1.29

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory]:
        """See `vedit.models.attention.AttentionMethod.open`."""
        return _put_into(
            model, lambda unet: tokenflow_attention(unet, together.numbers, _source_states(unet, model, together))
        )


class Merging:
    """Most tokens of a frame take what is made of those of a key (`vedit.diffusion.adapters.token_merging`)."""

    needs_flow = False
    cost = 1.29

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory]:
        """See `vedit.models.attention.AttentionMethod.open`."""
        return _put_into(
            model, lambda unet: merged_attention(unet, together.numbers, _source_states(unet, model, together))
        )


class AlongFlow:
    """Each token sees those of earlier frames on its trajectory (`vedit.diffusion.adapters.flow_attention`)."""

    needs_flow = True
    cost = 1.37

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory]:
        """See `vedit.models.attention.AttentionMethod.open`."""
        flow = together.flow
        assert flow is not None  # made for a method that needs it
        return _put_into(model, lambda unet: flow_attention(unet, together.numbers, flow))


EXTENDED, TOKENFLOW, MERGING, ALONG_FLOW = Extended(), TokenFlow(), Merging(), AlongFlow()


def _put_into(model: Model, put: Callable[[Any], AbstractContextManager[Memory]]) -> AbstractContextManager[Memory]:
    """A method in a model's network. Raises InputError where that has no place for one, as the traits have said."""
    if model.adapters.self_attention is None:
        raise InputError(f"{model.name} has no self-attention that frames could see one another in")
    return model.adapters.self_attention(put)


def _source_states(unet: Any, model: Model, together: Together) -> StatesOf:
    """The source's states in a UNet, as it sees each clean frame by itself, without a prompt or controls."""
    level, prompt = model.schedule(steps=_FINEST).steps[-1].level, model.text("")

    def run(place: int) -> None:
        frame = together.frames[place : place + 1].to(model.device)
        model.denoiser(model.codec.encode(frame), level, prompt, ())

    return frame_states(unet, run)
