"""Looks whose source is inverted in one evaluation: by their names, where the prompt has one of them alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.tiers import SCHEDULES, STANDARD, counted, restyled, write_tier
from vedit.errors import ModelError
from vedit.models.distilled import SINGLE, read_distilled
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.render.evaluations import evaluations
from vedit.render.notes import dear_looks

HALFTONE, BRONZE = replace(STANDARD, prompt="halftone print"), replace(STANDARD, prompt="bronze")
LOOKS = [
    {"name": "halftone", "kind": "medium", "wordings": ["halftone print"]},
    {"name": "bronze", "kind": "material", "wordings": ["bronze"]},
]


@pytest.fixture(scope="module")
def named(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with a tier that inverts for halftone in a single pass."""
    made = tmp_path_factory.mktemp("named") / "model"
    shutil.copytree(folder, made)
    words = ["a", "photograph", "halftone", "print", "bronze"]
    (made / "looks.json").write_text(json.dumps({"looks": LOOKS, "words": words}), "utf-8")
    write_tier(made, single_pass=("halftone",))
    return made


def inversion_of(folder: Path, options: RestyleOptions) -> tuple[tuple[int, ...], int]:
    served = resolve(str(folder)).distilled_for(options)
    assert served is not None
    return served[1].inversion, served[1].fixed_point


def test_the_look_alone_is_inverted_in_one_evaluation(named: Path) -> None:
    usual = SCHEDULES["standard"]
    assert inversion_of(named, HALFTONE) == (SINGLE, 0)
    assert inversion_of(named, BRONZE) == (usual.inversion, usual.fixed_point)
    assert inversion_of(named, replace(STANDARD, prompt="halftone print in bronze")) == (
        usual.inversion,
        usual.fixed_point,
    )
    assert evaluations(resolve(str(named)), HALFTONE) == 1 + len(usual.sampling)
    assert evaluations(resolve(str(named)), BRONZE) > evaluations(resolve(str(named)), HALFTONE)


def test_it_is_rendered_so(named: Path, frames: torch.Tensor) -> None:
    model = counted(named)
    made, calls = restyled(model, HALFTONE, frames)
    assert calls == evaluations(resolve(str(named)), HALFTONE)
    assert prepare(model, HALFTONE).uses_single_pass_inversion
    assert not prepare(model, BRONZE).uses_single_pass_inversion
    plain = replace(model, fast=tuple(replace(one, tier=replace(one.tier, single_pass=())) for one in model.fast))
    assert not torch.allclose(restyled(plain, HALFTONE, frames)[0], made)


def test_what_keeps_it_from_the_tier_is_told_with_its_own_cost(named: Path) -> None:
    asked = replace(HALFTONE, negative_prompt="blurry")
    (told,) = dear_looks(resolve(str(named)), [asked])
    assert f"not the {1 + len(SCHEDULES['standard'].sampling)} of the fast tier" in told


def test_the_settings_come_back_and_others_are_refused(named: Path, tmp_path: Path) -> None:
    (found,) = resolve(str(named)).distilled
    assert found.single_pass == ("halftone",)
    shutil.copytree(named / "fast", tmp_path / "fast")
    said = json.loads((tmp_path / "fast" / "fast.json").read_text("utf-8"))
    (tmp_path / "fast" / "fast.json").write_text(json.dumps({**said, "single_pass": []}), "utf-8")
    with pytest.raises(ModelError, match="single_pass is a list of names"):
        read_distilled(tmp_path / "fast")
