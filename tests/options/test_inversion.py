"""What may be said of the inversion: refused in one line where it cannot act, and left out of digests where it is not
said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vedit.cli import main
from vedit.errors import InputError, SettingError
from vedit.models.recipes import own_words
from vedit.models.resolve import resolve
from vedit.options.controls import parse_control
from vedit.options.injection import Injection, parse_injection
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.conditioning import hashed
from vedit.render.evaluations import few_steps_for
from vedit.render.parts import check_parts, options_facts
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.sample_clip.clip import write_sample
from vedit.types import ControlSchedule, ControlSpec


@pytest.mark.parametrize(
    ("text", "expected"), [("0.8,0.5", (0.8, 0.5)), ("0.8", (0.8, 0.0)), (" 0 , 1 ", (0.0, 1.0)), (".25", (0.25, 0.0))]
)
def test_injection_is_read(text: str, expected: tuple[float, float]) -> None:
    assert parse_injection(text) == Injection(features=expected[0], attention=expected[1])


@pytest.mark.parametrize("text", ["", "0.8;0.5", "0.8,0.5,0.1", "1.2", "0,1.01", "-0.5", "nan", "0,0", "0", "all"])
def test_anything_else_is_refused_with_the_value_and_the_form(text: str) -> None:
    with pytest.raises(SettingError, match="inject is") as caught:
        RestyleOptions(inject=text)
    assert caught.value.remedy and "\n" not in str(caught.value)


def test_steps_with_injection_are_those_before_its_end() -> None:
    assert [Injection(features=0.8, attention=0.5).steps_of(count) for count in (1, 2, 5, 10)] == [0, 1, 4, 8]
    assert Injection(features=0.2, attention=1.0).steps_of(10) == 10


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"steps": 3, "inject": "0.3"},
            "0.3 for features, which is less than one of 3 sampling steps; .* at least 0.34",
        ),
        ({"steps": 4, "strength": 0.5, "inject": "0.8,0.4"}, "0.4 for attention, which is less than one of 2"),
        ({"steps": 2, "strength": 0.5, "inject": "0,0.5"}, "less than the one sampling step; give at least 1"),
    ],
    ids=str,
)
def test_injection_that_reaches_no_step_is_refused(settings: dict[str, Any], told: str) -> None:
    traits = resolve("embedded").traits
    with pytest.raises(SettingError, match=told):
        traits.check(RestyleOptions(prompt="night", **settings), model="embedded")
    nothing: dict[str, Any] = {**settings, "strength": 0.0, "steps": 4}
    traits.check(RestyleOptions(prompt="night", **nothing), model="embedded")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"inversion": "ddpm", "start": "noise"}, "inversion is ddpm with start noise"),
        ({"inject": "0.8", "start": "noise"}, "with start noise, which inverts nothing"),
        ({"inversion": "ddim", "fixed_point": 2}, "evaluates each step once"),
        ({"inversion": "ddpm", "inversion_steps": 2}, "noise maps are of the sampling's own steps"),
        ({"inversion": "null-text"}, "null-text"),
        (
            {"controls": (parse_control("tile:0.5,invert=0.2"),), "start": "noise"},
            "tile has an invert with start noise",
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        RestyleOptions(**settings)


def test_left_alone_they_are_in_no_digest() -> None:
    """What was rendered before is known again."""
    plain = options_facts(RestyleOptions(prompt="night"))
    assert not {"inversion", "inject"} & plain.keys()
    said = options_facts(RestyleOptions(prompt="night", inversion="ddpm", inject="0.8,0.5"))
    assert (said["inversion"], said["inject"]) == ("ddpm", "0.8,0.5")


@pytest.mark.parametrize("settings", [{"inversion": "ddpm"}, {"inversion": "ddim"}, {"inject": "0.8"}])
def test_fast_tiers_and_recipes_stand_back(settings: dict[str, Any]) -> None:
    model, plain = resolve("embedded"), RestyleOptions(prompt="night")
    assert few_steps_for(model, plain) is not None
    assert few_steps_for(model, replace(plain, **settings)) is None
    assert own_words(replace(plain, **settings)) and not own_words(plain)


def test_a_record_says_them(tmp_path: Path) -> None:
    options = RestyleOptions(prompt="night", inversion="ddpm", inject="0.8,0.5")
    request = RenderRequest(source=tmp_path / "clip.mp4", options=options)
    told = json.loads(json.dumps(as_recorded(request, tmp_path)))
    assert as_asked(told, tmp_path).options == options
    del told["options"]["inversion"], told["options"]["inject"]
    assert as_asked(told, tmp_path).options == RestyleOptions(prompt="night")


class Still:
    """A pipeline that inverts nothing."""

    inverts = False


def _still(_: str) -> Still:
    return Still()


def test_a_pipeline_that_inverts_nothing_refuses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedit.render.parts.load_pipeline", _still)
    check_parts(RestyleOptions(prompt="night"))
    for settings in ({"inversion": "ddim"}, {"inject": "0.8"}, {"controls": (parse_control("tile:0.5,invert=0.2"),)}):
        with pytest.raises(InputError, match="inverts nothing"):
            check_parts(RestyleOptions(prompt="night", **settings))  # pyright: ignore[reportArgumentType]


def test_on_the_command_line_they_are_planned_and_mistakes_end_in_2(tmp_path: Path) -> None:
    clip = write_sample(tmp_path / "clip.mp4", frames=3).path

    def planned(*words: str) -> Any:
        return CliRunner().invoke(main, ["restyle", str(clip), "-p", "night", "--dry-run", "--json", *words])

    usual = json.loads(planned("--steps", "10").stdout)["network_evaluations_per_frame"]
    found = json.loads(planned("--steps", "10", "--inversion", "ddpm", "--inject", "0.8,0.5").stdout)
    # Ten fixed points of two, or ten noise maps and eight steps beside the source.
    assert found["network_evaluations_per_frame"] == usual - 10 + 8
    for words in (("--inversion", "ddpn"), ("--inject", "2"), ("--inject", "0.8;0.5")):
        result = planned(*words)
        assert result.exit_code == 2 and words[1] in result.stderr


@pytest.mark.parametrize(
    ("text", "invert", "mask"),
    [
        ("softedge:0.8@0-0.6,invert=0.5", ControlSchedule(scale=0.5), None),
        ("softedge, invert = 0.5@0-0.4 ,mask=a,b.png", ControlSchedule(scale=0.5, end=0.4), "a,b.png"),
        ("softedge,invert=0", ControlSchedule(scale=0), None),
        ("softedge,mask=invert=1.png", None, "invert=1.png"),
    ],
)
def test_a_control_says_how_it_acts_in_the_inversion(
    text: str, invert: ControlSchedule | None, mask: str | None
) -> None:
    spec = parse_control(text)
    assert spec.invert == invert
    assert spec.mask == (None if mask is None else Path(mask))
    assert parse_control(str(spec)) == spec


@pytest.mark.parametrize(
    "text", ["tile,invert=", "tile,invert=x", "tile,invert=0.5@1-0", "tile,invert=11", "tile,mask=a.png@,invert"]
)
def test_a_schedule_that_cannot_be_is_refused(text: str) -> None:
    if text.endswith(",invert"):
        assert parse_control(text).mask == Path("a.png@,invert")
        return
    with pytest.raises(InputError):
        parse_control(text)


def test_a_schedule_of_the_inversion_is_recorded_and_else_in_no_digest(tmp_path: Path) -> None:
    plain, said = ControlSpec(kind="tile"), ControlSpec(kind="tile", invert=ControlSchedule(scale=0.5))
    assert hashed(plain) == {"kind": "tile", "scale": 1.0, "start": 0.0, "end": 1.0, "mask": None, "source": None}
    assert hashed(said) != hashed(plain)
    options = RestyleOptions(prompt="night", controls=(said,))
    told = json.loads(json.dumps(as_recorded(RenderRequest(source=tmp_path / "a.mp4", options=options), tmp_path)))
    assert as_asked(told, tmp_path).options == options
    for one in told["options"]["controls"]:
        del one["invert"]
    assert as_asked(told, tmp_path).options == replace(options, controls=(plain,))
    model = resolve("embedded")
    usual = RestyleOptions(prompt="night")
    scheduled = tuple(replace(spec, invert=ControlSchedule(scale=0.5)) for spec in usual.controls)
    assert few_steps_for(model, replace(usual, controls=scheduled)) is None
