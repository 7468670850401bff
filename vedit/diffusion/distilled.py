"""Trajectories through timesteps that are given, for weights that were distilled for just these, and a way up them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from vedit.diffusion.noise import frame_noise
from vedit.diffusion.solvers import DDIM, Trajectory
from vedit.diffusion.steps import implied_noise, noised
from vedit.diffusion.trajectory import PreservingStep, PreservingTrajectory, ddim_scheduler, levels_of, prediction_of

if TYPE_CHECKING:
    from vedit.diffusion.samplers import Denoise

AROUND = 7
"""Latent cells along each side of the place over which noise is made whole."""
FLOOR = 0.1
"""Standard deviation of the found noise below which it counts for little; in photographs it is 0.1 to 1, mostly 0.3."""


def from_timesteps(scheduler_config: Mapping[str, object], timesteps: Sequence[int]) -> PreservingTrajectory:
    """Steps whose noisy ends are `timesteps`, the noisiest first; the last one ends clean.

    Args:
        scheduler_config: a diffusers scheduler's config (beta schedule, prediction type).
        timesteps: falling, each below the number of training timesteps; none make no steps.

    Raises:
        ValueError: for timesteps that do not fall or are out of range.
    """
    scheduler = ddim_scheduler(scheduler_config)
    alphas = levels_of(scheduler)
    if list(timesteps) != sorted(set(timesteps), reverse=True) or any(not 0 <= t < len(alphas) for t in timesteps):
        raise ValueError(f"timesteps must fall within [0, {len(alphas) - 1}], got {list(timesteps)}")
    ends = [*(alphas[t] for t in timesteps[1:]), float(scheduler.final_alpha_cumprod)]
    return PreservingTrajectory(
        solver=DDIM(prediction=prediction_of(scheduler)),
        steps=tuple(
            PreservingStep(index=index, count=len(timesteps), level=float(t), alpha=alphas[t], alpha_cleaner=end)
            for index, (t, end) in enumerate(zip(timesteps, ends, strict=False))
        ),
    )


def thinned(path: Trajectory, whole: Sequence[float], count: int) -> tuple[float, ...]:
    """Where an inversion in fewer steps stops: where `path` begins, then those of `count` even ones that lie below.

    Args:
        path: what is sampled; the last steps of the trajectory.
        whole: the levels of all of the trajectory, the noisiest first.
        count: stops of an inversion to its beginning, at most as many as it has steps.
    """
    even = [whole[number * len(whole) // count] for number in range(count)]
    return tuple(t for step in path.steps[:1] for t in (step.level, *(t for t in even if t < step.level)))


def aligned_to(stops: Trajectory, path: Trajectory) -> Trajectory:
    """Stops of an inversion, each counted as the step of the sampling that passes its noise level.

    A control that acts over a part of the sampling (`Step.active`) then acts at a stop as it does there, however few
    the stops are. A level that two steps share is the noisy end of the later one, which is evaluated there.

    Args:
        stops: none of them noisier than where `path` begins.
        path: what is sampled; with no steps where there are no stops.
    """
    count = len(path.steps)
    return replace(
        stops,
        steps=tuple(
            stop.counted(sum(step.level >= stop.level for step in path.steps) - 1, count) for stop in stops.steps
        ),
    )


def single_pass_inversion(denoise: Denoise, clean: torch.Tensor, path: Trajectory) -> torch.Tensor:
    """DDIM inversion in very few steps, each evaluated at its clean end (Song et al. 2021), with its noise made whole.

    A step that long finds the mean of the noises that there may be, which has a fraction of their variance and more of
    it where there is more to see; no sampler knows what to do with that. So the noise it implies is brought to mean 0
    and variance 1 around each cell; over the frame as a whole is not enough, smooth skies then come out cracked.
    Sampling does not retrace this, but the noise is the source's own detail and moves as the source moves. Where there
    is no detail, as in a black border, noise that is the same in every frame stands in: what is left of rounding and
    of the sensor would flicker.

    Args:
        denoise: bound to the conditioning that describes the source, without guidance.
        clean: latents (T, C, h, w).
        path: where it stops, at least twice: the network is evaluated at all levels but the noisiest.

    Returns:
        Latents at the path's noisiest level, (T, C, h, w).
    """
    x = clean
    for at, to in pairwise(reversed(path.steps)):
        # The DDIM step is the same sum in either direction.
        x = path.solver.cleaner(x, denoise(x, at), at.ending_at(to))
    end = path.steps[0]
    noise = implied_noise(x, clean, end)
    noise = noise - _around(noise)
    still = frame_noise(clean.shape[1:], seed=0, frames=[0]).to(noise)
    noise = (noise + FLOOR * still) / (_around(noise.square()) + FLOOR**2).sqrt()
    return noised(clean, noise, end)


def _around(values: torch.Tensor) -> torch.Tensor:
    """The mean around each cell, in each channel of each frame; beyond the border there is nothing."""
    return F.avg_pool2d(values, AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)
