"""Trajectories through given timesteps, and the inversion that leaps up them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vedit.diffusion.distilled import AROUND, aligned_to, from_timesteps, single_pass_inversion
from vedit.diffusion.steps import Step, implied_noise
from vedit.diffusion.trajectory import trajectory

CONFIG = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def test_given_timesteps_make_the_steps_that_a_spacing_makes() -> None:
    spaced = trajectory(CONFIG, steps=4)
    assert from_timesteps(CONFIG, [step.timestep for step in spaced.steps]) == spaced
    assert from_timesteps(CONFIG, []).steps == ()


@pytest.mark.parametrize("timesteps", [[251, 501], [501, 501], [1000, 1], [501, -1]])
def test_timesteps_fall_within_the_schedule(timesteps: list[int]) -> None:
    with pytest.raises(ValueError, match="fall within"):
        from_timesteps(CONFIG, timesteps)


def test_a_stop_counts_as_the_step_that_passes_its_level() -> None:
    path = from_timesteps(CONFIG, [851, 638, 426, 213])
    found = aligned_to(from_timesteps(CONFIG, [851, 700, 638, 300, 213, 1]), path)
    assert [(step.level, step.index) for step in found.steps] == [
        (851, 0), (700, 0), (638, 1), (300, 2), (213, 3), (1, 3)
    ]  # fmt: skip
    assert {step.count for step in found.steps} == {4}
    alone = aligned_to(from_timesteps(CONFIG, [851, 1]), path).steps[1]
    assert alone.active(0.75, 1.0)
    assert not alone.active(0.5, 0.75)
    assert aligned_to(from_timesteps(CONFIG, []), from_timesteps(CONFIG, [])).steps == ()


def test_the_implied_noise_is_what_was_added() -> None:
    step = from_timesteps(CONFIG, [851, 1]).steps[0]
    clean, noise = torch.randn(2, 1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    noisy = step.alpha**0.5 * clean + (1 - step.alpha) ** 0.5 * noise
    torch.testing.assert_close(implied_noise(noisy, clean, step), noise)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_leap_ends_at_the_level_with_whole_noise_of_the_kind_it_found(prediction: str) -> None:
    """Noise that the model sees at half its strength, and on one half at a quarter of that, comes back whole."""
    path = from_timesteps({**CONFIG, "prediction_type": prediction}, [851, 301, 1])
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(3, 4, 24, 24, generator=generator)
    noise = torch.randn(3, 4, 24, 24, generator=generator)
    seen = 0.5 * noise + 0.05
    seen[..., :12] *= 0.5
    asked: list[float] = []

    def denoise(_x: torch.Tensor, step: Step) -> torch.Tensor:
        asked.append(step.level)
        return seen if prediction == "epsilon" else step.signal * seen - step.noise * clean

    found = single_pass_inversion(denoise, clean, path)
    assert asked == [1, 301], "from the clean end, and never at the noisiest"
    made = implied_noise(found, clean, path.steps[0])
    for half in (made[..., :9], made[..., 15:]):
        assert 0.9 < half.std() < 1.1
        assert half.mean().abs() < 0.05
    around = F.avg_pool2d(made, AROUND, stride=1)
    assert around.abs().max() < 0.7
    inner = (slice(None), slice(None), slice(None), slice(14, None))
    assert torch.corrcoef(torch.stack([made[inner].flatten(), noise[inner].flatten()]))[0, 1] > 0.95


def test_a_frame_does_not_hear_of_others_and_flat_ones_get_the_same_noise() -> None:
    """Rounding alone would otherwise be taken for detail."""
    path = from_timesteps(CONFIG, [851, 1])
    clean = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    clean[1:] = torch.tensor([0.3, 0.7]).view(2, 1, 1, 1)
    rounding = 1e-6 * torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))

    def denoise(x: torch.Tensor, _step: Step) -> torch.Tensor:
        return 0.1 * x + rounding[: len(x)]

    all_three = single_pass_inversion(denoise, clean, path)
    torch.testing.assert_close(single_pass_inversion(denoise, clean[:1], path), all_three[:1])
    made = implied_noise(all_three, clean, path.steps[0])
    torch.testing.assert_close(made[1], made[2], atol=1e-3, rtol=0)
    assert not torch.allclose(made[0], made[1], atol=0.5)
    assert 0.8 < made[1].std() < 1.2
