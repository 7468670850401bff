"""The networks of a Stable Diffusion as what a look brings changes them, and how such a kind of change is asked for.

`vedit.models.families.sd_adapters` lists the kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.adapters.image_prompts import PictureLayer
    from vedit.models.families.sd_codec import SDCodec
    from vedit.models.families.sd_denoiser import SDDenoiser
    from vedit.models.families.sd_text import SDTextEncoder
    from vedit.models.family import Traits
    from vedit.options.request import RestyleOptions


class ReadsPictures(Protocol):
    """What a look's references are read with (`vedit.models.families.sd_ip_adapter.IpAdapter`)."""

    @property
    def layers(self) -> Mapping[str, PictureLayer]: ...

    def facts(self, options: RestyleOptions) -> dict[str, str]:
        """What decides the frames of it."""
        ...


class Networks(Protocol):
    """The networks that can be changed: of `vedit.models.families.sd.SDModel`, whole."""

    @property
    def traits(self) -> Traits: ...

    @property
    def denoiser(self) -> SDDenoiser: ...

    @property
    def codec(self) -> SDCodec: ...

    @property
    def text(self) -> SDTextEncoder: ...

    @property
    def pictures(self) -> ReadsPictures | None:
        """What reads a look's references; None: nothing does."""
        ...

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
