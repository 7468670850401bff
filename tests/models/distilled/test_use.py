"""The fast tier on tiny random weights: what it costs, when it is used, and that nothing of it stays behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.support.tiers import CONV, DRAFT, SCHEDULES, STANDARD, restyled, schedule_of, tier_for, with_tier
from vedit.diffusion.conditioning import RegionConditioning
from vedit.models.distilled import read_distilled
from vedit.options.masks import MaskSpec, RegionSpec
from vedit.pipelines.restyle import prepare
from vedit.store.computed import ComputedCache
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel


@pytest.mark.parametrize(("changes", "most"), [({}, 5), ({"start": "noise"}, 3), ({"cross_frame": False}, 5)])
def test_a_draft_costs_at_most_five_evaluations(
    model: SDModel, plain: SDModel, frames: torch.Tensor, changes: dict[str, Any], most: int
) -> None:
    options = replace(DRAFT, **changes)
    fast, calls = restyled(model, options, frames)
    assert calls == schedule_of(model, options).evaluations(options) <= most
    slow, slow_calls = restyled(plain, options, frames)
    assert slow_calls > 2 * calls
    assert fast.shape == slow.shape
    assert not torch.allclose(fast, slow)


def test_the_guidance_that_is_in_the_weights_may_be_named(model: SDModel, frames: torch.Tensor) -> None:
    implicit, _ = restyled(model, DRAFT, frames)
    named, calls = restyled(model, replace(DRAFT, guidance=2.0), frames)
    assert calls <= 5
    assert torch.equal(named, implicit)


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": "high"},
        {"negative_prompt": "blurry"},
        {"guidance": 3.0},
        {"guidance": 1.0},
        {"steps": 4},
        {"fixed_point": 1},
        {"regions": (RegionSpec(prompt="night", mask=MaskSpec()),)},
        {"controls": ()},
        {"controls": (ControlSpec(kind="tile"),)},
        {"controls": (ControlSpec(kind="tile"), ControlSpec(kind="softedge", scale=0.0))},
        {"controls": (ControlSpec(kind="tile"), ControlSpec(kind="softedge", end=0.6))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_tier_cannot_do_goes_the_ordinary_way(
    model: SDModel, plain: SDModel, frames: torch.Tensor, changes: dict[str, Any]
) -> None:
    """To the last bit what a model without the tier makes of it."""
    options = replace(DRAFT, **changes)
    assert not prepare(model, options).few_steps
    mask = torch.ones(2, 1, 64, 64)
    guides: dict[str, Any] = {}
    if options.regions:
        guides = {"regions": (RegionConditioning(prompt=model.text("night"), mask=mask),)}
    found, calls = restyled(model, options, frames, **guides)
    expected, expected_calls = restyled(plain, options, frames, **guides)
    assert calls == expected_calls > 0
    assert torch.equal(found, expected)


def test_nothing_leaks_between_qualities(model: SDModel, plain: SDModel, frames: torch.Tensor) -> None:
    """Restylers of one model, used in turns as the shots of a plan are."""
    ordinary = replace(STANDARD, steps=2)
    expected, _ = restyled(plain, ordinary, frames)
    first, _ = restyled(model, DRAFT, frames)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)
    assert torch.equal(restyled(model, DRAFT, frames)[0], first)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)


def test_the_fingerprint_says_which_weights(model: SDModel, plain: SDModel) -> None:
    fast, slow = prepare(model, DRAFT), prepare(model, replace(DRAFT, quality="high"))
    assert set(fast.fingerprint) - set(slow.fingerprint) == {"fast"}
    assert slow.fingerprint == prepare(plain, DRAFT).fingerprint == fast.inversion_fingerprint
    (one,) = model.fast
    assert prepare(model, STANDARD).fingerprint == fast.fingerprint, "the steps are told by the trajectories"
    others = (
        replace(one, lora=replace(one.lora, scale=0.5)),
        replace(one, lora=replace(one.lora, pairs={CONV: one.lora.pairs[CONV]})),
    )
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 3


@pytest.mark.parametrize(("quality", "inverting"), [("draft", 1), ("standard", 10)])
@pytest.mark.parametrize("masked", [False, True])
def test_an_inversion_is_kept_apart_from_the_ordinary_one(
    model: SDModel, frames: torch.Tensor, tmp_path: Path, quality: str, inverting: int, masked: bool
) -> None:
    options = replace(DRAFT, quality=quality)
    guides: dict[str, Any] = {"mask": torch.ones(2, 1, 64, 64)} if masked else {}
    with ComputedCache(tmp_path / "cache") as cache:
        made, calls = restyled(model, options, frames, cache, **guides)
        again, fewer = restyled(model, replace(options, prompt="day"), frames, cache, **guides)
        assert calls - fewer == inverting
        assert not torch.equal(made, again)
        assert torch.equal(made, restyled(model, options, frames, cache, **guides)[0])
        ordinary = replace(options, steps=3)
        expected, all_calls = restyled(model, ordinary, frames, **guides)
        found, ordinary_calls = restyled(model, ordinary, frames, cache, **guides)
        assert ordinary_calls == all_calls
        assert torch.equal(found, expected)


def test_each_quality_has_steps_of_its_own(model: SDModel, folder: Path, plain: SDModel, frames: torch.Tensor) -> None:
    draft, few = restyled(model, DRAFT, frames)
    standard, more = restyled(model, STANDARD, frames)
    assert (few, more) == (4, 20)
    assert not torch.equal(draft, standard)
    asked = replace(STANDARD, steps=2)
    assert torch.equal(restyled(model, asked, frames)[0], restyled(plain, asked, frames)[0])
    alone = with_tier(model, tier_for(folder, schedules={"draft": SCHEDULES["draft"]}))
    assert torch.equal(restyled(alone, DRAFT, frames)[0], draft)
    assert not prepare(alone, STANDARD).few_steps


@pytest.mark.parametrize("strength", [-0.1, 1.01])
def test_a_strength_out_of_range_is_an_error_either_way(
    model: SDModel, plain: SDModel, frames: torch.Tensor, strength: float
) -> None:
    for one in (model, plain):
        with pytest.raises(ValueError, match=r"strength is .*; give a number from 0 to 1"):
            restyled(one, replace(DRAFT, strength=strength), frames)


def test_the_tier_takes_the_controls_that_it_was_distilled_with(model: SDModel, folder: Path) -> None:
    tier = tier_for(folder)
    both = (ControlSpec(kind="tile", scale=0.4), ControlSpec(kind="softedge-pidi"))
    assert tier.schedule(replace(DRAFT, controls=both)) is not None, "a branch by whatever makes its maps"
    less = replace(DRAFT, controls=(ControlSpec(kind="tile"), ControlSpec(kind="softedge", mask=Path("m.png"))))
    assert tier.beyond(less) == ("no control softedge over all of picture and sampling",)
    assert tier_for(folder, controls=("tile",)).schedule(less) is not None
    assert tier_for(folder, controls=()).schedule(replace(DRAFT, controls=())) is not None
    assert not prepare(with_tier(model, tier), less).few_steps
    assert prepare(with_tier(model, tier_for(folder, controls=("tile",))), less).few_steps


def test_what_a_tier_was_distilled_with_is_kept_in_its_file(folder: Path, tmp_path: Path) -> None:
    tier = tier_for(folder, controls=("softedge",))
    (tmp_path / "fast.json").write_text(tier.text, "utf-8")
    assert read_distilled(tmp_path).controls == ("softedge",)
    older = json.loads(tier.text)
    del older["controls"]
    (tmp_path / "fast.json").write_text(json.dumps(older), "utf-8")
    assert read_distilled(tmp_path).controls == ("tile", "softedge")
