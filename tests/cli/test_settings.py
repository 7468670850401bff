"""Options that are said once for all renders: who wins, what is refused, and what `vedit config` shows of it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import FakeRender, only
from tests.cli.test_cli import render as render
from vedit.cli import main
from vedit.cli.plan import edit_command
from vedit.cli.restyle import restyle_command
from vedit.cli.settings import OWN_VARIABLES, SETTINGS, config_path, option_keys, restyle_keys, variable_of
from vedit.cli.timeline import timeline_command
from vedit.options.table import BOUNDS

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["in.mp4", "--prompt", "woodcut"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the file; nothing is there yet."""
    monkeypatch.delenv("VEDIT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home"))
    path = tmp_path / "home" / "vedit" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def vedit(*words: str) -> int:
    """The exit code of `vedit WORDS`."""
    return main(words, standalone_mode=False)


def parsed(*words: str) -> dict[str, Any]:
    """The values that `vedit restyle in.mp4 --prompt woodcut WORDS` is run with."""
    return restyle_command.make_context("restyle", [*WORDS, *words]).params


# Key, parameter, what the file says, what the variable says, what is typed, and what each comes to.
SAID = [
    ("quality", "quality", '"draft"', "high", ("--quality", "standard"), ("draft", "high", "standard")),
    ("seed", "seed", "3", "4", ("--seed", "5"), (3, 4, 5)),
    ("strength", "strength", "1", "0.5", ("--strength", "0.25"), (1.0, 0.5, 0.25)),
    ("bit_depth", "bit_depth", "10", "12", ("--bit-depth", "16"), ("10", "12", "16")),
    ("negative_prompt", "negative_prompt", '"grey"', "red", ("--negative-prompt", ""), ("grey", "red", "")),
    ("control", "control_texts", '["tile"]', "tile:0.5; softedge", ("--control", "none"), (
        ("tile",), ("tile:0.5", "softedge"), ("none",)
    )),
    ("control", "control_texts", '"softedge:0.5"', "none", ("--control", "tile", "--control", "softedge"), (
        ("softedge:0.5",), ("none",), ("tile", "softedge")
    )),
    ("strict", "strict", "true", "0", ("--strict",), (True, False, True)),
    ("strict", "strict", "false", "yes", ("--no-strict",), (False, True, False)),
    ("no_label", "no_label", "true", "off", ("--no-label",), (True, False, True)),
    ("no_label", "no_label", "false", "on", ("--label",), (False, True, False)),
    ("keep-work", "keep_work", "true", "false", ("--keep-work",), (True, False, True)),
    ("allow_unknown", "allow_unknown", "true", "no", ("--no-allow-unknown",), (True, False, False)),
    ("quiet", "quiet", "true", "no", ("-q",), (True, False, True)),
]  # fmt: skip


@pytest.mark.parametrize(("key", "name", "in_file", "in_variable", "typed", "expected"), SAID)
def test_typed_goes_over_the_environment_over_the_file(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    name: str,
    in_file: str,
    in_variable: str,
    typed: tuple[str, ...],
    expected: tuple[object, ...],
) -> None:
    plain = parsed()
    config.write_text(f"{key} = {in_file}\n", "utf-8")
    assert parsed()[name] == expected[0]
    monkeypatch.setenv(variable_of(key.replace("-", "_")), in_variable)
    assert parsed()[name] == expected[1]
    assert parsed(*typed)[name] == expected[2]
    config.unlink()
    assert parsed()[name] == expected[1]
    monkeypatch.setenv(variable_of(key.replace("-", "_")), "")
    assert parsed() == plain, "an empty variable says nothing"


def test_every_switch_among_them_has_an_opposite_that_overrules(config: Path) -> None:
    switches = {key: option for key, option in option_keys(restyle_command).items() if option.is_flag}
    said = {key: option for key, option in switches.items() if key in SETTINGS}
    assert len(said) >= 9
    config.write_text("".join(f"{key} = true\n" for key in said), "utf-8")
    for option in said.values():
        assert parsed()[str(option.name)] is True
        (opposite,) = option.secondary_opts
        assert parsed(opposite)[str(option.name)] is False


