"""Few-step regimes in a Stable Diffusion: their trajectories, and the guidance that some networks take as an input."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vedit.diffusion.few_steps import (
    ORIGINAL_STEPS,
    consistency_timesteps,
    euler_path,
    lcm_path,
    tcd_path,
    trailing_timesteps,
)
from vedit.diffusion.trajectory import ddim_scheduler, trajectory
from vedit.errors import SettingError
from vedit.models.regimes import guidance_input

if TYPE_CHECKING:
    from vedit.diffusion.trajectory import PreservingTrajectory
    from vedit.models.families.sd_networks import Networks
    from vedit.options.request import RestyleOptions
    from vedit.registry.regimes import Regime


def regime_path(
    config: Mapping[str, object], regime: Regime, *, steps: int, strength: float = 1.0
) -> PreservingTrajectory:
    """The steps of a regime that a strength regenerates, as diffusers' image-to-image pipelines lay them out.

    Args:
        config: of the model's scheduler: its noise levels and what its network predicts.
        regime: how it is sampled.
        steps: of the sampling in all.
        strength: [0, 1]; the part of the steps that is taken, or the level at which all of them begin.

    Raises:
        SettingError: for a strength or a number of steps out of range.
    """
    if not 0.0 <= strength <= 1.0:
        raise SettingError(f"strength must lie in [0, 1], got {strength:g}")
    if regime.solver == "ddim":
        return trajectory({**config, "timestep_spacing": "trailing"}, steps=steps, strength=strength)
    timesteps = _timesteps(config, regime, steps, strength)
    if regime.solver == "euler":
        return euler_path(config, timesteps)
    if regime.solver == "lcm":
        return lcm_path(config, timesteps)
    return tcd_path(config, timesteps, eta=regime.eta)


def _timesteps(config: Mapping[str, object], regime: Regime, steps: int, strength: float) -> tuple[int, ...]:
    train_steps = int(ddim_scheduler(config).config["num_train_timesteps"])
    taken = regime.taken(steps, strength)
    if not taken:
        return ()
    if regime.spacing == "trailing":
        return trailing_timesteps(train_steps, steps)[steps - taken :]
    original = config.get("original_inference_steps", ORIGINAL_STEPS)
    every = consistency_timesteps(
        train_steps,
        steps,
        strength=strength if regime.strength_is_level else 1.0,
        original_steps=original if isinstance(original, int) else ORIGINAL_STEPS,
    )
    return every[steps - taken :]


class GuidanceInput:
    """The scale of guidance given to a network that was distilled with it as an input (Meng et al. 2023); see
    `vedit.models.families.sd_networks.Adaptation`."""

    @contextmanager
    def encoding(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """It does not act on prompts."""
        yield

    @contextmanager
    def sampling(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """The denoiser with the look's scale."""
        before = model.denoiser.guidance_input
        model.denoiser.guidance_input = _scale(model, options)
        try:
            yield
        finally:
            model.denoiser.guidance_input = before

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """The scale."""
        scale = _scale(model, options)
        return {} if scale is None else {"guidance input": f"{scale:g}"}


def _scale(model: Networks, options: RestyleOptions) -> float | None:
    regime = model.traits.regime_of(options)
    return None if regime is None else guidance_input(regime, options)
