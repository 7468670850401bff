"""Renders whose control is read by a T2I-Adapter: by the command line, a plan and Python, and again from the record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.support.clips import two_shots
from tests.support.recording import frames_written
from tests.support.tiny.t2i import t2i_adapter, write_t2i
from vedit import api
from vedit.cli.app import main
from vedit.media.writing.sidecar import sidecar_path
from vedit.testing.tiny_sd import write_tiny_sd

Frames = np.ndarray[Any, Any]
CONTROL = "tile:0.8@0-0.6,invert=0.5@0-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("t2i")
    two_shots(made / "clip.mov")
    write_tiny_sd(made / "sd", controls=())
    write_t2i(made / "adapter.safetensors", t2i_adapter(widths=[32, 64]), "authors")
    return made


def written(run: Callable[[], object]) -> Frames:
    """The frames that a render wrote."""
    with frames_written() as seen:
        run()
    return cast("Frames", np.concatenate(seen)).astype(int)


def command(*words: object) -> Result:
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    return found


def test_a_schedule_and_the_inversion_act_and_the_record_renders_it_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    size = ("--size", "128", "--range", "#0..#2", "--steps", "4", "--device", "cpu")
    words = ("restyle", "clip.mov", "-p", "night", "--model", "./sd", *size)
    branch = ("--controlnet", "tile=adapter.safetensors")

    def restyled(*control: str, name: str = "out.mov") -> Frames:
        return written(lambda: command(*words, *control, "-o", tmp_path / name))

    found = restyled(*branch, "--control", CONTROL)
    again = written(lambda: command("again", sidecar_path(tmp_path / "out.mov"), "-o", tmp_path / "again.mov"))
    assert np.array_equal(again, found)
    for number, control in enumerate(("none", "tile:0.8@0-0.6", "tile:0.4@0-0.6,invert=0.5@0-1")):
        other = restyled(*(() if control == "none" else branch), "--control", control, name=f"{number}.mov")
        assert np.abs(other - found).mean() > 0.02, control


def test_a_plan_and_python_are_the_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan names the model alone, so the adapter lies in its folder."""
    monkeypatch.chdir(folder)
    own = Path(shutil.copytree("sd", "own"))
    write_t2i(own / "adapter", t2i_adapter(widths=[32, 64]))
    (own / "controls.json").write_text('{"tile": "adapter"}', "utf-8")
    words = ("--model", "./sd", "--controlnet", "tile=adapter.safetensors", "--control", CONTROL)
    size = ("--size", "128", "--steps", "2", "--device", "cpu")
    found = written(lambda: command("restyle", "clip.mov", "-p", "night", *words, *size, "-o", tmp_path / "out.mov"))
    look: dict[str, Any] = {"prompt": "night", "steps": 2, "short_side": 128, "controls": [CONTROL]}
    branches: dict[str, Any] = {"model": "./sd", "controlnets": {"tile": "adapter.safetensors"}, "device": "cpu"}
    made = written(lambda: api.restyle("clip.mov", **look, **branches, output=tmp_path / "api.mov"))
    assert np.array_equal(made, found)
    plan = f"""
source = "clip.mov"
model = "./own"
device = "cpu"
[default]
prompt = "night"
steps = 2
short_side = 128
controls = ["{CONTROL}"]
[[shot]]
number = 1
frames = "#0..#6"
[[shot]]
number = 2
frames = "#6..#10"
"""
    Path("plan.toml").write_text(plan, "utf-8")
    planned = written(lambda: command("edit", "plan.toml", "-o", tmp_path / "cut.mov"))
    assert np.array_equal(planned, found)
