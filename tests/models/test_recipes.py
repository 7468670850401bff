"""Recipes of looks: which prompt names one look, what a recipe sets and when, and that it is damaged in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import two_shots
from tests.support.resolved import settled_request
from vedit import api
from vedit.embedded import FOLDER
from vedit.errors import ModelError
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.recipes import RECIPE, by_recipe, recipe_notes, recipe_of, without_recipe
from vedit.models.resolve import resolve
from vedit.options.masks import KeyedBox, MaskSpec, RegionSpec
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.render.evaluations import evaluations
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

OIL = {
    "variation": 0.6,
    "inversion_steps": 2,
    "fixed_point": 1,
    "steps": 4,
    "guidance": 1.0,
    "controls": ["tile:0.9", "softedge"],
}
LOOKS: list[dict[str, Any]] = [
    {"name": "photograph", "kind": "plain", "wordings": ["a photograph", "photo"]},
    {"name": "oil", "kind": "medium", "wordings": ["an oil painting"], "recipe": {"standard": OIL}},
    {"name": "gold", "kind": "material", "wordings": ["made of gold"], "recipe": {"draft": {"variation": 0.3}}},
    {"name": "night", "kind": "light", "wordings": ["night scene", "at night"]},
    {"name": "subtle", "kind": "strength", "wordings": ["with a light touch"]},
    {"name": "blue and gold", "kind": "palette", "wordings": ["in blue and gold"]},
]


def plainly(options: RestyleOptions) -> RestyleOptions:
    """What comes back where no recipe serves: a variation is said, so that none will later."""
    return replace(options, variation=options.variation or 0.0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture(scope="module")
def model(plain: Path) -> str:
    (plain / "looks.json").write_text(json.dumps({"looks": LOOKS, "words": ["oil", "painting"]}), "utf-8")
    return str(plain)


@pytest.mark.parametrize(
    ("prompt", "look"),
    [
        ("an oil painting", "oil"),
        ("Oil-painting, of a dog", "oil"),
        ("oil", "oil"),
        ("a subtle oil painting with a light touch", "oil"),
        ("oil in blue and gold", "oil"),
        ("an oil painting at night", None),
        ("night scene", None),
        ("in blue and gold", None),
        ("a boiled painting", None),
        ("", None),
    ],
)
def test_a_prompt_that_names_one_look_has_its_recipe(model: str, prompt: str, look: str | None) -> None:
    found = recipe_of(RestyleOptions(prompt=prompt), resolve(model))
    assert (None if found is None else found.look) == look


def test_a_recipe_sets_what_nobody_has_said_once(model: str) -> None:
    asked = RestyleOptions(prompt="an oil painting", strength=0.5, seed=4)
    found = by_recipe(asked, resolve(model))
    assert found == replace(
        asked,
        variation=0.6,
        inversion_steps=2,
        fixed_point=1,
        steps=4,
        guidance=1.0,
        controls=(ControlSpec(kind="tile", scale=0.9), ControlSpec(kind="softedge")),
    )
    assert by_recipe(found, resolve(model)) == found
    assert recipe_notes([asked], resolve(model)) == recipe_notes([found], resolve(model))
    assert "variation 0.6, inversion steps 2" in recipe_notes([asked], resolve(model))[0]


@pytest.mark.parametrize(
    "own",
    [
        {"variation": 0.6},
        {"variation": 0.0},
        {"steps": 12},
        {"inversion_steps": 3},
        {"fixed_point": 1},
        {"guidance": 3.0},
        {"controls": (ControlSpec(kind="tile"),)},
        {"keep": "faces"},
        {"start": "noise"},
        {"negative_prompt": "blur"},
        {"regions": (RegionSpec(mask=MaskSpec(boxes=(KeyedBox(left=0, top=0, width=9, height=9),)), prompt="x"),)},
    ],
    ids=lambda own: next(iter(own)),
)
def test_what_is_said_goes_before_the_recipe(model: str, own: dict[str, Any]) -> None:
    asked = RestyleOptions(prompt="oil", **own)
    assert by_recipe(asked, resolve(model)) == plainly(asked)
    (note,) = recipe_notes([asked], resolve(model))
    assert "is left out, because of: " + next(iter(own)).split("_")[0] in note.replace("a negative", "negative")


def test_a_recipe_is_of_a_quality(model: str) -> None:
    for quality in QUALITIES:
        oil, gold = (
            by_recipe(RestyleOptions(prompt=prompt, quality=quality), resolve(model))  # pyright: ignore[reportArgumentType]
            for prompt in ("oil", "gold")
        )
        assert oil.variation == (0.6 if quality == "standard" else 0.0)
        assert gold.variation == (0.3 if quality == "draft" else 0.0)


def test_a_render_is_planned_made_and_recorded_by_the_recipe(model: str, tmp_path: Path) -> None:
    """What the sidecar says gives the same again, whatever the recipe is by then."""
    clip, output = two_shots(tmp_path / "clip.mov"), tmp_path / "out.mov"
    asked = api.request(
        clip, prompt="oil", seed=4, model=model, output=output, frames="#0..#2", short_side=128, device="cpu"
    )
    planned = api.plan(asked)
    assert planned.steps == 4
    assert planned.network_evaluations_per_frame == 2 + 4
    assert any("oil by its recipe" in note for note in planned.notes)
    assert not any("seed" in note for note in planned.notes), "it acts"
    result = api.restyle(asked)
    assert any("oil by its recipe" in note for note in result.notes)
    told = json.loads(sidecar_path(output).read_text("utf-8"))["recipe"]
    assert {key: told[key] for key in OIL if key != "controls"} == {k: v for k, v in OIL.items() if k != "controls"}
    assert told["seed"] == 4
    again = RestyleOptions(
        prompt="oil",
        seed=4,
        short_side=128,
        strength=told["strength"],
        controls=settled_request(asked).options.controls,
        attention=told["attention"],
        **{key: told[key] for key in RECIPE if key != "controls"},
    )
    assert by_recipe(again, resolve(model)) == again == settled_request(asked).options


def test_without_looks_or_recipes_nothing_is_set(plain: Path, tmp_path: Path) -> None:
    asked = RestyleOptions(prompt="oil")
    other = tmp_path / "model"
    other.mkdir()
    for path in plain.iterdir():
        if path.name != "looks.json":
            (other / path.name).symlink_to(path)
    assert by_recipe(asked, resolve(str(other))) == plainly(asked)
    night = RestyleOptions(prompt="night")
    assert by_recipe(night, resolve(str(plain))) == plainly(night)


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"recipe": {"standard": {"variation": 2}}}, "variation = 2"),
        ({"recipe": {"best": {"variation": 0.5}}}, "'best'"),
        ({"recipe": {"standard": {"seed": 2}}}, "no key 'seed'"),
        ({"recipe": {"standard": {"steps": 2, "inversion_steps": 3}}}, "inversion_steps is 3 of 2"),
        ({"recipe": {"standard": 5}}, "is no table"),
        ({"recipe": [1]}, "cannot be used"),
        ({"wordings": None, "recipe": {"standard": {"variation": 0.5}}}, "wordings"),
    ],
)
def test_a_recipe_that_cannot_be_is_damage(plain: Path, tmp_path: Path, look: dict[str, Any], said: str) -> None:
    other = tmp_path / "model"
    other.mkdir()
    for path in plain.iterdir():
        if path.name != "looks.json":
            (other / path.name).symlink_to(path)
    told = {"looks": [{"name": "oil", "kind": "medium", "wordings": ["oil"], **look}], "words": []}
    (other / "looks.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(ModelError, match=r"looks\.json") as caught:
        recipe_of(RestyleOptions(prompt="oil"), resolve(str(other)))
    assert said in str(caught.value)


def test_an_inversion_of_fewer_steps_stops_where_the_sampling_does(model: str) -> None:
    from vedit.models.load import load

    loaded = load(resolve(model), controls=("tile", "softedge"))
    for strength in (0.0, 0.25, 0.5, 1.0):
        options = RestyleOptions(prompt="x", steps=8, inversion_steps=4, fixed_point=2, guidance=1.0, strength=strength)
        restyler = prepare(loaded, options)
        sampled, stops = ([step.level for step in one.steps] for one in (restyler.trajectory, restyler.inversion))
        assert len(sampled) == int(8 * strength)
        assert stops[:1] == sampled[:1]
        assert set(stops) <= set(sampled)
        assert len(stops) == {0.0: 0, 0.25: 1, 0.5: 2, 1.0: 4}[strength]
        assert evaluations(resolve(model), options) == 2 * len(stops) + len(sampled)
    whole = prepare(loaded, RestyleOptions(prompt="x", steps=8, inversion_steps=8))
    assert whole.inversion == whole.trajectory


def test_what_ships_can_be_read() -> None:
    document = json.loads((FOLDER / "looks.json").read_text("utf-8"))
    for look in document["looks"]:
        for quality in look.get("recipe", {}):
            options = RestyleOptions(prompt=look["wordings"][0], quality=quality)
            found = recipe_of(options, resolve("embedded"))
            assert found is not None, f"{options.prompt} names another look than {look['name']}"
            assert found.look == look["name"]
            assert by_recipe(options, resolve("embedded")) != plainly(options)


def test_what_a_recipe_has_set_can_be_taken_out_again(model: str) -> None:
    asked = RestyleOptions(prompt="an oil painting", seed=3)
    served = by_recipe(asked, resolve(model))
    assert served != asked
    assert without_recipe(served, resolve(model)) == asked
    for own in (replace(asked, steps=7), replace(served, variation=0.1), replace(asked, prompt="night scene")):
        assert without_recipe(own, resolve(model)) == own
