"""A fast tier for some looks beside the one for all, on tiny random weights: which serves, and what is told of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.support.resolved import weights_behind
from tests.support.tiers import DRAFT, SCHEDULES, counted, random_pairs, restyled, tier_for
from vedit.errors import ModelError
from vedit.models.digests import identity
from vedit.models.distilled import Schedule, read_distilled, write_settings
from vedit.models.lora import write_lora
from vedit.models.resolve import describe, resolve
from vedit.options.request import RenderRequest
from vedit.pipelines.restyle import prepare
from vedit.render.provenance import same_weights

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel
    from vedit.options.request import RestyleOptions

THREE = (801, 501, 201)
COMIC, BRONZE = replace(DRAFT, prompt="comic book"), replace(DRAFT, prompt="bronze")
LOOKS = [
    {"name": "comic", "kind": "medium", "wordings": ["comic book"]},
    {"name": "ink", "kind": "medium", "wordings": ["ink drawing"]},
    {"name": "bronze", "kind": "material", "wordings": ["bronze"]},
    {"name": "strong", "kind": "strength", "wordings": ["strong"]},
]


@pytest.fixture(scope="module")
def both(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with a tier for all looks, and one for comic and ink."""
    made = tmp_path_factory.mktemp("both") / "model"
    shutil.copytree(folder, made)
    said = ["a photograph", *(way for look in LOOKS for way in look["wordings"])]
    words = sorted({word for way in said for word in str(way).split()})
    (made / "looks.json").write_text(json.dumps({"looks": LOOKS, "words": words}), "utf-8")
    schedules = {"draft": Schedule(sampling=THREE, inversion=(1,))}
    tier = replace(tier_for(made, schedules=schedules, looks=("comic", "ink")), folder=made / "drawn")
    write_lora(tier.weights, random_pairs(made, seed=11))
    write_settings(tier)
    return made


@pytest.fixture(scope="module")
def drawing(both: Path) -> SDModel:
    return counted(both)


def folder_of(found: Any) -> str:
    assert found is not None
    return found[0].folder.name


def test_settings_come_back_as_they_were_written(both: Path) -> None:
    first, second = resolve(str(both)).distilled
    assert (first.folder.name, first.looks) == ("drawn", ("comic", "ink"))
    assert (second.folder.name, second.looks) == ("fast", ())
    assert read_distilled(both / "drawn") == first
    assert '"looks"' not in (both / "fast" / "fast.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("prompt", "whose"),
    [
        ("comic book", "drawn"),
        ("a strong comic of a street", "drawn"),
        ("ink drawing", "drawn"),
        ("bronze", "fast"),
        ("comic in bronze", "fast"),
        ("comic in ink", "fast"),
        ("", "fast"),
    ],
)
def test_a_prompt_of_one_of_its_looks_alone_is_served_by_it(both: Path, prompt: str, whose: str) -> None:
    assert folder_of(resolve(str(both)).distilled_for(replace(DRAFT, prompt=prompt))) == whose


@pytest.mark.parametrize("changes", [{"quality": "standard"}, {"quality": "high"}, {"steps": 4}, {"controls": ()}])
def test_what_it_cannot_do_is_left_to_the_others(both: Path, changes: dict[str, Any]) -> None:
    asked = replace(COMIC, **changes)
    general = resolve(str(both)).distilled[1].schedule(asked)
    found = resolve(str(both)).distilled_for(asked)
    assert (found is None) == (general is None)
    assert found is None or found[0].folder.name == "fast"


def test_its_weights_sample_and_nothing_of_them_stays(drawing: SDModel, model: SDModel, frames: torch.Tensor) -> None:
    bronze = replace(BRONZE, attention="none")  # what a model attends by itself goes by whether it lists its looks
    other, _ = restyled(drawing, bronze, frames)
    drawn, calls = restyled(drawing, COMIC, frames)
    served = drawing.fast_for(COMIC)
    assert served is not None and calls == served[1].evaluations(COMIC) == len(THREE) + 1
    assert [step.level for step in prepare(drawing, COMIC).trajectory.steps] == list(THREE)
    assert torch.equal(restyled(drawing, bronze, frames)[0], other)
    # The model whose tier serves all alone makes the same of the other look, and something else of this one.
    assert torch.equal(restyled(model, bronze, frames)[0], other)
    assert not torch.allclose(restyled(model, COMIC, frames)[0], drawn)


def test_the_fingerprint_and_the_inversion_say_whose_weights(drawing: SDModel) -> None:
    comic, bronze = prepare(drawing, COMIC), prepare(drawing, BRONZE)
    assert comic.inversion_fingerprint == bronze.inversion_fingerprint
    assert comic.fingerprint["fast"] != bronze.fingerprint["fast"]


def test_it_is_a_part_of_the_weights_only_where_it_serves(both: Path, clip: Path) -> None:
    def used(model: Path, *looks: RestyleOptions) -> dict[str, object]:
        numbered = dict(enumerate(looks, 1))
        asked = RenderRequest(source=clip, output=Path("out.mov"), options=DRAFT, model=str(model), looks=numbered)
        return weights_behind(asked)

    comic, bronze = used(both, COMIC), used(both, BRONZE)
    assert ("drawn" in comic, "fast" in comic) == (True, False)
    assert ("drawn" in bronze, "fast" in bronze) == (False, True)
    assert {"drawn", "fast"} < used(both, COMIC, BRONZE).keys()
    assert comic["drawn"] == identity(resolve(str(both)).source, tiers=["drawn"])["drawn"]
    assert not same_weights(comic, {**comic, "drawn": None})
    assert not same_weights({key: value for key, value in comic.items() if key != "drawn"}, comic)


def test_one_of_other_weights_is_refused(both: Path, tmp_path: Path) -> None:
    other = tmp_path / "model"
    shutil.copytree(both, other)
    write_settings(replace(read_distilled(other / "drawn"), unet="another"))
    with pytest.raises(ModelError, match=r"drawn was distilled for another UNet") as raised:
        _ = resolve(str(other)).distilled
    assert "remove" in raised.value.remedy


def test_what_a_model_is_names_its_drawn_looks(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit.models import resolve as resolving

    monkeypatch.setattr(resolving, "EMBEDDED", both)
    told = describe("embedded")
    assert (told["drawn"], told["fast_tier"]) == (["comic", "ink"], list(SCHEDULES))


@pytest.mark.parametrize("looks", [[1], "comic", []])
def test_looks_that_are_no_names_are_refused(both: Path, tmp_path: Path, looks: object) -> None:
    folder = tmp_path / "drawn"
    shutil.copytree(both / "drawn", folder)
    said = json.loads((folder / "fast.json").read_text("utf-8"))
    (folder / "fast.json").write_text(json.dumps({**said, "looks": looks}), "utf-8")
    with pytest.raises(ModelError, match="looks is a list of names"):
        read_distilled(folder)
