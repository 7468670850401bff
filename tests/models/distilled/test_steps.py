"""The steps of the fast tier on tiny random weights: where it inverts and samples, and what acts there."""

from __future__ import annotations

from dataclasses import replace
from math import acos, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.support.tiers import DRAFT, SAMPLING, STANDARD, TEN, restyled, schedule_of, tier_for, with_tier
from vedit.models.distilled import Schedule
from vedit.pipelines.restyle import prepare
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel


def seen_at(model: SDModel, timesteps: tuple[int, ...]) -> list[torch.Tensor]:
    """The latents that the last `restyled` was at when it evaluated these timesteps last, in sampling."""
    denoiser: Any = model.denoiser
    assert [timestep for timestep, *_ in denoiser.seen[-len(timesteps) :]] == list(timesteps)
    return [x for _, x, _ in denoiser.seen[-len(timesteps) :]]


def level(timestep: int) -> float:
    """Signal level of `write_tiny_sd`'s schedule by its definition: betas linear in their roots."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return float((1 - betas).cumprod(0)[timestep])


def signal(timestep: int) -> float:
    return level(timestep) ** 0.5


def spread(timestep: int) -> float:
    return (1 - level(timestep)) ** 0.5


def test_outside_a_mask_the_source_stays(model: SDModel, frames: torch.Tensor) -> None:
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32, :] = 1
    found, calls = restyled(model, DRAFT, frames, mask=mask)
    source = model.codec.encode(frames)
    assert calls <= 5
    torch.testing.assert_close(found[..., 4:, :], source[..., 4:, :])
    assert not torch.allclose(found[..., :4, :], source[..., :4, :], atol=0.05)
    # Between the steps the source is under the noise that it began with, at the level there.
    began, *later = seen_at(model, SAMPLING)
    noise = (began - signal(SAMPLING[0]) * source) / spread(SAMPLING[0])
    assert noise.std() > 0.8
    for timestep, x in zip(SAMPLING[1:], later, strict=True):
        expected = signal(timestep) * source + spread(timestep) * noise
        torch.testing.assert_close(x[..., 4:, :], expected[..., 4:, :], rtol=1e-3, atol=1e-3)
        assert not torch.allclose(x[..., :4, :], expected[..., :4, :], atol=0.05)


def test_outside_a_mask_a_source_that_was_solved_for_goes_the_way_it_came(
    model: SDModel, folder: Path, plain: SDModel, frames: torch.Tensor
) -> None:
    """At the stops it is what the inversion made of it, between them on the arc from one to the other."""
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32, :] = 1
    schedule = Schedule(sampling=(901, 801, 601, 401, 301), inversion=(601, 301), fixed_point=2)
    other = with_tier(model, tier_for(folder, schedules={"standard": schedule}))
    found, _ = restyled(other, STANDARD, frames, mask=mask)
    source = model.codec.encode(frames)
    assert torch.equal(found[..., 4:, :], source[..., 4:, :])
    began, at_801, at_601, at_401, at_301 = (x[..., 4:, :] for x in seen_at(other, schedule.sampling))
    outside = source[..., 4:, :]
    for low, between, high, t_low, t, t_high in (
        (at_601, at_801, began, 601, 801, 901),
        (at_301, at_401, at_601, 301, 401, 601),
    ):
        a, b, c = (acos(signal(at)) for at in (t_low, t, t_high))
        expected = (sin(c - b) * low + sin(b - a) * high) / sin(c - a)
        torch.testing.assert_close(between, expected, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(between, low, atol=0.05)
    # The two evaluations of each step of the inversion tell where it was: the next is made of the second.
    straight = signal(601) * outside + (began - signal(901) * outside) / spread(901) * spread(601)
    assert not torch.allclose(at_601, straight, atol=0.05)


@pytest.mark.parametrize(
    ("strength", "sampling", "inversion"),
    [
        (1.0, SAMPLING, (751, 400, 1)),
        (0.7, (501, 251), (501, 400, 1)),
        (0.4, (251,), (251, 1)),
        (0.0, (), ()),
    ],
)
def test_a_strength_takes_the_last_steps(
    model: SDModel,
    folder: Path,
    frames: torch.Tensor,
    strength: float,
    sampling: tuple[int, ...],
    inversion: tuple[int, ...],
) -> None:
    other = with_tier(model, tier_for(folder, inversion=(400, 1)))
    schedule = schedule_of(other, DRAFT)
    assert schedule.taken(strength) == sampling
    assert schedule.stops(strength) == inversion
    restyled(other, replace(DRAFT, strength=strength), frames)
    denoiser: Any = other.denoiser
    assert [timestep for timestep, *_ in denoiser.seen] == [*reversed(inversion[1:]), *sampling]
    if sampling:
        # At the level where sampling begins there is as much noise as belongs there, on the source as it is.
        source, began = model.codec.encode(frames), seen_at(other, sampling)[0]
        noise = (began - signal(sampling[0]) * source) / spread(sampling[0])
        assert 0.9 < noise.std() < 1.1
        assert abs(torch.corrcoef(torch.stack([noise.flatten(), source.flatten()]))[0, 1]) < 0.3


@pytest.mark.parametrize(
    ("strength", "inverted", "sampled"),
    [(1.0, (81, 251, 451, 671, 901), TEN), (0.5, (81, 251, 451), TEN[5:]), (0.1, (81,), (81,)), (0.0, (), ())],
)
def test_an_inversion_may_be_solved_for_at_each_stop(
    model: SDModel,
    folder: Path,
    frames: torch.Tensor,
    strength: float,
    inverted: tuple[int, ...],
    sampled: tuple[int, ...],
) -> None:
    """As the ordinary one is, at the noisy end of its steps, where controls act as in the sampling."""
    spec = ControlSpec(kind="tile", start=0.5)
    options = replace(STANDARD, strength=strength, controls=(spec, ControlSpec(kind="softedge")))
    model = with_tier(model, tier_for(folder, controls=("softedge",)))
    _, calls = restyled(model, options, frames)
    denoiser: Any = model.denoiser
    seen = [(timestep, "tile" in controls) for timestep, _, controls in denoiser.seen]
    late = {t for number, t in enumerate(sampled) if number >= 0.5 * len(sampled)}
    acts = {t: (min((s for s in sampled if s >= t), default=t) in late) for t in {*inverted, *sampled}}
    assert seen == [(t, acts[t]) for t in [*(t for stop in inverted for t in (stop, stop)), *sampled]]
    assert calls == schedule_of(model, options).evaluations(options) <= 20
    noised = replace(options, start="noise")
    assert restyled(model, noised, frames)[1] == schedule_of(model, noised).evaluations(noised) == len(sampled)


def test_what_is_solved_for_and_sampled_is_the_ordinary_sum(
    model: SDModel, folder: Path, plain: SDModel, frames: torch.Tensor
) -> None:
    """Over the model's own timesteps and with weights that change nothing, it is its own unguided result."""
    ordinary = replace(STANDARD, steps=4, fixed_point=2, guidance=1.0)
    steps = tuple(round(step.level) for step in prepare(plain, ordinary).trajectory.steps)
    schedule = Schedule(sampling=steps, inversion=steps[1:], fixed_point=2)
    (fast,) = model.fast
    none = replace(fast, lora=replace(fast.lora, scale=0.0))
    same = with_tier(replace(model, fast=(none,)), tier_for(folder, schedules={"standard": schedule}))
    found, calls = restyled(same, STANDARD, frames)
    expected, expected_calls = restyled(plain, ordinary, frames)
    assert calls == expected_calls == 12
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("start", "end", "active"),
    [(0.0, 1.0, [1, 300, 400, *SAMPLING]), (0.6, 1.0, [1, 251]), (0.3, 0.7, [300, 400, 501]), (0.0, 0.4, [751])],
)
def test_controls_act_in_the_inversion_as_in_the_steps_that_pass_there(
    model: SDModel, folder: Path, frames: torch.Tensor, start: float, end: float, active: list[int]
) -> None:
    """Of three steps 751-501-251-0, timesteps 400 and 300 lie in the second and 1 in the last."""
    other = with_tier(model, tier_for(folder, inversion=(400, 300, 1), controls=("softedge",)))
    spec = ControlSpec(kind="tile", start=start, end=end)
    restyled(other, replace(DRAFT, controls=(spec, ControlSpec(kind="softedge"))), frames)
    denoiser: Any = other.denoiser
    assert [timestep for timestep, _, controls in denoiser.seen if "tile" in controls] == active
    assert all("softedge" in controls for *_, controls in denoiser.seen)
