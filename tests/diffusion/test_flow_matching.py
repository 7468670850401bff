"""Straight trajectories, against diffusers' flow matching and on paper."""

from __future__ import annotations

import pytest
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from vedit.diffusion.blending import source_between
from vedit.diffusion.distilled import aligned_to
from vedit.diffusion.flow_matching import shifted, straight, through
from vedit.diffusion.samplers import invert, sample
from vedit.diffusion.solvers import add_noise
from vedit.diffusion.steps import Step, implied_noise
from vedit.diffusion.trajectory import trajectory
from vedit.errors import SettingError
from vedit.types import Latents


@pytest.mark.parametrize(("steps", "shift"), [(1, 1.0), (7, 1.0), (10, 3.0)])
def test_sampling_is_that_of_diffusers(steps: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 4, 5, 6, generator=generator), torch.randn(4, 4, generator=generator) * 0.3
    path = straight(steps=steps, shift=shift)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(sigmas=[shifted(1 - n / steps, shift) for n in range(steps)])

    def network(x: torch.Tensor, level: float) -> torch.Tensor:
        return torch.einsum("ij,tjhw->tihw", weight, x) + level / 1000

    expected = x
    timesteps: torch.Tensor = scheduler.timesteps  # pyright: ignore[reportAssignmentType]
    for t in timesteps:
        expected = scheduler.step(network(expected, float(t)), t, expected, return_dict=False)[0]  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    *_, found = sample(lambda x, step: network(x, step.level), Latents(data=x), path)
    torch.testing.assert_close(found.data, expected, rtol=1e-4, atol=1e-5)
    assert found.level == 0


def test_strength_takes_the_last_steps() -> None:
    whole, half = straight(steps=10, shift=2.0), straight(steps=10, strength=0.5, shift=2.0)
    assert [step.level for step in half.steps] == [step.level for step in whole.steps][5:]
    assert straight(steps=4, strength=0.0).steps == ()
    assert through([step.level for step in whole.steps]) == whole


def test_picture_and_noise_that_the_model_knows_are_retraced_exactly() -> None:
    """Along a straight path the velocity is the same everywhere: inversion leads to the noise, sampling back."""
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(2, 1, 3, 4, 4, generator=generator, dtype=torch.float64)
    path = straight(steps=5, shift=3.0)

    def velocity(_x: torch.Tensor, _step: Step) -> torch.Tensor:
        return noise - clean

    *_, inverted = invert(velocity, Latents(data=clean), path, fixed_point=1)
    torch.testing.assert_close(inverted.data, add_noise(Latents(data=clean), noise, path).data)
    *_, back = sample(velocity, inverted, path)
    torch.testing.assert_close(back.data, clean)
    middle = straight(steps=5, strength=0.6, shift=3.0)
    noisy = add_noise(Latents(data=clean), noise, middle)
    torch.testing.assert_close(implied_noise(noisy.data, clean, middle.steps[0]), noise)


def test_between_the_stops_of_an_inversion_the_source_is_on_the_straight_path() -> None:
    generator = torch.Generator().manual_seed(2)
    clean, noise = torch.randn(2, 1, 3, 4, 4, generator=generator, dtype=torch.float64)
    path = straight(steps=6)
    stops = aligned_to(through([1000, 400]), path)
    passed = [clean, 0.6 * clean + 0.4 * noise, noise]
    at = source_between(passed, stops)
    for step in path.steps:
        torch.testing.assert_close(at(step), step.signal_cleaner * clean + step.noise_cleaner * noise)


def test_what_is_no_schedule() -> None:
    for steps, strength, shift in ((0, 1.0, 1.0), (4, 1.5, 1.0), (4, 1.0, 0.0)):
        with pytest.raises(SettingError):
            straight(steps=steps, strength=strength, shift=shift)
    for levels in ([400, 600], [1200], [0]):
        with pytest.raises(ValueError, match="fall within"):
            through(levels)
    with pytest.raises(TypeError, match="another schedule"):
        straight(steps=1).steps[0].ending_at(trajectory({"_class_name": "DDIMScheduler"}, steps=1).steps[0])
