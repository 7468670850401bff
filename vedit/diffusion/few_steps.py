"""The steps and solvers of distilled models, in a few evaluations from noise to picture.

Trailing steps divide the schedule evenly from its noisiest timestep on (Lin et al. 2024, table 2), and Euler's step
along them ends clean. A consistency model (Luo et al. 2023, LCM; Zheng et al. 2024, TCD) leaps from every step to the
picture, or near it, and goes back under new noise: to where the noise is less each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import torch

from vedit.diffusion.distilled import from_timesteps
from vedit.diffusion.solvers import Prediction
from vedit.diffusion.trajectory import PreservingStep, PreservingTrajectory, ddim_scheduler, levels_of, prediction_of
from vedit.errors import SettingError

if TYPE_CHECKING:
    from vedit.diffusion.steps import Step

ORIGINAL_STEPS = 50
"""Of the distillation, where a scheduler's config says none."""
_SIGMA_DATA = 0.5
_TIMESTEP_SCALING = 10.0


def trailing_timesteps(train_steps: int, steps: int) -> tuple[int, ...]:
    """So many timesteps, evenly from the noisiest one on."""
    return tuple(int(t) for t in np.arange(train_steps, 0, -train_steps / steps).round() - 1)


def consistency_timesteps(
    train_steps: int, steps: int, *, strength: float = 1.0, original_steps: int = ORIGINAL_STEPS
) -> tuple[int, ...]:
    """So many timesteps of those that a consistency model was distilled on, evenly from the noisiest on.

    Args:
        train_steps: of the noise schedule.
        steps: of the sampling, at least 1.
        strength: (0, 1]: the part of the distillation's timesteps, from the clean end, in which they lie.
        original_steps: of the distillation.

    Raises:
        SettingError: there are not so many in that part.
    """
    there = int(original_steps * strength)
    if there < steps:
        raise SettingError(
            f"a strength of {strength:g} leaves {there} of the distillation's {original_steps} steps, fewer than the "
            f"{steps} that are asked for",
            remedy="give a higher strength or fewer steps",
        )
    stride = train_steps // original_steps
    # As diffusers lays them out: places among the noisiest first, rounded down.
    places = np.floor(np.linspace(0, there, num=steps, endpoint=False)).astype(int)
    return tuple(int((there - place) * stride - 1) for place in places)


def euler_path(config: Mapping[str, object], timesteps: Sequence[int]) -> PreservingTrajectory:
    """Euler's steps on the noise levels, which on a variance-preserving schedule are those of DDIM; they end clean.

    Raises:
        ValueError: the timesteps do not fall, or are none of the schedule.
    """
    return from_timesteps({**config, "set_alpha_to_one": True}, timesteps)


