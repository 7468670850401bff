"""The steps of a sampling, whatever the schedule: where on the way from noise to picture each begins and ends.

A latent at a noise level is x = signal * clean + noise * epsilon. On a variance-preserving schedule
(`vedit.diffusion.trajectory`) the squares of the two sum to 1, on a straight one (`vedit.diffusion.flow_matching`) they
sum to 1 themselves.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a trajectory, between a noise level and the next cleaner one."""

    index: int
    """Position in the full trajectory's sampling order: 0 is the noisiest step taken."""
    count: int
    """Steps taken in all."""
    level: float
    """The noise level at the noisy end as the model's denoiser is told it, in the units of its schedule; it grows with
    the noise."""

    @property
    @abstractmethod
    def signal(self) -> float:
        """The picture's share at the noisy end."""

    @property
    @abstractmethod
    def noise(self) -> float:
        """The noise's share at the noisy end."""

    @property
    @abstractmethod
    def signal_cleaner(self) -> float:
        """The picture's share at the clean end."""

    @property
    @abstractmethod
    def noise_cleaner(self) -> float:
        """The noise's share at the clean end."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, object]:
        """What decides the step, JSON-able: part of the name of what is kept on disk."""

    @abstractmethod
    def ending_at(self, other: Step) -> Self:
        """A step from this one's noisy end to another's. Raises TypeError for one of another schedule."""

    @abstractmethod
    def turned(self) -> Self:
        """The same step the other way: from its clean end to its noisy end."""

    def counted(self, index: int, count: int) -> Self:
        """The same, counted otherwise."""
        return replace(self, index=index, count=count)

    def active(self, start: float, end: float) -> bool:
        """Whether a control that acts over the fraction [start, end] of the sampling acts in this step."""
        return self.index / self.count >= start and (self.index + 1) / self.count <= end


def noised(clean: torch.Tensor, noise: torch.Tensor, step: Step) -> torch.Tensor:
    """A clean latent under noise at the step's noisy end; all (T, C, h, w)."""
    return step.signal * clean + step.noise * noise


def noised_behind(clean: torch.Tensor, noise: torch.Tensor, step: Step) -> torch.Tensor:
    """The same at the step's clean end."""
    return step.signal_cleaner * clean + step.noise_cleaner * noise


def implied_noise(noisy: torch.Tensor, clean: torch.Tensor, step: Step) -> torch.Tensor:
    """The noise that would make `clean` at the step's noisy end `noisy`; all (T, C, h, w)."""
    return (noisy - step.signal * clean) / step.noise
