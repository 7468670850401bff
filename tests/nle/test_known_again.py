"""What the next run of `vedit timeline` knows again: by the record, the tags and the weights of a real render."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.nle.cuts import Cut, fcpxml
from tests.support.loaded import small_renders
from vedit.cli import main
from vedit.embedded import FOLDER
from vedit.media.contract import recorded
from vedit.media.reading import isolate
from vedit.media.writing.sidecar import sidecar_path
from vedit.render import run as renderer

LOOKS = """
[default]
quality = "draft"
short_side = 64
steps = 1
controls = []
start = "noise"
[[look]]
name = "wash"
prompt = "watercolor painting"
clip = ["two", "three"]
"""
RESULTS = ("a.wash.20-25.vedit.mov", "b.wash.1-4.vedit.mov")


class Killed(BaseException):
    """The process ends here: nothing catches it."""


def other_device(name: str) -> str:
    assert name == "auto"
    return "cuda"


def trusted(path: Path, **_: object) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""
    assert path.is_file()


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    project = Cut(folder=tmp_path, rate=Fraction(25), drop=False, timecode="10:00:00:00")
    project.write_media()
    (tmp_path / "cut.fcpxml").write_text(fcpxml(project), "utf-8")
    (tmp_path / "looks.toml").write_text(LOOKS)
    assert recorded.check_file is isolate.check_file, "it has its own name of the check, which stays"
    monkeypatch.setattr(isolate, "check_file", trusted)
    with small_renders():
        yield tmp_path


@pytest.fixture
def after_render(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Called when the renderer has given a result its name, before its caller hears of it."""
    calls: list[Callable[[], object]] = []
    before = renderer.restyle

    def restyle(*args: Any, **settings: Any) -> Any:
        result = before(*args, **settings)
        for call in calls:
            call()
        return result

    monkeypatch.setattr(renderer, "restyle", restyle)
    return calls


def vedit(folder: Path, *words: str) -> int:
    command = [
        "timeline",
        str(folder / "cut.fcpxml"),
        "--edits",
        str(folder / "looks.toml"),
        "-q",
        "--handles",
        "0",
        *words,
    ]
    return main(command, standalone_mode=False)


def states(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert vedit(folder, "--dry-run", "--json", "-o", str(folder / "new.fcpxml"), *words) == 0
    return [told["state"] for told in json.loads(capsys.readouterr().out)["renders"]]


def test_a_run_that_was_killed_knows_what_it_had_finished(
    cut: Path, after_render: list[Callable[[], object]], capsys: pytest.CaptureFixture[str]
) -> None:
    def kill() -> None:
        raise Killed

    after_render.append(kill)
    with pytest.raises(Killed):
        vedit(cut)
    assert (cut / RESULTS[0]).exists() and not (cut / "cut.vedit.fcpxml").exists()
    after_render.clear()
    assert states(cut, capsys) == ["kept", "render"]
    assert vedit(cut) == 0
    assert "1 rendered, 1 kept from before" in capsys.readouterr().out


def test_results_without_records_are_known_by_their_tags(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut, "--no-sidecar") == 0
    assert not list(cut.glob("*.vedit.json"))
    assert states(cut, capsys) == states(cut, capsys, "--no-sidecar") == ["kept", "kept"]
    (cut / "looks.toml").write_text(LOOKS + "seed = 3\n")
    assert states(cut, capsys) == ["in the way", "in the way"]
    (cut / "looks.toml").write_text(LOOKS)
    # A file of the user's that only has the name is not taken for a result.
    shutil.copyfile(cut / "a.mov", cut / RESULTS[0])
    assert states(cut, capsys) == ["in the way", "kept"]
    assert vedit(cut, "--overwrite", "--no-sidecar") == 0
    assert "1 rendered, 1 kept from before" in capsys.readouterr().out


def test_a_result_that_was_changed_is_not_taken_nor_replaced(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut) == 0
    result = cut / RESULTS[1]
    # As grading programs do: other pictures under the same tags.
    graded = result.with_name("graded.mov")
    with av.open(str(result)) as source, av.open(str(graded), "w", options={"movflags": "use_metadata_tags"}) as output:
        output.metadata.update(source.metadata)
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    graded.replace(result)
    changed = result.read_bytes()
    assert states(cut, capsys) == ["kept", "in the way"]
    assert vedit(cut, "-o", str(cut / "again.fcpxml")) == 2
    assert result.read_bytes() == changed
    sidecar_path(result).write_text("{}")
    assert states(cut, capsys) == ["kept", "in the way"], "a record that tells nothing does not let the tags speak"


def test_other_weights_in_the_same_folder_are_another_model(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cut / "model"
    shutil.copytree(FOLDER, folder)
    words = ("--model", str(folder))
    assert vedit(cut, *words) == 0
    assert states(cut, capsys, *words) == ["kept", "kept"]
    assert states(cut, capsys) == ["in the way", "in the way"], "another name"
    (folder / "README.md").write_text("notes")
    assert states(cut, capsys, *words) == ["kept", "kept"], "what decides nothing"
    weights = folder / "controlnet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert states(cut, capsys, *words) == ["in the way", "in the way"]


def test_the_device_decides_too(cut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert vedit(cut) == 0
    assert states(cut, capsys, "--device", "cpu") == ["kept", "kept"], "auto is a device like any other"
    monkeypatch.setattr("vedit.nle.results.pick_device", other_device)
    assert states(cut, capsys) == ["in the way", "in the way"]


def test_the_precision_decides_too(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut) == 0
    assert states(cut, capsys, "--precision", "auto") == ["kept", "kept"]
    assert states(cut, capsys, "--precision", "bfloat16") == ["in the way", "in the way"]
    assert vedit(cut, "--precision", "bfloat16", "--overwrite") == 0
    assert states(cut, capsys, "--precision", "bfloat16") == ["kept", "kept"]
    assert states(cut, capsys) == ["in the way", "in the way"]


def test_what_weights_are_held_in_decides_too(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut) == 0
    assert states(cut, capsys, "--quantize", "none") == ["kept", "kept"]
    capsys.readouterr()
    assert vedit(cut, "--quantize", "int8", "--overwrite") == 2
    assert "few-step weights" in capsys.readouterr().err


def test_a_project_that_was_moved_is_known_again(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looks = LOOKS.replace('"two", "three"', '"two"') + 'mask = "matte.png"\n'
    (cut / "looks.toml").write_text(looks)
    assert cv2.imwrite(str(cut / "matte.png"), np.full((96, 144), 255, np.uint8))
    assert vedit(cut) == 0
    moved = cut.rename(cut.with_name("moved"))
    edit = moved / "cut.fcpxml"
    edit.write_text(edit.read_text("utf-8").replace(cut.as_posix(), moved.as_posix()), "utf-8")
    assert states(moved, capsys) == ["kept"]
    assert cv2.imwrite(str(moved / "matte.png"), np.full((96, 144), 254, np.uint8))
    assert states(moved, capsys) == ["in the way"], "another mask of the same name"
