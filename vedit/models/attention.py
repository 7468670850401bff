"""The seam of attention methods: how frames that are sampled together see one another in a model's network.

A method is found by its name (`vedit.registry.attention`, `--attention`) and opened on a model for frames of a shot;
when it is closed, the model is as it was. Importing this does not import torch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vedit.registry.attention import NONE, PLACED, attention_methods

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.conditioning import Memory
    from vedit.models.family import Model
    from vedit.options.request import RestyleOptions
    from vedit.types import OpticalFlow


@dataclass(frozen=True, kw_only=True)
class Together:
    """Frames that are sampled together, as the network sees them: in this order, the first one the anchor."""

    numbers: tuple[int, ...]
    """Of the frames in the source; the anchor's may lie anywhere, even in another shot."""
    frames: torch.Tensor
    """(T, 3, H, W) in [0, 1]."""
    flow: OpticalFlow | None = None
    """Of the T - 1 pairs, for a method that needs it."""


@runtime_checkable
class AttentionMethod(Protocol):
    """How frames that are sampled together see one another."""

    @property
    def needs_flow(self) -> bool:
        """Whether `Together.flow` is made for it."""
        ...

    @property
    def cost(self) -> float:
        """What an evaluation of the networks takes, in those with cross-frame attention: what estimates go by."""
        ...

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory | None]:
        """The method in the model's network for as long as the context lasts.

        The network is called with latents in the frames' order, in parts of any lengths. What is carried from one call
        to the next is the memory, which is cleared before each pass over the frames; None: nothing is. A model whose
        network has no place for the method is left as it is, or refused with an error of `vedit.errors`.
        """
        ...


class CrossFrame:
    """Each frame sees the one before it and the first (`vedit.diffusion.adapters.cross_frame`); a model that has no
    such adapter is left as it is."""

    needs_flow = False
    cost = 1.0

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory | None]:
        """See `AttentionMethod.open`."""
        adapter = model.adapters.cross_frame
        return nullcontext() if adapter is None else adapter()


class Alone:
    """Each frame sees itself alone: the network as it is."""

    needs_flow = False
    cost = 0.86
    """At standard quality a frame takes 1.37 s and not 1.54 s, of which 1.2 s are evaluations (`docs/embedded.md`)."""

    def open(self, model: Model, together: Together) -> AbstractContextManager[Memory | None]:
        """See `AttentionMethod.open`."""
        return nullcontext()


CROSS_FRAME, ALONE = CrossFrame(), Alone()


def load_attention(name: str) -> AttentionMethod:
    """Import an attention method by name. Raises InputError where it is unknown or cannot be loaded."""
    return attention_methods()[name].load_as(AttentionMethod, "attention method")


def attending(
    model: Model, options: RestyleOptions, numbers: tuple[int, ...], frames: torch.Tensor
) -> AbstractContextManager[Memory | None]:
    """The attention method of a look in a model for as long as the context lasts; gives the memory, if there is one.

    Args:
        model: whose network is used.
        options: of the look.
        numbers: of the frames in the source.
        frames: (T, 3, H, W) in [0, 1], those that are sampled together.
    """
    method = load_attention(model.traits.settled(options).attention_method)
    together = Together(numbers=numbers, frames=frames)
    if method.needs_flow:
        from vedit.flow.estimate import estimate_flow

        together = replace(together, flow=estimate_flow(frames))
    return method.open(model, together)


def attention_facts(options: RestyleOptions) -> dict[str, Any]:
    """What decides a look's frames of how they see one another, as JSON has it; of the methods that older versions had
    what these have said."""
    name = options.attention_method
    facts = name if name in PLACED else attention_methods()[name].facts
    return {"cross_frame": name != NONE, **({} if facts is None else {"attention": facts})}
