"""Finding, running and following `vedit` from inside a host."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from vedit.nle_hosts.launch import (
    RECORD,
    SETTINGS,
    HostError,
    Run,
    Spoken,
    find_vedit,
    restyle_words,
    result_path,
    with_handles,
)


@pytest.fixture(autouse=True)
def no_vedit_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor PATH leads to one."""
    monkeypatch.delenv("VEDIT_EXECUTABLE", raising=False)
    monkeypatch.setenv("PATH", "")


def executable(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n", "utf-8")
    path.chmod(0o755)
    return path


def test_the_command_is_the_set_one_then_the_variables_then_the_recorded_then_that_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if os.name != "nt":
        on_path = executable(folder, "vedit")
        monkeypatch.setenv("PATH", str(folder))
        assert find_vedit([tmp_path]) == str(on_path)
    recorded, variable, setting = (executable(tmp_path, name) for name in ("a", "b", "c"))
    (tmp_path / RECORD).write_text(f'{{"vedit": "{recorded.as_posix()}"}}', "utf-8")
    assert Path(find_vedit([tmp_path / "absent", tmp_path])) == recorded
    monkeypatch.setenv("VEDIT_EXECUTABLE", str(variable))
    assert find_vedit([tmp_path]) == str(variable)
    assert find_vedit([tmp_path], str(setting)) == str(setting)


@pytest.mark.parametrize("record", ["", "[]", '{"vedit": 3}', '{"vedit": "/nowhere/vedit"}'])
def test_no_command_is_an_error_that_says_what_to_do(tmp_path: Path, record: str) -> None:
    (tmp_path / RECORD).write_text(record, "utf-8")
    with pytest.raises(HostError, match="vedit nle install"):
        find_vedit([tmp_path])


def test_a_set_command_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostError, match="the setting names"):
        find_vedit([tmp_path], str(tmp_path / "gone"))
    monkeypatch.setenv("VEDIT_EXECUTABLE", str(tmp_path / "gone"))
    with pytest.raises(HostError, match="VEDIT_EXECUTABLE names"):
        find_vedit([tmp_path])


def test_words_hold_every_value_apart(tmp_path: Path) -> None:
    look = {"prompt": '-x "; rm *', "seed": 0, "control": ["tile:1", "softedge"], "model": "", "strength": None}
    words = restyle_words("vedit", tmp_path / "a b.mov", tmp_path / "o.mov", (3, 9), look)
    assert words[2:6] == [str(tmp_path / "a b.mov"), "-o", str(tmp_path / "o.mov"), "--range=#3..#9"]
    assert words[6] == '--prompt=-x "; rm *'
    assert words[9:] == ["--seed=0", "--control=tile:1", "--control=softedge"]
    with pytest.raises(HostError, match="'strenght'; the nearest is 'strength'"):
        restyle_words("vedit", tmp_path, tmp_path, (3, 9), {"prompt": "x", "strenght": 1})
    with pytest.raises(HostError, match="no prompt"):
        restyle_words("vedit", tmp_path, tmp_path, (3, 9), {"prompt": " "})


def test_vedit_knows_every_setting() -> None:
    from vedit.cli.restyle import restyle_command

    options = {option for parameter in restyle_command.params for option in parameter.opts}
    assert {*SETTINGS.values(), "--prompt", "--range", "--json", "--progress", "-o"} <= options


def test_handles_and_names(tmp_path: Path) -> None:
    assert with_handles(3, 10, 12, 8) == (0, 12)
    assert with_handles(30, 40, 100, 8) == (22, 48)
    assert result_path(tmp_path / "a.mts").name == "a.vedit_v001.mov"
    (tmp_path / "a.vedit_v001.MP4").touch()
    assert result_path(tmp_path / "a.MP4").name == "a.vedit_v002.MP4"
    assert result_path(tmp_path / "a.MP4", tmp_path / "x").parent == tmp_path / "x"


def python(code: str) -> Run:
    return Run([sys.executable, "-S", "-E", "-c", code])


def test_events_are_handed_on_and_the_result_is_read() -> None:
    run = python(
        "import sys, json, os;"
        "print('loading a library', file=sys.stderr);"
        "print(json.dumps({'event': 'progress', 'stage': 's', 'done': 1, 'total': 2}), file=sys.stderr);"
        "print(json.dumps({'event': 'note', 'text': 'é'}), file=sys.stderr);"
        "print(json.dumps({'output': 'x.mov', 'clean': 'PYTHONHOME' not in os.environ}, indent=2))"
    )
    told: list[dict[str, Any]] = []
    assert run.follow(told.append) == {"output": "x.mov", "clean": True}
    assert [event["event"] for event in told] == ["progress", "note"]
    assert told[1]["text"] == "é"
    assert not run.running


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            'print(\'{"event": "error", "message": "no room", "remedy": "free some"}\', file=sys.stderr);sys.exit(2)',
            "^no room; free some$",
        ),
        ("print('odd words', file=sys.stderr); sys.exit(1)", "^odd words$"),
        ("sys.exit(9)", "exit code 9"),
        ("print('no json')", "could not be read"),
    ],
)
def test_a_run_that_fails_says_why_in_its_own_words(code: str, message: str) -> None:
    with pytest.raises(HostError, match=message):
        python(f"import sys; {code}").follow(lambda event: None)


def test_a_run_can_be_stopped() -> None:
    run = python("import time; time.sleep(60)")
    assert run.running
    run.stop()
    with pytest.raises(HostError):
        run.result()
    run.stop()


def test_a_command_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="could not be started"):
        Run([str(tmp_path / "absent")])


def test_progress_is_spoken_at_tenths() -> None:
    spoken = Spoken()
    lines = [spoken.line({"event": "progress", "stage": "s", "done": n, "total": 50}) for n in range(51)]
    assert [line for line in lines if line][:2] == ["s: 5 of 50 frames", "s: 10 of 50 frames"]
    assert len([line for line in lines if line]) == 10
    tenths = [(n / 50, 81.4 - n) for n in range(51)]
    told = [
        {"event": "progress", "stage": "s", "done": 1, "total": 9, "share": a, "seconds_left": b} for a, b in tenths
    ]
    lines = [line for line in map(Spoken().line, told) if line]
    assert (len(lines), lines[0], lines[-1]) == (
        10,
        "10 %, 1 min 16 s left, s: 1 of 9 frames",
        "100 %, 31 s left, s: 1 of 9 frames",
    )
    assert spoken.line({"event": "plan", "frames": 9, "model": "m", "device": "cpu"}) == "9 frames with m on cpu"
    assert spoken.line({"event": "other"}) == ""
