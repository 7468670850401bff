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
from vedit.options.injection import Injection, parse_injection
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.evaluations import few_steps_for
from vedit.render.parts import check_parts, options_facts
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.sample_clip.clip import write_sample


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
        ({"inversion": "ddpm", "start": "noise"}, "inversion is ddpm with start noise"),
        ({"inject": "0.8", "start": "noise"}, "with start noise, which inverts nothing"),
        ({"inversion": "ddim", "fixed_point": 2}, "evaluates each step once"),
        ({"inversion": "ddpm", "inversion_steps": 2}, "noise maps are of the sampling's own steps"),
        ({"inversion": "null-text"}, "null-text"),
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
    for settings in ({"inversion": "ddim"}, {"inject": "0.8"}):
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