def test_the_help_of_a_switch_is_without_its_opposite(capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit("restyle", "--help") == 0
    told = capsys.readouterr().out
    assert "--strict " in told
    assert "--no-strict" not in told and "--label" not in told.replace("--no-label", "")


@pytest.mark.parametrize(
    ("text", "typed", "expected"),
    [
        ('keep = "motion"', ("--control", "tile"), {"keep": None, "control_texts": ("tile",)}),
        ('control = "tile"', ("--keep", "motion"), {"keep": "motion", "control_texts": ()}),
        ("steps = 30", ("--quality", "draft"), {"steps": None, "quality": "draft"}),
        ('quality = "draft"', ("--steps", "30"), {"steps": 30, "quality": "draft"}),
        ('quality = "draft"\nsteps = 30', (), {"steps": 30, "quality": "draft"}),
        ('model = "sd15"\ncontrolnet = "depth=a/b"', ("--model", "embedded"), {"controlnet_texts": ()}),
        ('model = "sd15"\ncontrolnet = "depth=a/b"', (), {"controlnet_texts": ("depth=a/b",), "model": "sd15"}),
    ],
)
def test_what_is_said_nearer_sets_aside_what_it_replaces(
    config: Path, text: str, typed: tuple[str, ...], expected: dict[str, object]
) -> None:
    config.write_text(text, "utf-8")
    found = parsed(*typed)
    assert {name: found[name] for name in expected} == expected


def test_the_environment_sets_aside_what_it_replaces_in_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('keep = "motion"\nsteps = 30\n', "utf-8")
    monkeypatch.setenv("VEDIT_CONTROL", "none")
    monkeypatch.setenv("VEDIT_QUALITY", "draft")
    found = parsed()
    assert (found["keep"], found["control_texts"], found["steps"], found["quality"]) == (None, ("none",), None, "draft")


BAD = [
    ('qualty = "draft"', ("'qualty'", "'quality'")),
    ('quality = "fine"', ("quality = 'fine'", "draft, standard, high")),
    ("quality = 3", ("quality = 3", "a text")),
    ("strength = 1.5", ("strength = 1.5", "between 0 and 1")),
    ("strength = nan", ("strength = nan", "between 0 and 1")),
    ('seed = "one"', ("seed = 'one'", "a whole number")),
    ("seed = 1.0", ("seed = 1.0", "a whole number")),
    ("strict = 1", ("strict = 1", "true or false")),
    ('strict = "yes"', ("strict = 'yes'", "true or false")),
    ("bit_depth = 9", ("bit_depth = 9", "a text")),
    ('bit_depth = "9"', ("bit_depth = '9'", "8, 10, 12, 16")),
    ("control = [1]", ("control = [1]", "a list of texts")),
    ('control = "tile:x"', ("control", "tile:x")),
    ('control = "tile,mask=sky.png"', ("control", "mask")),
    ('controlnet = "depth"', ("controlnet", "'depth'", "KIND=MODEL")),
    ('model = "models/nosuch.safetensors"', ("model = 'models/nosuch.safetensors'", "absolute path")),
    ('model = "/nosuch/model.safetensors"', ("model", "/nosuch/model.safetensors")),
    ('model = "emboded"', ("model = 'emboded'", "listed name")),
    ('keep = "faces"\ncontrol = "tile"', ("keep", "control", "exclude")),
    ('codec = "h265"', ("codec = 'h265'", "hevc")),
    ("keep_work = true\nkeep-work = true", ("keep_work", "twice")),
    ("overwrite = true", ("overwrite", "--overwrite")),
    ('output = "x.mp4"', ("output", "--output")),
    ('prompt = "woodcut"', ("prompt", "--prompt")),
    ("[restyle]\nseed = 3", ("'restyle'",)),
    ("seed = ", ("is no TOML", "Invalid value")),
    ("\udcff", ("is no TOML", "UTF-8")),
]


@pytest.mark.parametrize(("text", "told"), BAD)
@pytest.mark.parametrize("words", [("restyle", *WORDS, "--dry-run"), ("config", "show")], ids=["restyle", "show"])
def test_a_fault_in_the_file_is_one_line_with_file_and_key(
    config: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str, told: tuple[str, ...]
) -> None:
    config.write_text(text, "utf-8", errors="surrogateescape")
    assert vedit(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"vedit: error: {config}")
    assert all(part in line for part in told), line


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("VEDIT_QUALTY", "draft", "VEDIT_QUALITY"),
        ("VEDIT_STRCT", "1", "VEDIT_STRICT"),
        ("VEDIT_OFLINE", "1", "VEDIT_OFFLINE"),
        ("VEDIT_QUALITY", "fine", "draft, standard, high"),
        ("VEDIT_STRENGTH", "much", "a number"),
        ("VEDIT_STRENGTH", "2", "between 0 and 1"),
        ("VEDIT_SEED", "1.5", "a whole number"),
        ("VEDIT_STRICT", "perhaps", "true or false"),
        ("VEDIT_CONTROL", "tile; softedge:x", "softedge:x"),
        ("VEDIT_MODEL", "nosuch", "nosuch"),
        ("VEDIT_OVERWRITE", "1", "--overwrite"),
        ("VEDIT_OUTPUT", "x.mp4", "--output"),
        ("VEDIT_CONFIG", "/nosuch/config.toml", "/nosuch/config.toml"),
    ],
)
def test_a_fault_in_the_environment_is_one_line_with_the_variable(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(variable, value)
    for words in (("restyle", *WORDS, "--dry-run"), ("config", "show")):
        assert vedit(*words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"vedit: error: {variable}") and told in line, line


@pytest.mark.parametrize("key", [key for key in SETTINGS if key in BOUNDS])
def test_the_bounds_are_those_of_the_one_table(config: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    bound, name = BOUNDS[key], str(option_keys(restyle_command)[key].name)
    for value in (bound.low, bound.high):
        config.write_text(f"{key} = {value}\n", "utf-8")
        assert parsed()[name] == value
    for value in (bound.low - 1, bound.high + max(1, bound.high / 2**40)):
        text = str(int(value)) if bound.kind == "integer" else repr(value)
        config.write_text(f"{key} = {text}\n", "utf-8")
        assert vedit("config", "show") == 2
        config.unlink()
        with monkeypatch.context() as patch:
            patch.setenv(variable_of(key), text)
            assert vedit("config", "show") == 2


def test_whatever_belongs_to_one_render_is_refused_in_both(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, of_one_render = restyle_keys()
    assert {"output", "overwrite", "prompt", "mask", "region", "range", "fresh", "dry_run", "json"} <= of_one_render
    for key in sorted(of_one_render):
        config.write_text(f"{key} = true\n", "utf-8")
        assert vedit("config", "show") == 2
        assert f"--{key.replace('_', '-')} " in capsys.readouterr().err
        config.unlink()
        with monkeypatch.context() as patch:
            patch.setenv(variable_of(key), "1")
            assert vedit("config", "show") == 2
            assert variable_of(key) in capsys.readouterr().err


def test_variables_of_the_program_keep_their_meaning() -> None:
    read = {
        name
        for path in [*(ROOT / "vedit").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "Makefile"]
        if not path.is_symlink() and path != Path(__file__)
        for name in re.findall(r"(?<![A-Z_])VEDIT_([A-Z_]+[A-Z])", path.read_text("utf-8"))
    }
    options = {key.upper() for key in option_keys(restyle_command)}
    assert options & set(OWN_VARIABLES) == {"MODEL_DIR"}, "which names the same folders as its option"
    assert {"CACHE", "DEBUG", "MODEL_DIR", "OFFLINE", "TEST_DATA"} <= read
    assert read - {"FIRST_FRAME"} <= set(OWN_VARIABLES) | options, "a variable is in no table"


def test_foreign_variables_are_left_alone(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_FARM_TICKET", "17")
    monkeypatch.setenv("VEDIT_OFFLINE", "1")
    assert parsed()["seed"] == 0


def test_what_is_asked_is_as_if_it_had_been_typed(
    config: Path, monkeypatch: pytest.MonkeyPatch, render: FakeRender, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ("--quality", "draft", "--control", "tile:0.5", "--strict", "--codec", "hevc", "--variation", "0.5")
    typed += ("--seed", "7")
    assert vedit("restyle", *WORDS, *typed) == 0
    asked = only(render)
    err = capsys.readouterr().err
    render.requests.clear()
    config.write_text(
        'quality = "draft"\ncontrol = "tile:0.5"\nstrict = true\ncodec = "h264"\nvariation = 0.5\n', "utf-8"
    )
    monkeypatch.setenv("VEDIT_SEED", "7")
    monkeypatch.setenv("VEDIT_CODEC", "hevc")
    assert vedit("restyle", *WORDS) == 0
    assert only(render) == asked
    note, *rest = capsys.readouterr().err.splitlines()
    assert rest == err.splitlines()
    assert note == (
        "vedit: note: from the environment: codec = hevc, seed = 7; "
        f"from {config}: quality = draft, control = tile:0.5, strict = true, variation = 0.5"
    )


def test_a_quiet_run_says_nothing_of_its_settings(
    config: Path, render: FakeRender, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("quiet = true\nseed = 3\n", "utf-8")
    assert vedit("restyle", *WORDS) == 0
    assert capsys.readouterr().err == ""
    assert only(render).options.seed == 3


@pytest.mark.parametrize("command", [edit_command, timeline_command], ids=["edit", "timeline"])
def test_plans_and_timelines_take_what_holds_for_every_file(
    config: Path, monkeypatch: pytest.MonkeyPatch, command: Any
) -> None:
    config.write_text('strict = true\npreset = "archive"\nquality = "draft"\nmodel = "sd15"\nseed = 3\n', "utf-8")
    monkeypatch.setenv("VEDIT_CODEC", "ffv1")
    found = command.make_context("x", ["plan.toml", "--drop-alpha"]).params
    assert (found["strict"], found["preset"], found["codec"], found["drop_alpha"]) == (True, "archive", "ffv1", True)
    assert found.get("quality") is None and found.get("model") is None
    assert command.make_context("x", ["plan.toml", "--no-strict"]).params["strict"] is False


def test_help_is_there_whatever_the_file_says(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("nonsense", "utf-8")
    assert vedit("restyle", "--help") == 0
    assert vedit("config", "--help") == 0
    assert vedit("config", "path") == 0
    assert capsys.readouterr().out.endswith(f"{config}\n")


def test_show_tells_each_value_and_who_says_it(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text('quality = "draft"\ncontrol = ["tile", "softedge:0.5"]\nseed = 3\n', "utf-8")
    monkeypatch.setenv("VEDIT_SEED", "4")
    assert vedit("config", "show", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["present"], list(told["settings"])) == (str(config), True, list(SETTINGS))
    said = told["settings"]
    assert said["quality"] == {
        "value": "draft",
        "source": "file",
        "where": str(config),
        "variable": "VEDIT_QUALITY",
    }
    assert said["control"]["value"] == ["tile", "softedge:0.5"]
    assert (said["seed"]["value"], said["seed"]["source"], said["seed"]["where"]) == (4, "environment", "VEDIT_SEED")
    assert (said["strength"]["value"], said["strength"]["source"]) == (None, "default")
    assert said["guidance"]["value"] is None
    assert vedit("config", "show") == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert rows["quality"].split()[1:] == ["draft", str(config)]
    assert rows["seed"].split()[1:] == ["4", "VEDIT_SEED"]
    assert "the model's own" in rows["guidance"] and rows["guidance"].endswith("default")


@pytest.mark.skipif(sys.platform == "win32", reason="the folders of another system")
def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VEDIT_CONFIG")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config_path() == tmp_path / ".config/vedit/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config_path() == tmp_path / ".config/vedit/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "x"))
    assert config_path() == tmp_path / "x/vedit/config.toml"
    monkeypatch.setenv("VEDIT_CONFIG", "~/mine.toml")
    assert config_path() == tmp_path / "mine.toml"


def test_where_the_file_is_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VEDIT_CONFIG")
    monkeypatch.setenv("APPDATA", "/roaming")
    monkeypatch.setattr(sys, "platform", "win32")
    assert config_path() == Path("/roaming/vedit/config.toml")


def test_the_page_names_every_setting_and_variable() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert not [key for key in SETTINGS if f"`{key}`" not in page]
    of_tests = {"CHROMIUM", "MEDIA_SCALE", "REQUIRE_GPU", "TEST_DATA", "WRITE_DOCS"}
    assert not [name for name in set(OWN_VARIABLES) - of_tests if f"`VEDIT_{name}`" not in page]
