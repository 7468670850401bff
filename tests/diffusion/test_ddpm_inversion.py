"""Edit-friendly DDPM inversion: against a loop of diffusers' own scheduler, its round trip, and its noise."""

from __future__ import annotations

from math import sqrt
from typing import Any, cast

import pytest
import torch

from vedit.diffusion.ddpm_inversion import (
    NoiseMaps,
    deviation,
    level_noise,
    noise_maps,
    noised_levels,
    stochastic,
    turned_noise,
)
from vedit.diffusion.flow_matching import straight
from vedit.diffusion.noise import frame_noise
from vedit.diffusion.samplers import Denoise, sample
from vedit.diffusion.solvers import Trajectory
from vedit.diffusion.steps import Step
from vedit.diffusion.trajectory import ddim_scheduler, trajectory
from vedit.errors import ModelError
from vedit.types import Latents

SHAPE = (4, 6, 8)
CONFIG: dict[str, object] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
}


def network(seed: int) -> Denoise:
    """A model that mixes channels, bends them, and knows the level."""
    weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed)) * 0.4
    return lambda x, step: torch.einsum("ij,tjhw->tihw", weight, x).tanh() + step.level / 1000


def clean(frames: int = 3) -> torch.Tensor:
    return torch.randn(frames, *SHAPE, generator=torch.Generator().manual_seed(7))


def inverted(path: Trajectory, source: torch.Tensor, denoise: Denoise) -> tuple[torch.Tensor, NoiseMaps]:
    levels = noised_levels(source, level_noise(SHAPE, path), path)
    found = list(noise_maps(denoise, levels, path))
    return levels[-1], NoiseMaps(solver=stochastic(path), added=tuple(reversed(found)))


def resampled(path: Trajectory, begun: torch.Tensor, maps: NoiseMaps, denoise: Denoise) -> torch.Tensor:
    *_, last = sample(denoise, Latents(data=begun), path, take=maps.take)
    return last.data


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_an_edit_equals_the_schedulers_own_steps(prediction: str, spacing: str) -> None:
    """The paper's algorithm written with `DDIMScheduler.step` at eta 1: the maps of one model, sampled with another."""
    config = {**CONFIG, "prediction_type": prediction, "timestep_spacing": spacing, "set_alpha_to_one": False}
    path, scheduler = trajectory(config, steps=8, strength=0.75), ddim_scheduler(config)
    scheduler.set_timesteps(8)
    timesteps, source = scheduler.timesteps[2:], clean()
    noise = level_noise(SHAPE, path)
    levels = [
        scheduler.add_noise(source, eps.expand_as(source), cast("Any", t[None]))
        for eps, t in zip(noise, timesteps, strict=True)
    ]
    own, other = network(1), network(2)
    none = torch.zeros_like(source)

    def step(x: torch.Tensor, model: Denoise, index: int, z: torch.Tensor) -> torch.Tensor:
        output = model(x, path.steps[index])
        return scheduler.step(output, int(timesteps[index]), x, eta=1.0, variance_noise=z, return_dict=False)[0]

    maps: list[torch.Tensor] = []
    for index, noisy in enumerate(levels):
        cleaner = levels[index + 1] if index + 1 < len(levels) else source
        spread = step(noisy, own, index, none + 1) - step(noisy, own, index, none)
        maps.append((cleaner - step(noisy, own, index, none)) / spread)
    expected = levels[0]
    for index, z in enumerate(maps):
        expected = step(expected, other, index, z)
    begun, found = inverted(path, source, own)
    torch.testing.assert_close(resampled(path, begun, found, other), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("final_one", [False, True])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow_prediction"])
def test_under_its_own_description_the_source_comes_back(prediction: str, final_one: bool) -> None:
    """Whole, also where the last step adds no noise: only its map can give the rest."""
    config = {**CONFIG, "prediction_type": prediction, "set_alpha_to_one": final_one}
    path = straight(steps=6, strength=0.7) if prediction == "flow_prediction" else trajectory(config, steps=6)
    begun, maps = inverted(path, clean(), network(1))
    torch.testing.assert_close(resampled(path, begun, maps, network(1)), clean(), rtol=0, atol=1e-5)
    assert float((resampled(path, begun, maps, network(2)) - clean()).abs().mean()) > 1e-2


def test_zero_terminal_snr_has_maps_too() -> None:
    """The noisiest level holds nothing of the picture, and nothing is divided by it."""
    config = {
        **CONFIG,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
    path = trajectory(config, steps=5)
    assert path.steps[0].signal < 1e-4
    begun, maps = inverted(path, clean(), network(1))
    torch.testing.assert_close(resampled(path, begun, maps, network(1)), clean(), rtol=0, atol=1e-4)


def test_the_deviation_is_ddpms() -> None:
    """Ho et al. 2020, section 3.2: the posterior's variance, in alphas."""
    path = trajectory({**CONFIG, "prediction_type": "epsilon", "set_alpha_to_one": False}, steps=10)
    for step in path.steps:
        alpha, cleaner = step.alpha, step.alpha_cleaner
        expected = sqrt((1 - cleaner) / (1 - alpha) * (1 - alpha / cleaner))
        assert deviation(step) == pytest.approx(expected, rel=1e-9)


def test_the_noise_is_of_the_level_alone() -> None:
    """Whatever the strength; all frames have the same, and no two levels share any."""
    config = {**CONFIG, "prediction_type": "epsilon"}
    whole, part = trajectory(config, steps=4), trajectory(config, steps=4, strength=0.5)
    all_of = level_noise(SHAPE, whole)
    assert all(map(torch.equal, level_noise(SHAPE, part), all_of[2:]))
    flat = torch.stack([level.flatten() for level in all_of])
    assert float((torch.corrcoef(flat) - torch.eye(len(flat))).abs().max()) < 0.3
    still = clean(1).expand(3, -1, -1, -1)
    assert all(torch.equal(level, level[:1].expand_as(level)) for level in noised_levels(still, all_of, whole))


def test_turned_noise_stays_in_its_place_and_adds_up_to_nothing() -> None:
    noise = frame_noise((4, 32, 32), seed=3, frames=[0, 1])
    levels = turned_noise(noise, 3, 40)
    for one in levels:
        torch.testing.assert_close(one.square().sum(1), noise.square().sum(1), rtol=1e-4, atol=1e-4)
    assert float(torch.stack(levels).sum(0).std()) == pytest.approx(sqrt(40), rel=0.35)
    assert all(map(torch.equal, levels, turned_noise(noise, 3, 40)))
    assert not torch.equal(levels[0], turned_noise(noise, 4, 1)[0])


def test_variation_keeps_the_strength_of_the_maps() -> None:
    path = trajectory({**CONFIG, "prediction_type": "epsilon"}, steps=4)
    _, maps = inverted(path, clean(), network(1))
    noise = turned_noise(frame_noise(SHAPE, seed=1, frames=[0, 1, 2]), 1, 4)
    assert all(map(torch.equal, maps.varied(noise, 0.0).added, maps.added))
    for amount in (0.5, 1.0):
        for own, found in zip(maps.added, maps.varied(noise, amount).added, strict=True):
            torch.testing.assert_close(found.std((1, 2, 3)), own.std((1, 2, 3)), rtol=0.2, atol=0)
            assert not torch.equal(found, own)


def test_another_solver_is_refused() -> None:
    class Leaping:
        name = "leaping"

        def cleaner(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
            return x - output

        noisier = cleaner

        def fresh(self, step: Step) -> float:
            return 0.0

    with pytest.raises(ModelError, match="does not go with the solver leaping"):
        stochastic(Trajectory(steps=(), solver=Leaping()))
