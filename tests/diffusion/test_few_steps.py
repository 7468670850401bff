"""The steps of distilled models, beside those of diffusers' schedulers, and the noise that they draw on their way."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler

from vedit.diffusion.few_steps import consistency_timesteps, lcm_path, tcd_path, trailing_timesteps, turned
from vedit.diffusion.samplers import sample
from vedit.errors import SettingError
from vedit.types import Latents

CONFIG: dict[str, object] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize("steps", range(1, 13))
def test_trailing_timesteps_are_those_of_diffusers(steps: int) -> None:
    peer = EulerDiscreteScheduler(timestep_spacing="trailing")
    peer.set_timesteps(steps)
    assert trailing_timesteps(1000, steps) == tuple(int(t) for t in peer.timesteps)


@pytest.mark.parametrize("strength", [1.0, 0.7, 0.5, 0.3])
@pytest.mark.parametrize("steps", [1, 3, 4, 8])
def test_timesteps_of_consistency_are_those_of_diffusers(steps: int, strength: float) -> None:
    peer = LCMScheduler()
    peer.set_timesteps(steps, strength=strength)
    assert consistency_timesteps(1000, steps, strength=strength) == tuple(peer.timesteps.tolist())


def test_more_steps_than_a_strength_leaves_are_refused() -> None:
    with pytest.raises(
        SettingError, match=r"a strength of 0\.1 leaves 5 of the distillation's 50 steps, fewer than the 8"
    ):
        consistency_timesteps(1000, 8, strength=0.1)


def test_noise_of_later_steps_is_white_and_of_no_other_step() -> None:
    first = torch.randn(1, 4, 128, 128, generator=torch.Generator().manual_seed(0))
    drawn = [turned(first, number) for number in range(16)]
    assert torch.equal(drawn[0], first)
    for one in drawn:
        assert one.std() == pytest.approx(float(first.std()), abs=1e-4)
    for one, other in combinations(drawn, 2):
        assert abs(float((one * other).mean())) < 0.02
    # It is turned in its channels alone, so noise that is shifted with the picture stays so.
    moved = first.roll(3, dims=3)
    assert all(torch.equal(turned(moved, number), one.roll(3, dims=3)) for number, one in enumerate(drawn))


def test_the_way_of_consistency_models_does_not_lead_back() -> None:
    x = torch.zeros(1, 4, 2, 2)
    for path in (lcm_path(CONFIG, (999, 499)), tcd_path(CONFIG, (999, 499), eta=0.3)):
        with pytest.raises(ValueError, match="cannot be inverted"):
            path.solver.noisier(x, x, path.steps[0])
        assert [path.solver.fresh(step) > 0 for step in path.steps] == [True, False]
        with pytest.raises(ValueError, match="draws noise behind its steps"):
            list(sample(lambda x, _: x, Latents(data=x), path))


def test_all_of_the_noise_is_drawn_anew_at_eta_1_and_none_at_eta_0() -> None:
    (step, _) = tcd_path(CONFIG, (999, 499), eta=0.0).steps
    assert tcd_path(CONFIG, (999, 499), eta=0.0).solver.fresh(step) == 0
    path = tcd_path(CONFIG, (999, 499), eta=1.0)
    # From the cleanest level of the schedule up.
    assert path.solver.fresh(path.steps[0]) == pytest.approx(path.steps[0].noise_cleaner, abs=2e-3)
