"""Solvers: how a step is taken with the model's raw output, whatever the model predicts; and what they walk along."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, sin
from typing import TYPE_CHECKING, Literal, Protocol

from vedit.diffusion.steps import noised
from vedit.types import Latents

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.steps import Step

Prediction = Literal["epsilon", "v_prediction", "flow_prediction"]
"""A model's raw output, in diffusers' words: the noise; v = signal * noise - noise's share * picture on a
variance-preserving schedule (Salimans & Ho 2022); noise - picture on a straight one (Liu et al. 2023)."""


class Solver(Protocol):
    """Takes steps with the model's raw output at their noisy ends; x and output (T, C, h, w)."""

    @property
    def name(self) -> str:
        """Part of the name of what is kept on disk."""
        ...

    def cleaner(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """X at the noisy end of the step, and the output there -> x at its clean end."""
        ...

    def noisier(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """The inverse of `cleaner` for a given output: x at the clean end -> x at the noisy end."""
        ...

    def fresh(self, step: Step) -> float:
        """The share of noise that is drawn anew at the step's clean end and comes on top of `cleaner`; 0 is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class DDIM:
    """DDIM with eta 0 (Song et al. 2021, eq. 12): picture and noise stay what the output says, their shares change.

    On a straight schedule this is Euler's step along the velocity (Liu et al. 2023).
    """

    prediction: Prediction

    @property
    def name(self) -> str:
        """The prediction: units of the first version know DDIM by it."""
        return self.prediction

    def parts(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """The picture and the noise that the output at the step's noisy end says, x being signal * picture + noise's
        share * noise."""
        if self.prediction == "v_prediction":
            return step.signal * x - step.noise * output, step.noise * x + step.signal * output
        if self.prediction == "flow_prediction":
            return x - step.noise * output, x + step.signal * output
        return (x - step.noise * output) / step.signal, output

    def cleaner(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """See `Solver`."""
        if self.prediction == "v_prediction":
            angle = _angle(step.signal, step.noise) - _angle(step.signal_cleaner, step.noise_cleaner)
            return cos(angle) * x - sin(angle) * output
        if self.prediction == "flow_prediction":
            return x + (step.noise_cleaner - step.noise) * output
        clean = (x - step.noise * output) / step.signal
        return step.signal_cleaner * clean + step.noise_cleaner * output

    def noisier(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """See `Solver`."""
        if self.prediction == "v_prediction":
            # In the angle form of v (Salimans & Ho 2022, app. D) a step is a rotation, so undoing it divides by a
            # cosine near 1; the epsilon form would divide by the signal, which amplifies errors at the noisy end.
            angle = _angle(step.signal, step.noise) - _angle(step.signal_cleaner, step.noise_cleaner)
            return (x + sin(angle) * output) / cos(angle)
        if self.prediction == "flow_prediction":
            return x + (step.noise - step.noise_cleaner) * output
        clean = (x - step.noise_cleaner * output) / step.signal_cleaner
        return step.signal * clean + step.noise * output

    def fresh(self, step: Step) -> float:
        """None: the way is the same back and forth."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Steps in sampling order, noisiest first; empty at strength 0."""

    steps: tuple[Step, ...]
    solver: Solver
    """How a step is taken."""


def add_noise(latents: Latents, noise: torch.Tensor, path: Trajectory) -> Latents:
    """Clean latents plus noise (T, C, h, w) at the trajectory's noisiest level; unchanged where it has no steps."""
    if not path.steps:
        return latents
    first = path.steps[0]
    return Latents(data=noised(latents.data, noise, first), level=first.level)


def _angle(signal: float, noise: float) -> float:
    """phi with cos(phi) = signal, sin(phi) = noise."""
    return atan2(noise, signal)
