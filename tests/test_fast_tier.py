"""The fast tier on tiny random weights: what it costs, when it is used, and that nothing of it stays behind."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.tiers import CONV, INVERSION, SAMPLING, tier_for, write_tier
from vedit.diffusion.conditioning import RegionGuide
from vedit.map_cache import FrameCache
from vedit.masking import MaskSpec, RegionSpec
from vedit.models import load
from vedit.models.fast import FastTier
from vedit.options import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing_sd import write_tiny_sd
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from vedit.models.sd import Model

DRAFT = RestyleOptions(prompt="night", quality="draft")
MOST = 5


class Counting:
    """A denoiser that counts how often it is called, and with what; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0
        self.seen: list[tuple[int, torch.Tensor, list[str]]] = []
        """Of the last `restyled`: timestep, latents and active controls of each call."""

    def __call__(self, x: torch.Tensor, timestep: int, prompt: Any, controls: Any) -> torch.Tensor:
        self.calls += 1
        self.seen.append((timestep, x.clone(), [control.branch for control in controls]))
        return self.inner(x, timestep, prompt, controls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


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


def counted(folder: Path) -> Model:
    found = load(str(folder), controls=("tile", "softedge"))
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return counted(folder)


@pytest.fixture(scope="module")
def plain(plain_folder: Path) -> Model:
    return counted(plain_folder)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def restyled(
    model: Model, options: RestyleOptions, frames: torch.Tensor, kept: FrameCache | None = None, **guides: Any
) -> tuple[torch.Tensor, int]:
    """Latents, and how often the network was evaluated for them."""
    restyler = prepare(model, options, kept)
    denoiser: Any = model.denoiser
    denoiser.calls = 0
    denoiser.seen.clear()
    steered = replace(own_guides(restyler)((0, 1), frames), **guides)
    return restyle_frames(restyler, frames, (0, 1), steered).data, denoiser.calls


def with_tier(model: Model, tier: FastTier) -> Model:
    assert model.fast is not None
    return replace(model, fast=replace(model.fast, tier=tier))


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


@pytest.mark.parametrize(("changes", "most"), [({}, MOST), ({"start": "noise"}, 3), ({"cross_frame": False}, MOST)])
def test_a_draft_costs_at_most_five_evaluations(
    model: Model, plain: Model, frames: torch.Tensor, changes: dict[str, Any], most: int
) -> None:
    options = replace(DRAFT, **changes)
    fast, calls = restyled(model, options, frames)
    tier = model.fast.tier if model.fast is not None else pytest.fail("the folder has a fast tier")
    assert calls == tier.evaluations(options) <= most
    slow, slow_calls = restyled(plain, options, frames)
    assert slow_calls > 2 * calls
    assert fast.shape == slow.shape
    assert not torch.allclose(fast, slow)


def test_the_guidance_that_is_in_the_weights_may_be_named(model: Model, frames: torch.Tensor) -> None:
    implicit, _ = restyled(model, DRAFT, frames)
    named, calls = restyled(model, replace(DRAFT, guidance=2.0), frames)
    assert calls <= MOST
    assert torch.equal(named, implicit)


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": "standard"},
        {"negative_prompt": "blurry"},
        {"guidance": 3.0},
        {"guidance": 1.0},
        {"steps": 4},
        {"fixed_point": 1},
        {"regions": (RegionSpec(prompt="night", mask=MaskSpec()),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_tier_cannot_do_goes_the_ordinary_way(
    model: Model, plain: Model, frames: torch.Tensor, changes: dict[str, Any]
) -> None:
    """To the last bit what a model without the tier makes of it."""
    options = replace(DRAFT, **{"steps": 2, "guidance": 2.0, **changes} if "quality" in changes else changes)
    assert not prepare(model, options).few_steps
    mask = torch.ones(2, 1, 64, 64)
    guides: dict[str, Any] = {}
    if options.regions:
        guides = {"regions": (RegionGuide(prompt=model.text("night"), mask=mask),)}
    found, calls = restyled(model, options, frames, **guides)
    expected, expected_calls = restyled(plain, options, frames, **guides)
    assert calls == expected_calls > 0
    assert torch.equal(found, expected)


def test_nothing_leaks_between_qualities(model: Model, plain: Model, frames: torch.Tensor) -> None:
    """Restylers of one model, used in turns as the shots of a plan are."""
    ordinary = replace(DRAFT, quality="standard", steps=2)
    expected, _ = restyled(plain, ordinary, frames)
    first, _ = restyled(model, DRAFT, frames)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)
    assert torch.equal(restyled(model, DRAFT, frames)[0], first)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)


def test_the_fingerprint_says_which_weights(model: Model, plain: Model) -> None:
    fast, slow = prepare(model, DRAFT), prepare(model, replace(DRAFT, quality="standard"))
    assert set(fast.fingerprint) - set(slow.fingerprint) == {"fast"}
    assert slow.fingerprint == prepare(plain, DRAFT).fingerprint == fast.inverting
    assert model.fast is not None
    tier, lora = model.fast.tier, model.fast.lora
    others = (
        replace(model.fast, tier=replace(tier, sampling=(801, 401))),
        replace(model.fast, tier=replace(tier, inversion=(251, 1))),
        replace(model.fast, lora=replace(lora, scale=0.5)),
        replace(model.fast, lora=replace(lora, pairs={CONV: lora.pairs[CONV]})),
    )
    assert len({model.fast.fingerprint, *(one.fingerprint for one in others)}) == 5


def test_an_inversion_is_kept_apart_from_the_ordinary_one(model: Model, frames: torch.Tensor, tmp_path: Path) -> None:
    with FrameCache(tmp_path / "cache") as cache:
        made, calls = restyled(model, DRAFT, frames, cache)
        again, fewer = restyled(model, DRAFT, frames, cache)
        assert (calls, fewer) == (len(SAMPLING) + len(INVERSION), len(SAMPLING))
        assert torch.equal(made, again)
        ordinary = replace(DRAFT, steps=3)
        expected, all_calls = restyled(model, ordinary, frames)
        found, ordinary_calls = restyled(model, ordinary, frames, cache)
        assert ordinary_calls == all_calls
        assert torch.equal(found, expected)


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
    assert other.fast is not None
    assert other.fast.tier.taken(strength) == sampling
    assert other.fast.tier.stops(strength) == inversion
    restyled(other, replace(DRAFT, strength=strength), frames)
    denoiser: Any = other.denoiser
    assert [timestep for timestep, *_ in denoiser.seen] == [*reversed(inversion[1:]), *sampling]
    if sampling:
        # At the level where sampling begins there is as much noise as belongs there, on the source as it is.
        source, began = model.codec.encode(frames), seen_at(other, sampling)[0]
        noise = (began - signal(sampling[0]) * source) / spread(sampling[0])
        assert 0.9 < noise.std() < 1.1
        assert abs(torch.corrcoef(torch.stack([noise.flatten(), source.flatten()]))[0, 1]) < 0.3


@pytest.mark.parametrize("strength", [-0.1, 1.01])
def test_a_strength_out_of_range_is_an_error_either_way(
    model: Model, plain: Model, frames: torch.Tensor, strength: float
) -> None:
    for one in (model, plain):
        with pytest.raises(ValueError, match=r"strength must lie in \[0, 1\]"):
            restyled(one, replace(DRAFT, strength=strength), frames)


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