@dataclass(frozen=True, kw_only=True)
class LCM:
    """Multistep consistency sampling (Luo et al. 2023, algorithm 3): to the picture, and back under new noise."""

    prediction: Prediction
    timestep_scaling: float = _TIMESTEP_SCALING
    """How fast the consistency function leaves its boundary, where a clean latent is its own picture."""

    @property
    def name(self) -> str:
        """See `vedit.diffusion.solvers.Solver`."""
        return f"lcm {self.prediction} {self.timestep_scaling:g}"

    def cleaner(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """The picture's share at the step's clean end; `fresh` says how much noise comes on top."""
        picture, _ = picture_and_noise(x, output, step, self.prediction)
        scaled = step.level * self.timestep_scaling
        skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2)
        out = scaled / sqrt(scaled**2 + _SIGMA_DATA**2)
        return step.signal_cleaner * (out * picture + skip * x)

    def noisier(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """Raises ValueError: the way goes over new noise, so nothing leads back."""
        raise ValueError("steps of a consistency model cannot be inverted")

    def fresh(self, step: Step) -> float:
        """The share of new noise at the step's clean end."""
        return step.noise_cleaner


@dataclass(frozen=True, kw_only=True)
class BetweenStep(PreservingStep):
    """A step that goes down below its clean end, and back up to it under new noise."""

    alpha_between: float
    """Signal level at the lowest."""

    @property
    def facts(self) -> dict[str, object]:
        """See `vedit.diffusion.steps.Step`."""
        return {**super().facts, "alpha_between": self.alpha_between}


@dataclass(frozen=True, kw_only=True)
class TCD:
    """Strategic stochastic sampling (Zheng et al. 2024, algorithm 4); its steps are `BetweenStep`."""

    prediction: Prediction

    @property
    def name(self) -> str:
        """See `vedit.diffusion.solvers.Solver`."""
        return f"tcd {self.prediction}"

    def cleaner(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """The latent between, scaled to the step's clean end; `fresh` says how much noise comes on top."""
        between = _between(step)
        picture, noise = picture_and_noise(x, output, step, self.prediction)
        lowest = sqrt(between.alpha_between) * picture + sqrt(1 - between.alpha_between) * noise
        return sqrt(between.alpha_cleaner / between.alpha_between) * lowest

    def noisier(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """Raises ValueError: the way goes over new noise, so nothing leads back."""
        raise ValueError("steps of trajectory consistency distillation cannot be inverted")

    def fresh(self, step: Step) -> float:
        """The share of new noise at the step's clean end."""
        between = _between(step)
        return sqrt(max(1 - between.alpha_cleaner / between.alpha_between, 0.0))


def lcm_path(config: Mapping[str, object], timesteps: Sequence[int]) -> PreservingTrajectory:
    """The steps of a latent consistency model; the last one ends at the picture.

    Raises:
        ValueError: the timesteps do not fall, or are none of the schedule.
    """
    scaling = config.get("timestep_scaling", _TIMESTEP_SCALING)
    solver = LCM(
        prediction=prediction_of(ddim_scheduler(config)),
        timestep_scaling=float(scaling) if isinstance(scaling, (int, float)) else _TIMESTEP_SCALING,
    )
    return replace(euler_path(config, timesteps), solver=solver)


def tcd_path(config: Mapping[str, object], timesteps: Sequence[int], *, eta: float) -> PreservingTrajectory:
    """The steps of trajectory consistency distillation; the last one ends at the cleanest level of the schedule.

    Args:
        config: a diffusers scheduler's.
        timesteps: falling.
        eta: [0, 1]: how far a step goes below its clean end, and so how much noise is drawn anew; gamma in the paper.

    Raises:
        ValueError: the timesteps do not fall, or are none of the schedule.
    """
    plain = from_timesteps(config, timesteps)
    alphas = levels_of(ddim_scheduler(config))
    ends = [*timesteps[1:], 0]
    steps = [
        BetweenStep(
            index=step.index,
            count=step.count,
            level=step.level,
            alpha=step.alpha,
            alpha_cleaner=alphas[end],
            # Nothing is drawn behind the last step.
            alpha_between=alphas[end if end == 0 else int((1 - eta) * end)],
        )
        for step, end in zip(plain.steps, ends, strict=True)
    ]
    return PreservingTrajectory(solver=TCD(prediction=prediction_of(ddim_scheduler(config))), steps=tuple(steps))


def turned(noise: torch.Tensor, number: int) -> torch.Tensor:
    """Noise for a later step, uncorrelated to that of the others and moving as the first does.

    What lies in a cell stays there, so noise that goes with the picture's motion still does: the channels change
    places, and by turns their signs (Walsh's rows). C channels make C squared noises, of which no two are correlated
    where C is a power of 2, as it is of these autoencoders. Noises that many steps add up are another thing
    (`vedit.diffusion.ddpm_inversion.turned_noise`): these would gather in one channel.

    Args:
        noise: the first, standard normal, (T, C, h, w).
        number: 0 is the first itself.
    """
    channels = noise.shape[1]
    row = number // channels % channels
    signs = [1.0 - 2.0 * ((channel & row).bit_count() % 2) for channel in range(channels)]
    return noise.roll(number % channels, dims=1) * torch.tensor(signs).to(noise).view(1, -1, 1, 1)


def picture_and_noise(
    x: torch.Tensor, output: torch.Tensor, step: Step, prediction: Prediction
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model's raw output says of the clean picture and of the noise in x; all (T, C, h, w)."""
    if prediction == "v_prediction":
        return step.signal * x - step.noise * output, step.signal * output + step.noise * x
    return (x - step.noise * output) / step.signal, output


def _between(step: Step) -> BetweenStep:
    if not isinstance(step, BetweenStep):
        raise TypeError(f"a step of another solver: {type(step).__name__}")
    return step
