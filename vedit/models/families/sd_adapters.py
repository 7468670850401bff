"""What a look puts into the networks of a Stable Diffusion: each kind is a file of its own, and listed here.

A kind acts where the prompts are encoded, where the network samples, or in both, for as long as a context lasts;
afterwards the networks are what they were, to the last bit, whatever has happened within.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from vedit.models.families.sd_codec import SDCodec
    from vedit.models.families.sd_denoiser import SDDenoiser
    from vedit.models.families.sd_text import SDTextEncoder
    from vedit.options.request import RestyleOptions


class Networks(Protocol):
    """The networks that can be changed: of `vedit.models.families.sd.SDModel`, whole."""

    @property
    def denoiser(self) -> SDDenoiser: ...

    @property
    def codec(self) -> SDCodec: ...

    @property
    def text(self) -> SDTextEncoder: ...

    @property
    def device(self) -> torch.device: ...


class Adaptation(Protocol):
    """One kind of thing that looks put into networks (a LoRA, say)."""

    def encoding(self, model: Networks, options: RestyleOptions) -> AbstractContextManager[None]:
        """What of it acts while the prompts of a look are encoded."""
        return nullcontext()

    def sampling(self, model: Networks, options: RestyleOptions) -> AbstractContextManager[None]:
        """What of it acts while the look is sampled; the source is inverted without."""
        return nullcontext()

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """What decides the frames of it, by names of its own; nothing where the look has none of it."""
        return {}


ADAPTATIONS: tuple[Adaptation, ...] = ()
"""In the order in which they are entered."""


@contextmanager
def encoding(model: Networks, options: RestyleOptions) -> Generator[None]:
    """Everything that a look asks for, while its prompts are encoded."""
    with ExitStack() as stack:
        for one in ADAPTATIONS:
            stack.enter_context(one.encoding(model, options))
        yield


@contextmanager
def sampling(model: Networks, options: RestyleOptions) -> Generator[None]:
    """Everything that a look asks for, while it is sampled."""
    with ExitStack() as stack:
        for one in ADAPTATIONS:
            stack.enter_context(one.sampling(model, options))
        yield


def facts(model: Networks, options: RestyleOptions) -> dict[str, str]:
    """What decides the frames of all that a look asks for."""
    return {name: fact for one in ADAPTATIONS for name, fact in one.facts(model, options).items()}
