"""The noise levels a latent passes through on a model's variance-preserving schedule (Song et al. 2021).

A variance-preserving latent at signal level `alpha` (diffusers' alphas_cumprod) is
x = sqrt(alpha) x0 + sqrt(1 - alpha) epsilon. Timesteps and levels come from diffusers' own `DDIMScheduler`, so that
whatever spacing a checkpoint's scheduler config asks for is the one used. Straight paths from noise to picture are in
`vedit.diffusion.flow_matching`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, cast

from vedit.diffusion.solvers import DDIM, Prediction, Trajectory
from vedit.diffusion.steps import Step
from vedit.errors import ModelError, SettingError

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler


@dataclass(frozen=True, kw_only=True)
class PreservingStep(Step):
    """A step of a variance-preserving trajectory; its level is the schedule's timestep."""

    alpha: float
    """Signal level at the noisy end, in [0, 1): 0 is pure noise, from which models of v alone can start (Lin et al.
    2024)."""
    alpha_cleaner: float
    """Signal level at the clean end."""

    @property
    def timestep(self) -> int:
        """Of the schedule at the noisy end."""
        return int(self.level)

    @property
    def signal(self) -> float:
        return sqrt(self.alpha)

    @property
    def noise(self) -> float:
        return sqrt(1 - self.alpha)

    @property
    def signal_cleaner(self) -> float:
        return sqrt(self.alpha_cleaner)

    @property
    def noise_cleaner(self) -> float:
        return sqrt(1 - self.alpha_cleaner)

    @property
    def facts(self) -> dict[str, object]:
        """What decides the step, by the names that units and inversions were kept under from the first version on."""
        return {
            "index": self.index,
            "count": self.count,
            "timestep": self.timestep,
            "alpha": self.alpha,
            "alpha_cleaner": self.alpha_cleaner,
        }

    def ending_at(self, other: Step) -> PreservingStep:
        """See `Step`."""
        if not isinstance(other, PreservingStep):
            raise TypeError(f"a step of another schedule: {type(other).__name__}")
        return replace(self, alpha_cleaner=other.alpha)

    def turned(self) -> PreservingStep:
        """See `Step`."""
        return replace(self, alpha=self.alpha_cleaner, alpha_cleaner=self.alpha)


@dataclass(frozen=True, kw_only=True)
class PreservingTrajectory(Trajectory):
    """A trajectory of such steps."""

    steps: tuple[PreservingStep, ...]


def trajectory(scheduler_config: Mapping[str, object], *, steps: int, strength: float = 1.0) -> PreservingTrajectory:
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
    return PreservingTrajectory(
        solver=DDIM(prediction=prediction),
        steps=tuple(
            PreservingStep(
                index=index,
                count=len(taken),
                level=float(t),
                alpha=alphas[t],
                alpha_cleaner=alphas[t - stride] if t >= stride else float(scheduler.final_alpha_cumprod),
            )
            for index, t in enumerate(taken)
        ),
    )


def ddim_scheduler(config: Mapping[str, object]) -> DDIMScheduler:
    """diffusers' DDIM scheduler of any scheduler's config; keys that DDIM does not have are ignored."""
    # A dry run does without diffusers, whose import takes seconds.
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

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
