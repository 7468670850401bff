"""The one table of settings: a field with metadata is everywhere at once, and whatever is made of the fields agrees."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

from tests.support.plugged import plugged_in
from tests.support.written import ROOT, api_text, edit_text, host_text
from vedit.checks.arguments import checked
from vedit.checks.setting import About, Setting, same_as, setting, settings_of
from vedit.cli import main
from vedit.cli.grouped import COMMON, GROUPS, OTHER, Grouped
from vedit.cli.plan import edit_command
from vedit.cli.restyle import restyle_command
from vedit.cli.setting_options import held, parameter_of
from vedit.cli.settings import SETTINGS, SHARED, option_keys, restyle_keys, said_once
from vedit.edits.plan_schema import plan_schema
from vedit.errors import ArgumentError, SettingError
from vedit.media.output import OutputOptions
from vedit.nle_hosts.settings import ABOUT
from vedit.nle_hosts.settings import SETTINGS as HOST_SETTINGS
from vedit.options.look_schema import LOOK, check_table, look_keys, table_schema
from vedit.options.masks import MaskSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.source import SourceOptions
from vedit.options.table import BOUNDS, HOLDERS
from vedit.types import ControlSpec


@checked
@dataclass(frozen=True, kw_only=True)
class Grainy(RestyleOptions):
    """The options of a look, and one more setting, which is written here and nowhere else."""

    film_grain: float = setting(
        0.25,
        About("How much grain is added.", stage="finishing", bounds=(0, 2), once=True, host=True, python="1 is much"),
    )


def every() -> list[Setting]:
    return list({(one.name, one.about.text): one for holder in HOLDERS for one in settings_of(holder)}.values())


def test_a_new_field_is_checked_in_python() -> None:
    assert Grainy(film_grain=2).film_grain == 2.0
    with pytest.raises(SettingError, match="film_grain is 3; give a number from 0 to 2"):
        Grainy(film_grain=3)
    with pytest.raises(SettingError, match="strength is 5; give a number from 0 to 1"):
        Grainy(strength=5)
    with pytest.raises(ArgumentError, match=r"film_grian.*film_grain"):
        cast("Any", Grainy)(film_grian=1)


def test_a_new_field_is_an_option_of_the_command_line() -> None:
    found: list[dict[str, Any]] = []

    @click.command(cls=Grouped)
    @held("look", Grainy, "strength", "film_grain")
    def command(look: dict[str, Any]) -> None:
        found.append(look)

    run = CliRunner()
    assert run.invoke(command, ["--film-grain", "1.5"]).exit_code == run.invoke(command, []).exit_code == 0
    assert found == [{"strength": None, "film_grain": 1.5}, {"strength": None, "film_grain": 0.25}]
    assert "0<=x<=2" in run.invoke(command, ["--film-grain", "2.5"]).output
    told = " ".join(run.invoke(command, ["--help"]).output.split())
    assert "Finishing: --film-grain FLOAT RANGE How much grain is added. [default: 0.25; 0<=x<=2]" in told


def test_a_new_field_is_a_key_of_plans_and_their_schema() -> None:
    keys = look_keys(Grainy)
    assert list(keys) == [*LOOK, "film_grain"]
    assert check_table({"film_grain": 1}, keys, "shot 1") == {"film_grain": 1}
    assert keys["film_grain"].fault(3) == "lies between 0 and 2"
    schema = cast("dict[str, Any]", table_schema(keys)["properties"])["film_grain"]
    assert schema == {"type": "number", "minimum": 0, "maximum": 2, "description": "How much grain is added."}


def test_a_new_field_is_said_once_for_all() -> None:
    assert list(said_once(Grainy)) == [*said_once(RestyleOptions), "film_grain"]


@pytest.mark.parametrize(("write", "name"), [(edit_text, "edits/edit.py"), (api_text, "api.py")])
def test_a_new_field_is_an_argument_of_the_python_api(write: Any, name: str) -> None:
    there = (ROOT / "vedit" / name).read_text("utf-8")
    text = write(there, Grainy)
    added = set(text.splitlines()) - set(there.splitlines())
    assert {line.strip() for line in added} == {
        "film_grain: float = 0.25,",
        "film_grain: 0 to 2: how much grain is added; 1 is much.",
    }
    compile(text, name, "exec")


def test_a_new_field_is_a_setting_of_the_host_scripts() -> None:
    held_by: dict[str, Any] = {}
    exec(compile(host_text("", Grainy), "settings.py", "exec"), held_by)
    assert held_by["SETTINGS"]["film_grain"] == "--film-grain"
    assert held_by["ABOUT"]["film_grain"] == {
        "description": "How much grain is added.",
        "default": 0.25,
        "min": 0,
        "max": 2,
    }


@pytest.mark.parametrize("name", ["pipeline", "attention", "upscale"])
def test_a_plug_ins_name_is_taken_wherever_the_setting_is(name: str) -> None:
    (one,) = (each for each in settings_of(RestyleOptions) if each.name == name)
    assert one.about.plugged is not None
    assert one.own.endswith(" or a plug-in's")
    known = one.about.choices[0]
    near = f"{known}x"
    groups = {"pipeline": "vedit.pipelines", "attention": "vedit.attention", "upscale": "vedit.upscalers"}

    @click.command(cls=Grouped)
    @held("look", RestyleOptions, name)
    def command(look: dict[str, Any]) -> None:
        assert look == {name: "mine"}

    run, words = CliRunner(), (f"--{name}", "mine")
    with plugged_in(one.about.plugged, groups[name], {"mine": "nowhere:mine"}):
        assert getattr(cast("Any", RestyleOptions)(**{name: "mine"}), name) == "mine"
        assert run.invoke(command, words).exit_code == 0
        assert LOOK[name].fault("mine") is None
    told = run.invoke(command, (f"--{name}", near))
    assert told.exit_code == 2 and f"is named '{near}'; did you mean '{known}'? known: " in told.output
    assert LOOK[name].fault(near) == f"is one of {', '.join(one.about.choices)}: did you mean '{known}'?"
    assert "enum" not in LOOK[name].schema(), "the schema of one machine would refuse the plug-ins of another"
    told = run.invoke(command, ["--help"])
    assert "".join(one.own.split()) in "".join(told.output.split()), "lines break in it"


def test_a_field_once_more_says_the_same() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Other:
        grain: float = same_as(Grainy, "film_grain")

    (one,) = settings_of(Other)
    (grain,) = (each for each in settings_of(Grainy) if each.name == "film_grain")
    assert (one.about, one.bound, one.default, one.option) == (grain.about, grain.bound, grain.default, "grain")


@pytest.mark.parametrize("holder", [RestyleOptions, OutputOptions, SourceOptions, MaskSpec])
def test_every_field_is_in_the_table(holder: type) -> None:
    assert [one.name for one in settings_of(holder)] == [field.name for field in fields(holder)]


@pytest.mark.parametrize("one", every(), ids=lambda one: one.name)
def test_each_text_is_a_sentence(one: Setting) -> None:
    for text in (one.about.text, *filter(None, [one.about.off])):
        assert re.fullmatch(r"[A-Z0-9w].*\.", text), text
    for clause in (one.about.cli, one.about.plan, one.about.python, one.about.unset):
        assert not clause.endswith("."), clause
    if one.bound is not None:
        assert one.default is None or one.bound.holds(one.default)
    if one.values:
        assert one.default is None or one.default in one.values


@pytest.mark.parametrize("one", [one for one in every() if one.option], ids=lambda one: one.name)
def test_the_option_of_restyle_says_what_the_table_says(one: Setting) -> None:
    option = cast("Any", option_keys(restyle_command)[one.config_key])
    assert f"--{one.option}" in option.opts
    assert option.name == parameter_of(one)
    assert option.help.startswith((one.about.off or one.about.text).removesuffix("."))
    assert option.heading == (COMMON if one.about.common else GROUPS[one.about.stage])
    assert option.multiple == one.about.several
    if one.bound is not None:
        assert option.type.min == one.bound.low
        assert option.type.max == (None if one.bound.high == float("inf") else one.bound.high)
    if one.values:
        assert tuple(option.type.choices) == one.choices
    if not one.about.several:
        wanted = not one.default if one.about.off else one.default
        assert option.get_default(click.Context(restyle_command)) == wanted


def test_the_config_file_has_what_is_said_once() -> None:
    keys, _ = restyle_keys()
    assert set(keys) == set(SETTINGS) == {one.config_key for one in every() if one.about.once} | {"quiet"}
    assert set(SHARED) < set(SETTINGS)
    for one in every():
        if one.about.once:
            key = keys[one.config_key]
            assert (key.kind, key.several, key.choices) == (one.kind, one.about.several, one.choices)
            assert one.bound is None or (key.minimum, key.maximum) == (one.bound.low, one.bound.high)


def test_plans_have_the_keys_of_the_table() -> None:
    own = {one.key for one in settings_of(RestyleOptions)}
    assert set(LOOK) == own | {"from", "invert_mask", "grow", "feather"}
    properties = cast("dict[str, dict[str, Any]]", plan_schema()["properties"])
    top = {one.key for one in settings_of(RenderRequest) if one.key}
    assert set(properties) == top | {"source", "default", "edit", "shot"}
    assert properties["track"]["minimum"] == 0
    for one in settings_of(RestyleOptions):
        if not one.about.several:
            said = properties["default"]["properties"][one.key]
            assert said["description"].startswith(one.about.text.removesuffix("."))
            assert tuple(said.get("enum", ())) == one.choices


def test_bounds_are_those_of_the_fields() -> None:
    held_by = {one.name: one.bound for holder in (RestyleOptions, MaskSpec) for one in settings_of(holder) if one.bound}
    assert held_by == {name: bound for name, bound in BOUNDS.items() if not name.startswith("control ")}


def test_host_scripts_hand_on_what_the_table_says() -> None:
    hosts = {one.config_key: one for one in every() if one.about.host}
    assert {key: f"--{one.option}" for key, one in hosts.items()} == HOST_SETTINGS
    assert {key: ABOUT[key]["default"] for key in ABOUT} == {
        key: one.default for key, one in hosts.items() if not one.about.several
    }


def commands(command: click.Command, name: str = "vedit") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for key, inner in command.commands.items():
            yield from commands(inner, f"{name} {key}")
    else:
        yield name, command


@pytest.mark.parametrize(("name", "command"), [pytest.param(*one, id=one[0]) for one in commands(main)])
def test_a_command_takes_few_arguments(name: str, command: click.Command) -> None:
    taken = inspect.signature(cast("Any", command.callback)).parameters
    assert len(taken) < 12, f"{name} takes {', '.join(taken)}: gather some of them"


@pytest.mark.parametrize("command", [restyle_command, edit_command], ids=["restyle", "edit"])
def test_the_help_is_in_groups_the_common_ones_first(command: click.Command) -> None:
    told = CliRunner().invoke(command, ["--help"]).output.partition("\nOptions:\n")[2]
    headings = re.findall(r"^(\S.*):$", told, re.MULTILINE)
    order = [*GROUPS.values(), OTHER]
    assert headings == [name for name in order if name in headings], "in the order of the stages"
    assert {"Look", "Source", "Written file", "Run", OTHER} <= set(headings)
    shown = re.findall(r"^  (?:-\w, )?--([\w-]+)", told, re.MULTILINE)
    known = {max(one.opts, key=len).removeprefix("--") for one in command.params if isinstance(one, click.Option)}
    assert sorted(shown) == sorted({*known, "help"}), "each once"


def test_the_most_used_options_of_restyle_come_first() -> None:
    told = CliRunner().invoke(restyle_command, ["--help"]).output.partition("\nOptions:\n")[2].partition("\nLook:\n")[0]
    first = re.findall(r"^  (?:-\w, )?--([\w-]+)", told, re.MULTILINE)
    assert {"prompt", "strength", "quality", "seed", "control", "mask", "range", "output", "dry-run"} <= set(first)
    assert len(first) < 20


def test_controls_say_where_a_control_video_comes_from() -> None:
    assert [one.option for one in settings_of(ControlSpec)] == ["from"]
