"""The objectives of the ablation in closed form: targets, samplers, schedules and weights against their papers."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import sys
from pathlib import Path

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer.form import new_scheduler  # noqa: E402
from trainer.objectives import (  # noqa: E402
    HALF_MIN_SNR,
    OBJECTIVES,
    min_snr_weight,
    objective_named,
    sample,
    trailing,
    with_zero_terminal_snr,
)

from vedit.diffusion.solvers import DDIM  # noqa: E402
from vedit.diffusion.trajectory import PreservingStep  # noqa: E402

ALPHAS: torch.Tensor = new_scheduler().alphas_cumprod


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_network_that_knows_the_picture_is_sampled_to_it(name: str, steps: int) -> None:
    """The exact network for data that is one picture: its x_0 is that, its noise is what else is in x."""
    objective, truth = objective_named(name), draws(2, 4, 3, 5, seed=1)

    def oracle(x: torch.Tensor, timestep: int) -> torch.Tensor:
        signal, spread = objective.signal[timestep], objective.spread[timestep]
        return objective.wanted(truth, (x - signal * truth) / spread, timestep)

    found = sample(objective, oracle, draws(2, 4, 3, 5, seed=2), trailing(steps))
    # At the noisy end of the schedule epsilon's x_0 is a difference divided by 0.07.
    torch.testing.assert_close(found, truth, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_is_asked_for_stands_for_picture_and_noise(name: str) -> None:
    objective, clean, noise = objective_named(name), draws(5, 4, 2, 2, seed=1), draws(5, 4, 2, 2, seed=2)
    timestep = torch.tensor([0, 100, 500, 800, 990])
    noisy, wanted = objective.noised(clean, noise, timestep), objective.wanted(clean, noise, timestep)
    torch.testing.assert_close(objective.clean(noisy, wanted, timestep), clean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(objective.noise(noisy, wanted, timestep), noise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_another_picture_than_the_one_in_the_noise_can_be_asked_for(name: str) -> None:
    objective = objective_named(name)
    timestep = torch.tensor([120, 500, 880])
    inside, asked, noise = torch.randn(3, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    noisy = objective.noised(inside, noise, timestep)
    output = objective.towards(noisy, asked, timestep)
    torch.testing.assert_close(objective.clean(noisy, output, timestep), asked, atol=1e-4, rtol=1e-4)
    same = objective.towards(noisy, inside, timestep)
    torch.testing.assert_close(same, objective.wanted(inside, noise, timestep), atol=1e-4, rtol=1e-4)


def test_the_targets_are_those_of_the_papers() -> None:
    clean, noise, t = draws(1, 4, 2, 2, seed=1), draws(1, 4, 2, 2, seed=2), 700
    a, s = ALPHAS[t].sqrt(), (1 - ALPHAS[t]).sqrt()
    torch.testing.assert_close(objective_named("v").wanted(clean, noise, t), a * noise - s * clean)
    torch.testing.assert_close(objective_named("epsilon").wanted(clean, noise, t), noise)
    flow = objective_named("flow")
    torch.testing.assert_close(flow.noised(clean, noise, t), 0.299 * clean + 0.701 * noise)
    slope = (flow.noised(clean, noise, t + 1) - flow.noised(clean, noise, t)) / 0.001
    torch.testing.assert_close(flow.wanted(clean, noise, t), slope, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("name", "prediction"), [("v", "v_prediction"), ("epsilon", "epsilon")])
def test_a_diffusion_step_is_ddims(name: str, prediction: str) -> None:
    x, output = draws(1, 4, 3, 3, seed=1), draws(1, 4, 3, 3, seed=2)
    step = PreservingStep(index=0, count=2, level=800, alpha=float(ALPHAS[800]), alpha_cleaner=float(ALPHAS[300]))
    expected = DDIM(prediction=prediction).cleaner(x, output, step)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(objective_named(name).step(x, output, 800, 300), expected, atol=1e-5, rtol=1e-4)


def test_a_flow_step_is_eulers() -> None:
    x, output = draws(1, 4, 3, 3, seed=1), draws(1, 4, 3, 3, seed=2)
    torch.testing.assert_close(objective_named("flow").step(x, output, 899, 399), x - 0.5 * output)


def test_zero_terminal_snr_is_that_of_algorithm_1() -> None:
    found = with_zero_terminal_snr(ALPHAS)
    assert found[-1] == 0
    assert found[0] == pytest.approx(float(ALPHAS[0]), rel=1e-6)
    roots = ALPHAS.double().sqrt()
    line = roots[0] * (roots - roots[-1]) / (roots[0] - roots[-1])
    torch.testing.assert_close(found.double(), line**2, atol=1e-6, rtol=1e-5)
    peer = torch.cumprod(1 - rescale_zero_terminal_snr(new_scheduler().betas), 0)
    torch.testing.assert_close(found, peer, atol=1e-5, rtol=1e-3)
    objective = objective_named("v, zero terminal SNR")
    assert (objective.signal[-1], objective.spread[-1]) == (0, 1)


def test_min_snr_weights_are_the_formula() -> None:
    snr = ALPHAS / (1 - ALPHAS)
    assert snr[0] > 5 > snr[-1], "both branches are met"
    expected = torch.minimum(snr, torch.tensor(5.0)) / (snr + 1)
    torch.testing.assert_close(min_snr_weight(ALPHAS), expected, atol=1e-6, rtol=1e-4)
    assert torch.equal(objective_named("v, min-SNR weights").weight, min_snr_weight(ALPHAS))
    assert torch.equal(objective_named("v").weight, torch.ones(1000))
    half = objective_named(HALF_MIN_SNR).weight
    assert half.mean().item() == pytest.approx(1, abs=1e-5) and half.min() >= 0.5
    torch.testing.assert_close(half * 2 - 1, expected / expected.mean(), atol=1e-5, rtol=1e-3)


def test_sampling_begins_at_pure_noise() -> None:
    assert trailing(4) == (999, 749, 499, 249)
    assert objective_named("flow").spread[999] == 1
