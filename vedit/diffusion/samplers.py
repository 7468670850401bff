"""Samplers and inversion: plain functions of a denoise function, latents and a trajectory.

`Denoise` is a model with its conditioning bound: (x at a step's noise level, step) -> the model's raw output,
guidance included. Both functions are generators: the caller owns progress, preview and cancelling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from vedit.diffusion.trajectory import Step, Trajectory, cleaner, noisier
from vedit.types import Latents

Denoise = Callable[[torch.Tensor, Step], torch.Tensor]


def sample(denoise: Denoise, latents: Latents, path: Trajectory) -> Iterator[Latents]:
    """DDIM with eta 0 (Song et al. 2021, eq. 12): yields the latents after each step, the last one clean."""
    x = latents.data
    for step in path.steps:
        x = cleaner(x, denoise(x, step), step, path.prediction)
        cleaner_steps = path.steps[step.index + 1 :]
        yield Latents(data=x, timestep=cleaner_steps[0].timestep if cleaner_steps else 0)


def invert(denoise: Denoise, latents: Latents, path: Trajectory, *, fixed_point: int) -> Iterator[Latents]:
    """DDIM inversion with fixed-point refinement (Pan et al. 2023, AIDI; Garibi et al. 2024, ReNoise).

    A sampling step evaluates the model at its noisy end, which the inversion does not have yet: it solves
    x_noisy = noisier(x, model(x_noisy)) by iteration. One iteration, from x itself, is plain DDIM inversion; after
    a few, sampling under the same conditioning retraces the inversion.

    Args:
        denoise: bound to the conditioning that describes the source, without guidance.
        latents: clean.
        path: the trajectory that will be sampled; it is walked from its clean end.
        fixed_point: model evaluations per step, at least 1.
    """
    if fixed_point < 1:
        raise ValueError(f"fixed-point iterations must be at least 1, got {fixed_point}")
    x = latents.data
    for step in reversed(path.steps):
        noisy = x
        for _ in range(fixed_point):
            noisy = noisier(x, denoise(noisy, step), step, path.prediction)
        x = noisy
        yield Latents(data=x, timestep=step.timestep)
