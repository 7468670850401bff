"""Samplers and inversion: plain functions of a denoise function, latents and a trajectory.

`Denoise` is a model with its conditioning bound: (x at a step's noise level, step) -> the model's raw output,
guidance included. Both functions are generators: the caller owns progress, preview and cancelling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.solvers import Trajectory
from vedit.diffusion.steps import Step
from vedit.types import Latents

if TYPE_CHECKING:
    from vedit.diffusion.blending import LatentBlend

Denoise = Callable[[torch.Tensor, Step], torch.Tensor]
Take = Callable[[torch.Tensor, torch.Tensor, Step], torch.Tensor]
"""X at the noisy end of a step, and the model's raw output there -> x at its clean end."""
Fresh = Callable[[Step], torch.Tensor]
"""Standard normal noise (T, C, h, w) that is drawn anew behind a step."""


def sample(
    denoise: Denoise,
    latents: Latents,
    path: Trajectory,
    *,
    take: Take | None = None,
    keep: LatentBlend | None = None,
    fresh: Fresh | None = None,
) -> Iterator[Latents]:
    """Step by step as the trajectory's solver takes them: yields the latents after each, the last one clean.

    Args:
        denoise: bound to the conditioning of the look.
        latents: where the trajectory begins.
        path: the trajectory.
        take: takes the steps otherwise (`vedit.diffusion.ddpm_inversion.NoiseMaps.take`).
        keep: puts back, after each step, what is not to change (`vedit.diffusion.blending.blend_outside`).
        fresh: what is drawn behind a step, for solvers that do (`Solver.fresh`).

    Raises:
        ValueError: the solver draws noise, and there is none.
    """
    x = latents.data
    for step in path.steps:
        output = denoise(x, step)
        x = _led(x, output, step, path, fresh) if take is None else take(x, output, step)
        if keep is not None:
            x = keep(x, step)
        cleaner_steps = path.steps[step.index + 1 :]
        yield Latents(data=x, level=cleaner_steps[0].level if cleaner_steps else 0.0)


def _led(x: torch.Tensor, output: torch.Tensor, step: Step, path: Trajectory, fresh: Fresh | None) -> torch.Tensor:
    """X at the step's clean end as the trajectory's solver has it."""
    cleaner, share = path.solver.cleaner(x, output, step), path.solver.fresh(step)
    if not share:
        return cleaner
    if fresh is None:
        raise ValueError(f"the solver {path.solver.name} draws noise behind its steps")
    return cleaner + share * fresh(step).to(x)


def invert(denoise: Denoise, latents: Latents, path: Trajectory, *, fixed_point: int) -> Iterator[Latents]:
    """DDIM inversion with fixed-point refinement (Pan et al. 2023, AIDI; Garibi et al. 2024, ReNoise).

    A sampling step evaluates the model at its noisy end, which the inversion does not have yet: it solves
    x_noisy = noisier(x, model(x_noisy)) by iteration, and sampling under the same conditioning then retraces the
    inversion. Two things bring the iteration there in two or three evaluations where the plain one takes eight: it
    starts from the model's output of the step before, and it is accelerated (Anderson 1965, depth 1; Walker & Ni
    2011). With one evaluation this is DDIM inversion with that better start.

    Args:
        denoise: bound to the conditioning that describes the source, without guidance.
        latents: clean.
        path: the trajectory that will be sampled; it is walked from its clean end.
        fixed_point: model evaluations per step, at least 1.
    """
    if fixed_point < 1:
        raise ValueError(f"fixed-point iterations must be at least 1, got {fixed_point}")
    x = latents.data
    output: torch.Tensor | None = None
    for step in reversed(path.steps):
        noisy = x if output is None else path.solver.noisier(x, output, step)
        image, residual = noisy, torch.zeros_like(noisy)
        for iteration in range(fixed_point):
            output = denoise(noisy, step)
            last_image, last_residual = image, residual
            image = path.solver.noisier(x, output, step)
            residual = image - noisy
            noisy = image if iteration == 0 else _accelerated(image, residual, last_image, last_residual)
        x = noisy
        yield Latents(data=x, level=step.level)


def invert_plainly(denoise: Denoise, latents: Latents, path: Trajectory) -> Iterator[Latents]:
    """DDIM inversion (Song et al. 2021, section 4.3): the sampling's steps the other way.

    Each step takes the model's output at its clean end for the one at its noisy end, which sampling will use: an error
    of the order of the step, that `invert` solves away.

    Args:
        denoise: bound to the conditioning that describes the source, without guidance.
        latents: clean.
        path: the trajectory that will be sampled; it is walked from its clean end.
    """
    x = latents.data
    for step in reversed(path.steps):
        # The DDIM step is the same sum in either direction.
        x = path.solver.cleaner(x, denoise(x, step), step.turned())
        yield Latents(data=x, level=step.level)


def _accelerated(
    image: torch.Tensor, residual: torch.Tensor, last_image: torch.Tensor, last_residual: torch.Tensor
) -> torch.Tensor:
    """The mix of the last two images whose residual is smallest, for each frame on its own, (T, C, h, w)."""
    change = residual - last_residual
    share = (residual * change).sum((1, 2, 3), keepdim=True) / change.square().sum((1, 2, 3), keepdim=True).clamp_min(
        torch.finfo(change.dtype).tiny
    )
    # A share beyond 1 would extrapolate past what was evaluated.
    return image - share.clamp(-1, 1) * (image - last_image)
