"""Variation: two seeds are two pictures, one seed is one, and what a mask leaves out stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import pytest
import torch

from vedit.diffusion.distilled import implied_noise
from vedit.diffusion.noise import frame_noise
from vedit.diffusion.trajectory import PreservingStep
from vedit.diffusion.variation import varied
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames

OWN = RestyleOptions(prompt="oil painting", steps=2, fixed_point=1, guidance=1.0)
TIER, LEAP = RestyleOptions(prompt="oil painting"), RestyleOptions(prompt="oil painting", quality="draft")
STEP = PreservingStep(index=0, count=2, level=700, alpha=0.2, alpha_cleaner=0.6)


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(2, 3, 64, 64) in [0, 1]: a soft picture that pans."""
    picture = torch.rand(1, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 90), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([picture[:, :, 3 * t : 3 * t + 64] for t in range(2)])


def restyled(
    model: SDModel,
    options: RestyleOptions,
    frames: torch.Tensor,
    numbers: Sequence[int] = (4, 5),
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    restyler = prepare(model, options)
    guides = replace(own_guides(restyler)(numbers, frames), mask=mask, noise=noise)
    return restyle_frames(restyler, frames, numbers, guides).data


@pytest.mark.parametrize("options", [OWN, TIER, LEAP], ids=["own weights", "fast tier", "fast tier, leaping"])
def test_two_seeds_are_two_pictures_and_one_is_one(
    model: SDModel, frames: torch.Tensor, options: RestyleOptions
) -> None:
    """Without variation the seed decides nothing."""
    plain, other = (restyled(model, replace(options, seed=seed), frames) for seed in (1, 2))
    assert torch.equal(plain, other)
    options = replace(options, variation=0.6)
    first, again, second = (restyled(model, replace(options, seed=seed), frames) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert float((first - second).abs().mean()) > 0.05
    assert float((first - plain).abs().mean()) > 0.05


def test_variation_zero_is_none(model: SDModel, frames: torch.Tensor) -> None:
    assert torch.equal(restyled(model, replace(OWN, variation=0.0), frames), restyled(model, OWN, frames))


def test_more_variation_leads_further_from_the_inverted_start(model: SDModel, frames: torch.Tensor) -> None:
    plain = restyled(model, OWN, frames)
    moved = [
        float((restyled(model, replace(OWN, variation=amount), frames) - plain).square().mean())
        for amount in (0.1, 0.3, 1.0)
    ]
    assert 0 < moved[0] < moved[1] < moved[2]


def test_where_no_step_is_taken_nothing_is_drawn(model: SDModel, frames: torch.Tensor) -> None:
    options = replace(OWN, variation=0.6, strength=0.0)
    assert prepare(model, options).drawn is None
    assert torch.equal(restyled(model, options, frames), model.codec.encode(frames))


def test_the_noise_is_the_one_that_is_steered_and_else_the_first_frames(model: SDModel, frames: torch.Tensor) -> None:
    options = replace(OWN, variation=0.8, seed=3)
    drawn = prepare(model, options).drawn
    assert drawn is not None
    shape = (drawn.channels, *(int(side) // drawn.cell for side in frames.shape[-2:]))
    held = frame_noise(shape, seed=3, frames=[4, 4])
    unsteered = restyled(model, options, frames)
    assert torch.equal(restyled(model, options, frames, noise=held), unsteered)
    fresh = frame_noise(shape, seed=3, frames=[4, 5])
    assert not torch.equal(restyled(model, options, frames, noise=fresh), unsteered)


@pytest.mark.parametrize("options", [OWN, TIER, LEAP], ids=["own weights", "fast tier", "fast tier, leaping"])
def test_outside_the_mask_the_latents_stay(model: SDModel, frames: torch.Tensor, options: RestyleOptions) -> None:
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32] = 1
    found = restyled(model, replace(options, variation=0.7), frames, mask=mask)
    source = model.codec.encode(frames)
    assert torch.equal(found[..., 4:], source[..., 4:])
    assert float((found - source)[..., :4].abs().mean()) > 0.05


def test_the_mix_has_the_picture_and_the_deviation_of_the_inversion() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, own, noise = (torch.randn(2, 4, 32, 32, generator=generator) for _ in range(3))
    own = own * torch.tensor([0.5, 2.0]).view(2, 1, 1, 1)
    inverted = sqrt(STEP.alpha) * clean + sqrt(1 - STEP.alpha) * own
    torch.testing.assert_close(varied(inverted, clean, noise, STEP, amount=0.0), inverted)
    for amount in (0.3, 0.6, 1.0):
        mixed = implied_noise(varied(inverted, clean, noise, STEP, amount=amount), clean, STEP)
        torch.testing.assert_close(mixed.std((1, 2, 3)), own.std((1, 2, 3)), rtol=0.05, atol=0)
        alike = [float((mixed[n] * own[n]).mean() / own[n].square().mean()) for n in (0, 1)]
        assert alike == pytest.approx([sqrt(1 - amount**2)] * 2, abs=0.05)
    alone = varied(inverted[1:], clean[1:], noise[1:], STEP, amount=0.6)
    torch.testing.assert_close(alone, varied(inverted, clean, noise, STEP, amount=0.6)[1:])
