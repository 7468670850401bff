"""What a look puts into the networks of a Stable Diffusion: each kind is a file of its own, and listed here.

A kind acts where the prompts are encoded, where the network samples, or in both, for as long as a context lasts;
afterwards the networks are what they were, to the last bit, whatever has happened within.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vedit.models.families.sd_freeu import FREEU
from vedit.models.families.sd_ip_adapter import PicturePrompts
from vedit.models.families.sd_loras import LORAS
from vedit.models.families.sd_reading import READING
from vedit.models.families.sd_regimes import GuidanceInput

if TYPE_CHECKING:
    from vedit.models.families.sd_networks import Adaptation, Networks
    from vedit.options.request import RestyleOptions

ADAPTATIONS: tuple[Adaptation, ...] = (LORAS, READING, FREEU, GuidanceInput(), PicturePrompts())
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
