"""Feature and attention injection (Plug-and-Play, Tumanyan et al. 2023): the source's states steer the target's.

While the target is sampled, the network also runs on the source at the same noise level, from the source's own
trajectory; what its decoder holds there takes the place of the target's own, up to a part of the sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.samplers import Denoise
    from vedit.diffusion.steps import Step
    from vedit.options.injection import Injection

NoisySource = Callable[["Step"], "torch.Tensor"]
"""The source's latents (T, C, h, w) at a step's noisy end."""


class FeatureInjection(Protocol):
    """What takes states out of a network and puts them in (`vedit.diffusion.adapters.injection.SourceStates`)."""

    def taking(self, *, features: bool, attention: bool) -> AbstractContextManager[None]:
        """For as long as the context lasts, the states of these kinds of every network call are held; what was held
        before goes."""
        ...

    def giving(self) -> AbstractContextManager[None]:
        """For as long as the context lasts, what is held takes the place of the network's own, call by call; in each
        pass over the frames the calls are those that it was taken from."""
        ...


def with_injection(
    target: Denoise, source: Denoise, states: FeatureInjection, source_at: NoisySource, injection: Injection
) -> Denoise:
    """A denoise function whose steps take over the source's states, guided or not, as long as the injection lasts.

    Args:
        target: bound to what is asked for.
        source: bound to what describes the source, without guidance; its frames are cut into calls as the target's.
        states: of the network of both.
        source_at: the source's own trajectory.
        injection: until when.
    """

    def denoise(x: torch.Tensor, step: Step) -> torch.Tensor:
        features, attention = step.active(0.0, injection.features), step.active(0.0, injection.attention)
        if not (features or attention):
            return target(x, step)
        with states.taking(features=features, attention=attention):
            source(source_at(step), step)
        with states.giving():
            return target(x, step)

    return denoise
