"""The noise levels a latent passes through, and the change between them, for DDIM (Song et al. 2021, eq. 12).

A variance-preserving latent at signal level `alpha` (diffusers' alphas_cumprod) is
x = sqrt(alpha) x0 + sqrt(1 - alpha) epsilon. Timesteps and levels come from diffusers' own `DDIMScheduler`, so that
whatever spacing a checkpoint's scheduler config asks for is the one used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, cos, sin, sqrt
from typing import Literal, cast

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from vedit.errors import ModelError, SettingError
from vedit.types import Latents

Prediction = Literal["epsilon", "v_prediction"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the trajectory, between the noise level of `timestep` and the next cleaner one."""

    index: int
    """Position in the full trajectory's sampling order: 0 is the noisiest step taken."""
    count: int
    """Steps taken in all."""
    timestep: int
    alpha: float
    """Signal level at `timestep`, in (0, 1)."""
    alpha_cleaner: float
    """Signal level at the step's clean end."""

    def active(self, start: float, end: float) -> bool:
        """Whether a control that acts over the fraction [start, end] of the sampling acts in this step."""
        return self.index / self.count >= start and (self.index + 1) / self.count <= end


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Steps in sampling order, noisiest first; empty at strength 0."""

    steps: tuple[Step, ...]
    prediction: Prediction


def trajectory(scheduler_config: Mapping[str, object], *, steps: int, strength: float = 1.0) -> Trajectory:
    """The last `int(steps * strength)` of `steps` DDIM steps, as diffusers' image-to-image pipelines count them.

    Args:
        scheduler_config: a diffusers scheduler's config (beta schedule, spacing, prediction type).
        steps: 1 to the number of training timesteps.
        strength: [0, 1].

    Raises:
        SettingError: for a strength or a number of steps out of range.
        ModelError: the scheduler's levels are no noise levels, or its prediction type is not epsilon or v.
    """
    if not 0.0 <= strength <= 1.0:
        raise SettingError(f"strength must lie in [0, 1], got {strength:g}")
    scheduler = ddim_scheduler(scheduler_config)
    train_steps = int(scheduler.config["num_train_timesteps"])
    if not 1 <= steps <= train_steps:
        raise SettingError(f"steps must lie in [1, {train_steps}], got {steps}")
    prediction, alphas = prediction_of(scheduler), levels_of(scheduler)
    scheduler.set_timesteps(steps)
    taken = scheduler.timesteps[steps - min(int(steps * strength), steps) :].tolist()
    stride = train_steps // steps
    return Trajectory(
        prediction=prediction,
        steps=tuple(
            Step(
                index=index,
                count=len(taken),
                timestep=t,
                alpha=alphas[t],
                alpha_cleaner=alphas[t - stride] if t >= stride else float(scheduler.final_alpha_cumprod),
            )
            for index, t in enumerate(taken)
        ),
    )


def ddim_scheduler(config: Mapping[str, object]) -> DDIMScheduler:
    """diffusers' DDIM scheduler of any scheduler's config; keys that DDIM does not have are ignored."""
    return cast("DDIMScheduler", DDIMScheduler.from_config(dict(config)))


def prediction_of(scheduler: DDIMScheduler) -> Prediction:
    """What the model's raw output is. Raises ModelError for what is not known here."""
    prediction = scheduler.config["prediction_type"]
    if prediction not in ("epsilon", "v_prediction"):
        raise ModelError(
            f"the scheduler's config has prediction_type {prediction!r}",
            remedy="use a model that predicts epsilon or v_prediction",
        )
    return prediction


def levels_of(scheduler: DDIMScheduler) -> list[float]:
    """The signal level of each training timestep. Raises ModelError where they do not fall from 1 towards 0."""
    levels: list[float] = scheduler.alphas_cumprod.tolist()
    ends = [1.0, *levels]
    # Level 0 (zero terminal SNR) says nothing to a model of epsilon, whose step would divide by it.
    lowest = 0.0 if prediction_of(scheduler) == "v_prediction" else 1e-12
    # Written so that NaN is refused.
    wrong = next((t for t, (before, level) in enumerate(pairwise(ends)) if not lowest <= level <= before), None)
    if wrong is not None or not 0 < float(scheduler.final_alpha_cumprod) <= 1:
        told = "no level behind the last step" if wrong is None else f"the level {levels[wrong]:g} at timestep {wrong}"
        raise ModelError(
            f"the scheduler's config makes no noise levels that fall from 1 towards 0: {told}",
            remedy="check its beta_start, beta_end, beta_schedule and trained_betas: SD 1.x has 0.00085 to 0.012",
        )
    return levels


def cleaner(x: torch.Tensor, output: torch.Tensor, step: Step, prediction: Prediction) -> torch.Tensor:
    """The DDIM step (eta 0): x at `step.alpha` and the model's raw output there -> x at `step.alpha_cleaner`."""
    if prediction == "v_prediction":
        angle = _angle(step.alpha) - _angle(step.alpha_cleaner)
        return cos(angle) * x - sin(angle) * output
    clean = (x - sqrt(1 - step.alpha) * output) / sqrt(step.alpha)
    return sqrt(step.alpha_cleaner) * clean + sqrt(1 - step.alpha_cleaner) * output


def noisier(x: torch.Tensor, output: torch.Tensor, step: Step, prediction: Prediction) -> torch.Tensor:
    """The inverse of `cleaner` for a given model output: x at `step.alpha_cleaner` -> x at `step.alpha`."""
    if prediction == "v_prediction":
        # In the angle form of v (Salimans & Ho 2022, app. D) a step is a rotation, so undoing it divides by a cosine
        # near 1; the epsilon form would divide by sqrt(alpha), which amplifies errors at the noisy end.
        angle = _angle(step.alpha) - _angle(step.alpha_cleaner)
        return (x + sin(angle) * output) / cos(angle)
    clean = (x - sqrt(1 - step.alpha_cleaner) * output) / sqrt(step.alpha_cleaner)
    return sqrt(step.alpha) * clean + sqrt(1 - step.alpha) * output


def add_noise(latents: Latents, noise: torch.Tensor, path: Trajectory) -> Latents:
    """Clean latents plus noise (T, C, h, w) at the trajectory's noisiest level; unchanged where it has no steps."""
    if not path.steps:
        return latents
    first = path.steps[0]
    return Latents(
        data=sqrt(first.alpha) * latents.data + sqrt(1 - first.alpha) * noise,
        timestep=first.timestep,
    )


def _angle(alpha: float) -> float:
    """phi with cos(phi) = sqrt(alpha), sin(phi) = sqrt(1 - alpha)."""
    return atan2(sqrt(1 - alpha), sqrt(alpha))
