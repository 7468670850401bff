"""The steps of the fast tier on tiny random weights: where it inverts and samples, and what acts there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.tiers import INVERSION, SAMPLING, counted, restyled, schedule_of, tier_for, with_tier, write_tier
from vedit.models.fast import Schedule
from vedit.options import RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.testing_sd import write_tiny_sd
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from vedit.models.sd import Model

DRAFT = RestyleOptions(prompt="night", quality="draft")
MOST = 5
STANDARD = replace(DRAFT, quality="standard")
TEN = (901, 811, 721, 631, 541, 451, 361, 271, 181, 81)
BOTH = {
    "draft": Schedule(sampling=SAMPLING, inversion=INVERSION),
    "standard": Schedule(sampling=TEN, inversion=(671, 451, 251, 81), fixed_point=2),
}


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, plain_folder: Path) -> Path:
    """The same model with a fast tier."""
    folder = tmp_path_factory.mktemp("fast") / "model"
    shutil.copytree(plain_folder, folder)
    write_tier(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return counted(folder)


@pytest.fixture(scope="module")
def plain(plain_folder: Path) -> Model:
    return counted(plain_folder)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def seen_at(model: Model, timesteps: tuple[int, ...]) -> list[torch.Tensor]:
    """The latents that the last `restyled` evaluated at these timesteps, each of which it did once."""
    denoiser: Any = model.denoiser
    found = [[x for at, x, _ in denoiser.seen if at == timestep] for timestep in timesteps]
    assert all(len(of) == 1 for of in found)
    return [x for (x,) in found]


def level(timestep: int) -> float:
    """Signal level of `write_tiny_sd`'s schedule by its definition: betas linear in their roots."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return float((1 - betas).cumprod(0)[timestep])


def signal(timestep: int) -> float:
    return level(timestep) ** 0.5


def spread(timestep: int) -> float:
    return (1 - level(timestep)) ** 0.5


def test_outside_a_mask_the_source_stays(model: Model, frames: torch.Tensor) -> None:
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32, :] = 1
    found, calls = restyled(model, DRAFT, frames, mask=mask)
    source = model.codec.encode(frames)
    assert calls <= MOST
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
    model: Model,
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
    model: Model,
    folder: Path,
    frames: torch.Tensor,
    strength: float,
    inverted: tuple[int, ...],
    sampled: tuple[int, ...],
) -> None:
    """As the ordinary one is, at the noisy end of its steps, where controls act as in the sampling."""
    other = with_tier(model, tier_for(folder, schedules=BOTH))
    spec = ControlSpec(kind="tile", start=0.5)
    options = replace(STANDARD, strength=strength, controls=(spec, ControlSpec(kind="softedge")))
    _, calls = restyled(other, options, frames)
    denoiser: Any = other.denoiser
    seen = [(timestep, "tile" in controls) for timestep, _, controls in denoiser.seen]
    late = {t for number, t in enumerate(sampled) if number >= 0.5 * len(sampled)}
    acts = {t: (min((s for s in sampled if s >= t), default=t) in late) for t in {*inverted, *sampled}}
    assert seen == [(t, acts[t]) for t in [*(t for stop in inverted for t in (stop, stop)), *sampled]]
    assert calls == schedule_of(other, options).evaluations(options) <= 20
    assert schedule_of(other, replace(options, start="noise")).evaluations(replace(options, start="noise")) == len(
        sampled
    )


def test_what_is_solved_for_and_sampled_is_the_ordinary_sum(
    model: Model, folder: Path, plain: Model, frames: torch.Tensor
) -> None:
    """Over the model's own timesteps and with weights that change nothing, it is its own unguided result."""
    ordinary = replace(STANDARD, steps=4, fixed_point=2, guidance=1.0)
    steps = tuple(step.timestep for step in prepare(plain, ordinary).path.steps)
    schedule = Schedule(sampling=steps, inversion=steps[1:], fixed_point=2)
    assert model.fast is not None
    none = replace(model.fast, lora=replace(model.fast.lora, scale=0.0))
    same = with_tier(replace(model, fast=none), tier_for(folder, schedules={"standard": schedule}))
    found, calls = restyled(same, STANDARD, frames)
    expected, expected_calls = restyled(plain, ordinary, frames)
    assert calls == expected_calls == 12
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("start", "end", "active"),
    [(0.0, 1.0, [1, 300, 400, *SAMPLING]), (0.6, 1.0, [1, 251]), (0.3, 0.7, [300, 400, 501]), (0.0, 0.4, [751])],
)
def test_controls_act_in_the_inversion_as_in_the_steps_that_pass_there(
    model: Model, folder: Path, frames: torch.Tensor, start: float, end: float, active: list[int]
) -> None:
    """Of three steps 751-501-251-0, timesteps 400 and 300 lie in the second and 1 in the last."""
    other = with_tier(model, tier_for(folder, inversion=(400, 300, 1)))
    spec = ControlSpec(kind="tile", start=start, end=end)
    restyled(other, replace(DRAFT, controls=(spec, ControlSpec(kind="softedge"))), frames)
    denoiser: Any = other.denoiser
    assert [timestep for timestep, _, controls in denoiser.seen if "tile" in controls] == active
    assert all("softedge" in controls for *_, controls in denoiser.seen)
