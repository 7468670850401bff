"""The fast tier on tiny random weights: what it costs, when it is used, and that nothing of it stays behind."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.tiers import CONV, INVERSION, SAMPLING, counted, restyled, schedule_of, tier_for, with_tier, write_tier
from vedit.diffusion.conditioning import RegionGuide
from vedit.map_cache import FrameCache
from vedit.masking import MaskSpec, RegionSpec
from vedit.models.fast import Schedule
from vedit.options import RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.testing_sd import write_tiny_sd

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


@pytest.mark.parametrize(("changes", "most"), [({}, MOST), ({"start": "noise"}, 3), ({"cross_frame": False}, MOST)])
def test_a_draft_costs_at_most_five_evaluations(
    model: Model, plain: Model, frames: torch.Tensor, changes: dict[str, Any], most: int
) -> None:
    options = replace(DRAFT, **changes)
    fast, calls = restyled(model, options, frames)
    assert calls == schedule_of(model, options).evaluations(options) <= most
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
    steps = tier.schedules["draft"]
    others = (
        replace(model.fast, tier=replace(tier, schedules={"draft": replace(steps, sampling=(801, 401))})),
        replace(model.fast, tier=replace(tier, schedules={"draft": replace(steps, inversion=(251, 1))})),
        replace(model.fast, tier=replace(tier, schedules={"draft": replace(steps, fixed_point=1)})),
        replace(model.fast, lora=replace(lora, scale=0.5)),
        replace(model.fast, lora=replace(lora, pairs={CONV: lora.pairs[CONV]})),
    )
    assert len({model.fast.fingerprint, *(one.fingerprint for one in others)}) == 6


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


def test_each_quality_has_steps_of_its_own(model: Model, folder: Path, plain: Model, frames: torch.Tensor) -> None:
    both = with_tier(model, tier_for(folder, schedules=BOTH))
    draft, few = restyled(both, DRAFT, frames)
    assert torch.equal(draft, restyled(model, DRAFT, frames)[0])
    standard, more = restyled(both, STANDARD, frames)
    assert (few, more) == (4, 20)
    assert not torch.equal(draft, standard)
    high = replace(DRAFT, quality="high")
    assert not prepare(both, high).few_steps
    asked = replace(STANDARD, steps=2)
    assert torch.equal(restyled(both, asked, frames)[0], restyled(plain, asked, frames)[0])


@pytest.mark.parametrize("strength", [-0.1, 1.01])
def test_a_strength_out_of_range_is_an_error_either_way(
    model: Model, plain: Model, frames: torch.Tensor, strength: float
) -> None:
    for one in (model, plain):
        with pytest.raises(ValueError, match=r"strength must lie in \[0, 1\]"):
            restyled(one, replace(DRAFT, strength=strength), frames)
