"""Completion in the shell: the values that only vedit knows, and the scripts of the shells that are here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from vedit.cli import main
from vedit.cli.completion import SHELLS, VARIABLE
from vedit.embedded import FOLDER
from vedit.models.resolve import known_models, known_names
from vedit.options.request import QUALITIES
from vedit.registry.preprocessors import preprocessors
from vedit.weights.store import known_weights

COMMAND = str(Path(sys.executable).with_name("vedit"))
LOOKS = [look["name"] for look in json.loads((FOLDER / "looks.json").read_text("utf-8"))["looks"]]


def items(*words: str) -> list[CompletionItem[str]]:
    """What the last of the words may become."""
    return ShellComplete(main, {}, "vedit", VARIABLE).get_completions(list(words[:-1]), words[-1])


def found(*words: str) -> list[str]:
    return [item.value for item in items(*words)]


def test_looks_for_a_prompt() -> None:
    assert found("looks", "in.mp4", "--of", "") == LOOKS
    for command in (["restyle", "in.mp4"], ["plan", "in.mp4"], ["again", "out.mp4.vedit.json"]):
        assert found(*command, "--prompt", "") == LOOKS
        assert found(*command, "-p", "Pe") == [name for name in LOOKS if name.startswith("pe")]
    assert found("restyle", "in.mp4", "--prompt=wood") == [name for name in LOOKS if name.startswith("wood")]
    assert found("restyle", "in.mp4", "--prompt", "woodcut, sub") == ["woodcut, subtle"]


def test_the_looks_are_those_of_the_model_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "looks.json").write_text('{"looks": [{"name": "sketch in sand"}], "words": []}', "utf-8")
    assert found("restyle", "in.mp4", "--model", str(tmp_path), "--prompt", "") in ([], ["sketch in sand"])
    assert found("restyle", "in.mp4", "--model", "sd15", "--prompt", "") == []
    assert found("restyle", "in.mp4", "--model", "nosuch", "--prompt", "") == [], "and no traceback"


def test_models_by_name_or_as_a_file() -> None:
    first, *named = items("restyle", "in.mp4", "--model", "")
    assert first.type == "file"
    assert [item.value for item in named] == [model.name for model in known_models()]
    assert all(item.help for item in named)
    every = [entry.name for entry in (*known_names(), *known_weights())]
    assert found("models", "pull", "") == every
    assert found("models", "info", "") == ["", *every], "or a file"
    assert found("models", "pull", every[0], every[-1][:3]) == [n for n in every if n.startswith(every[-1][:3])]


@pytest.mark.parametrize(
    ("option", "part"),
    [("--lora", "lora"), ("--ip-adapter", "ip-adapter"), ("--motion-adapter", "motion"), ("--embedding", "embedding")],
)
def test_what_is_put_beside_a_model_by_name_or_as_a_file(option: str, part: str) -> None:
    names = [entry.name for entry in known_names() if entry.part == part]
    first, *named = items("restyle", "in.mp4", option, "")
    assert first.type == "file" and [item.value for item in named] == names
    if names:
        assert found("restyle", "in.mp4", option, names[0][:-1])[1:] == [
            name for name in names if name.startswith(names[0][:-1])
        ]


def test_controls_that_the_model_has_branches_for() -> None:
    held = found("restyle", "in.mp4", "--control", "")
    assert {"tile", "softedge", "none"} <= set(held) and "depth" not in held
    more = found("restyle", "in.mp4", "--controlnet", f"depth={FOLDER / 'controlnet'}", "--control", "de")
    assert "depth" in more
    names = [entry.name for entry in preprocessors()]
    assert found("controls", "in.mp4", "--kind", "") == names
    assert found("controls", "in.mp4", "--kind", "softedge,til") == ["softedge,tile"]


def test_words_of_fixed_lists() -> None:
    assert found("restyle", "in.mp4", "--quality", "") == list(QUALITIES)
    assert found("restyle", "in.mp4", "--preset", "a") == ["archive"]
    assert found("restyle", "in.mp4", "--keep", "f") == ["faces"]
    assert found("rest") == ["restyle"]
    assert found("config", "") == ["path", "show"]


def test_a_broken_config_stops_no_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("nonsense", "utf-8")
    monkeypatch.setenv("VEDIT_CONFIG", str(tmp_path / "config.toml"))
    assert found("restyle", "in.mp4", "--quality", "d") == ["draft"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_one(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("there is no bash here, whose version the script depends on")
    assert main(["completion", shell], standalone_mode=False) == 0
    script = capsys.readouterr().out
    assert f"{VARIABLE}={shell}_complete" in script
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "script").write_text(script, "utf-8")
    done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.skipif(not Path(COMMAND).is_file(), reason="the command is not installed beside this Python")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--prompt", "pencil"], "pencil\\ sketch"),
        (["--prompt", '"pencil'], "pencil sketch"),
        (["--prompt", "'pencil"], "pencil sketch"),
        (["--quality", "dr"], "draft"),
    ],
)
def test_bash_gets_a_look_of_two_words_as_one(typed: list[str], expected: str) -> None:
    program = (
        'eval "$("$0" completion bash)"; COMP_WORDS=("$0" restyle in.mp4 "$1" "$2"); COMP_CWORD=4; '
        '_vedit_completion "$0"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program, COMMAND, *typed], capture_output=True, text=True, check=False
    )
    # Outside a terminal Bash has no `compopt`'s context, which is of no matter here.
    assert done.stdout.splitlines() == [expected], done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
@pytest.mark.skipif(not Path(COMMAND).is_file(), reason="the command is not installed beside this Python")
def test_fish_lists_looks() -> None:
    program = (
        f"set -x PATH {Path(COMMAND).parent} $PATH; vedit completion fish | source; "
        "complete -C 'vedit restyle in.mp4 --prompt pencil'"
    )
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, check=False)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["pencil sketch"], done.stderr
