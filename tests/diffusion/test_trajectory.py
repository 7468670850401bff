"""Trajectories, sampling and inversion against diffusers' own schedulers."""

from __future__ import annotations

import pytest
import torch
from diffusers.schedulers.scheduling_ddim_inverse import DDIMInverseScheduler

from vedit.diffusion.samplers import invert, invert_plainly, sample
from vedit.diffusion.solvers import add_noise
from vedit.diffusion.steps import Step
from vedit.diffusion.trajectory import ddim_scheduler, trajectory
from vedit.errors import ModelError
from vedit.types import Latents

CONFIG: dict[str, object] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def config(prediction: str, **changes: object) -> dict[str, object]:
    return {**CONFIG, "prediction_type": prediction, **changes}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("steps", [4, 10, 50])
def test_sampling_equals_the_ddim_scheduler(prediction: str, spacing: str, steps: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    scheduler = ddim_scheduler(config(prediction, timestep_spacing=spacing))
    scheduler.set_timesteps(steps)
    weight = torch.randn(4, 4, generator=generator) * 0.3

    def network(x: torch.Tensor, timestep: int) -> torch.Tensor:
        return torch.einsum("ij,tjhw->tihw", weight, x) + timestep / 1000

    x = torch.randn(2, 4, 5, 6, generator=generator)
    expected = x
    for t in scheduler.timesteps:
        expected = scheduler.step(network(expected, int(t)), int(t), expected, eta=0.0, return_dict=False)[0]
    path = trajectory(config(prediction, timestep_spacing=spacing), steps=steps)
    *_, found = sample(lambda x, step: network(x, round(step.level)), Latents(data=x), path)
    torch.testing.assert_close(found.data, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("strength", "count"), [(0.0, 0), (0.35, 3), (0.8, 8), (1.0, 10)])
def test_strength_takes_the_last_steps(strength: float, count: int) -> None:
    scheduler = ddim_scheduler(config("epsilon"))
    scheduler.set_timesteps(10)
    path = trajectory(config("epsilon"), steps=10, strength=strength)
    assert [step.level for step in path.steps] == scheduler.timesteps[10 - count :].tolist()
    assert all(a.alpha_cleaner == b.alpha for a, b in zip(path.steps, path.steps[1:], strict=False))


def test_add_noise_equals_the_scheduler() -> None:
    scheduler = ddim_scheduler(config("epsilon"))
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 3, 4, 4, 4, generator=generator)
    path = trajectory(config("epsilon"), steps=10, strength=0.6)
    found = add_noise(Latents(data=x), noise, path)
    assert found.level == path.steps[0].level
    torch.testing.assert_close(found.data, scheduler.add_noise(x, noise, torch.IntTensor([int(found.level)] * 3)))
    assert add_noise(Latents(data=x), noise, trajectory(config("epsilon"), steps=10, strength=0)).data is x


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_step_back_undoes_a_step(prediction: str) -> None:
    generator = torch.Generator().manual_seed(1)
    x, output = torch.randn(2, 1, 4, 3, 3, generator=generator, dtype=torch.float64)
    for step in trajectory(config(prediction), steps=10).steps:
        path = trajectory(config(prediction), steps=10)
        back = path.solver.noisier(path.solver.cleaner(x, output, step), output, step)
        torch.testing.assert_close(back, x)


def test_fixed_point_inversion_is_retraced_by_sampling() -> None:
    """On a smooth nonlinear network more iterations bring the reconstruction closer; enough make it exact."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(4, 4, generator=generator, dtype=torch.float64) * 0.5
    source = Latents(data=torch.randn(3, 4, 6, 6, generator=generator, dtype=torch.float64))
    path = trajectory(config("v_prediction"), steps=10)
    calls = 0

    def network(x: torch.Tensor, step: Step) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return torch.tanh(torch.einsum("ij,tjhw->tihw", weight, x)) * (0.5 + step.level / 1000)

    errors: list[float] = []
    for iterations in (1, 3, 12):
        calls = 0
        *_, noisy = invert(network, source, path, fixed_point=iterations)
        assert calls == iterations * len(path.steps)
        *_, back = sample(network, noisy, path)
        errors.append(float((back.data - source.data).square().mean().sqrt()))
    assert errors[1] < errors[0] / 20
    assert errors[2] < 1e-9


def test_the_iteration_is_accelerated() -> None:
    """Three evaluations a step come five times closer than three of the plain iteration from the step's clean end."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 4, generator=generator, dtype=torch.float64) * 0.8
    source = Latents(data=torch.randn(2, 4, 6, 6, generator=generator, dtype=torch.float64))
    path = trajectory(config("v_prediction"), steps=10)

    def network(x: torch.Tensor, step: Step) -> torch.Tensor:
        return torch.tanh(torch.einsum("ij,tjhw->tihw", weight, x)) * (0.5 + step.level / 1000)

    plain = source.data
    for step in reversed(path.steps):
        noisy = plain
        for _ in range(3):
            noisy = path.solver.noisier(plain, network(noisy, step), step)
        plain = noisy
    *_, ours = invert(network, source, path, fixed_point=3)
    errors: list[float] = []
    for start in (Latents(data=plain), ours):
        *_, back = sample(network, start, path)
        errors.append(float((back.data - source.data).square().mean().sqrt()))
    assert errors[1] < errors[0] / 5


@pytest.mark.parametrize(
    ("arguments", "part"),
    [({"steps": 0}, "steps"), ({"steps": 10, "strength": 1.2}, "strength"), ({"steps": 1001}, "steps")],
)
def test_arguments_out_of_range(arguments: dict[str, float], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        trajectory(config("epsilon"), **arguments)  # pyright: ignore[reportArgumentType]


def test_unknown_prediction_type() -> None:
    with pytest.raises(ModelError, match="sample"):
        trajectory(config("sample"), steps=10)


def test_a_control_acts_over_its_part_of_the_sampling() -> None:
    path = trajectory(config("epsilon"), steps=10)
    assert [step.index for step in path.steps if step.active(0.0, 0.7)] == list(range(7))
    assert [step.index for step in path.steps if step.active(0.3, 1.0)] == list(range(3, 10))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_plain_inversion_equals_the_inverse_scheduler(prediction: str, spacing: str) -> None:
    told = config(prediction, timestep_spacing=spacing)
    # It leaves the words about the first level out of its defaults; DDIM's own mean the same.
    peer = DDIMInverseScheduler(**{**told, "set_alpha_to_one": False})  # pyright: ignore[reportArgumentType]
    peer.set_timesteps(10)
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(4, 4, generator=generator) * 0.3

    def network(x: torch.Tensor, timestep: int) -> torch.Tensor:
        return torch.einsum("ij,tjhw->tihw", weight, x) + timestep / 1000

    x = torch.randn(2, 4, 5, 6, generator=generator)
    expected, passed = x, []
    for t in peer.timesteps:
        expected = peer.step(network(expected, int(t)), int(t), expected, return_dict=False)[0]
        passed.append(expected)
    path = trajectory(told, steps=10)
    found = [one.data for one in invert_plainly(lambda x, step: network(x, round(step.level)), Latents(data=x), path)]
    for own, other in zip(found, passed, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
