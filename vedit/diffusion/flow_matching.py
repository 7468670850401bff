"""Straight trajectories from noise to picture, as rectified-flow models are trained on (Liu et al. 2023).

A latent at sigma in [0, 1] is x = (1 - sigma) x0 + sigma epsilon, and the model predicts epsilon - x0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from vedit.diffusion.solvers import DDIM, Trajectory
from vedit.diffusion.steps import Step
from vedit.errors import SettingError

TRAIN_STEPS = 1000
"""What the denoiser is told is sigma times this, as diffusers' flow schedulers have it."""


@dataclass(frozen=True, kw_only=True)
class StraightStep(Step):
    """A step of a straight trajectory."""

    sigma: float
    """The noise's share at the noisy end, in (0, 1]."""
    sigma_cleaner: float
    """The noise's share at the clean end."""

    @property
    def signal(self) -> float:
        return 1 - self.sigma

    @property
    def noise(self) -> float:
        return self.sigma

    @property
    def signal_cleaner(self) -> float:
        return 1 - self.sigma_cleaner

    @property
    def noise_cleaner(self) -> float:
        return self.sigma_cleaner

    @property
    def facts(self) -> dict[str, object]:
        """What decides the step."""
        return {"index": self.index, "count": self.count, "sigma": self.sigma, "sigma_cleaner": self.sigma_cleaner}

    def ending_at(self, other: Step) -> StraightStep:
        """See `Step`."""
        if not isinstance(other, StraightStep):
            raise TypeError(f"a step of another schedule: {type(other).__name__}")
        return replace(self, sigma_cleaner=other.sigma)

    def turned(self) -> StraightStep:
        """See `Step`."""
        return replace(self, sigma=self.sigma_cleaner, sigma_cleaner=self.sigma)


def shifted(sigma: float, shift: float) -> float:
    """The level that a shift moves a level to (Esser et al. 2024, eq. 23): above 1 more steps go to the noisy end."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def straight(*, steps: int, strength: float = 1.0, shift: float = 1.0) -> Trajectory:
    """The last `int(steps * strength)` of `steps` even ones, moved by `shift`.

    Args:
        steps: at least 1.
        strength: [0, 1].
        shift: above 0; 1 leaves the levels even.

    Raises:
        SettingError: for a strength, a number of steps or a shift out of range.
    """
    if not 0.0 <= strength <= 1.0:
        raise SettingError(f"strength must lie in [0, 1], got {strength:g}")
    if steps < 1:
        raise SettingError(f"steps must be at least 1, got {steps}")
    if not 0 < shift < float("inf"):
        raise SettingError(f"shift must be above 0, got {shift:g}")
    levels = [shifted(1 - number / steps, shift) for number in range(steps)]
    return through([level * TRAIN_STEPS for level in levels[steps - min(int(steps * strength), steps) :]])


def through(levels: Sequence[float]) -> Trajectory:
    """Steps whose noisy ends are these levels, the noisiest first; the last one ends clean.

    Raises:
        ValueError: they do not fall within (0, 1000].
    """
    falling = [*levels, 0.0]
    if any(not later < level <= TRAIN_STEPS for level, later in pairwise(falling)):
        raise ValueError(f"levels must fall within (0, {TRAIN_STEPS}], got {list(levels)}")
    return Trajectory(
        solver=DDIM(prediction="flow_prediction"),
        steps=tuple(
            StraightStep(
                index=index,
                count=len(levels),
                level=level,
                sigma=level / TRAIN_STEPS,
                sigma_cleaner=later / TRAIN_STEPS,
            )
            for index, (level, later) in enumerate(pairwise(falling))
        ),
    )
