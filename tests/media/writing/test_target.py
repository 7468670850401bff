"""An output that cannot be written is found before the clip is decoded, by every command, in a dry run too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import two_shots
from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.writing.target import TEMPORARY, check_name

# Every command that writes, with what stands for the output, its extension, and the source.
COMMANDS: dict[str, tuple[str, ...]] = {
    "restyle": ("restyle", "SOURCE", "--prompt", "ink", "-o", "OUT.mp4"),
    "restyle --dry-run": ("restyle", "SOURCE", "--prompt", "ink", "-o", "OUT.mp4", "--dry-run"),
    "restyle to pictures": ("restyle", "SOURCE", "--prompt", "ink", "-o", "OUT_%04d.png"),
    "restyle --preview": ("restyle", "SOURCE", "--prompt", "ink", "-o", "OUT.mp4", "--preview"),
    "restyle --side-by-side": ("restyle", "SOURCE", "--prompt", "ink", "-o", "fine.mp4", "--side-by-side", "OUT.mp4"),
    "edit": ("edit", "PLAN", "-o", "OUT.mp4"),
    "edit --dry-run": ("edit", "PLAN", "-o", "OUT.mp4", "--dry-run"),
    "identity": ("identity", "SOURCE", "-o", "OUT.mkv"),
    "controls": ("controls", "SOURCE", "--kind", "canny", "-o", "OUT.mp4"),
    "controls to data": ("controls", "SOURCE", "--kind", "flow", "-o", "OUT_%04d.flo"),
    "controls --sheet": ("controls", "SOURCE", "--kind", "canny", "-o", "fine.mp4", "--sheet", "OUT.png"),
    "mask": ("mask", "SOURCE", "--mask-box", "0,0,20,20", "-o", "OUT.mp4"),
    "mask --preview": ("mask", "SOURCE", "--mask-box", "0,0,20,20", "--preview", "OUT.png"),
    "shots": ("shots", "SOURCE", "-o", "OUT.csv"),
    "plan": ("plan", "SOURCE", "-o", "OUT.toml"),
    "sample": ("sample", "-o", "OUT.mp4"),
    "timeline": ("timeline", "CUT", "--rate", "25", "-o", "OUT.edl"),
    "timeline --dry-run": ("timeline", "CUT", "--rate", "25", "-o", "OUT.edl", "--dry-run"),
}
CUT = "TITLE: cut\nFCM: NON-DROP FRAME\n\n001  AX V C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip, a plan and a cut, in which nothing is decoded any more."""
    two_shots(tmp_path / "source.mp4", frames=4)
    (tmp_path / "plan.toml").write_text(
        'source = "source.mp4"\n[default]\nprompt = "ink"\n[[shot]]\nnumber = 1\nframes = "#0..#4"\n'
    )
    (tmp_path / "cut.edl").write_text(CUT)
    (tmp_path / "closed").write_text("a file, no folder")

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("the clip was decoded")

    for name in (
        "vedit.media.reading.reader.scan",
        "vedit.media.reading.reader.predict",
        "vedit.media.reading.decode.Decoder.__init__",
    ):
        monkeypatch.setattr(name, decode)
    monkeypatch.setattr("vedit.sample_clip.clip.sample_frames", decode)

    # A process of its own for each, which decodes one frame.
    def unchecked(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr("vedit.media.reading.isolate.check_file", unchecked)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: tuple[str, ...], stem: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    said = {"SOURCE": "source.mp4", "PLAN": "plan.toml", "CUT": "cut.edl"}
    told = [said.get(word, word.replace("OUT", stem)) for word in words]
    code = main(told, standalone_mode=False)
    return code, capsys.readouterr().err


def a_file(path: Path) -> None:
    path.write_bytes(b"mine")


def a_link(path: Path) -> None:
    path.symlink_to("nowhere")


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("stem", "told"),
    [("n" * 260, "bytes"), ("n" * 245, "bytes"), ("absent/out", "does not exist"), ("closed/out", "is not a folder")],
    ids=["too long", "too long with what is added", "no folder", "a file as folder"],
)
def test_a_bad_place(command: str, stem: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(folder)
    code, error = run(COMMANDS[command], stem, capsys)
    assert code == 2 and told in error and len(error) < 700, error
    assert everything(folder) == before


IN_PLACE: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "a file": (a_file, ("exists", "is there already")),
    "a folder": (Path.mkdir, ("is a folder", "is there already")),
    "a link": (a_link, ("link",)),
}


@pytest.mark.parametrize(
    ("command", "there", "told"),
    [
        pytest.param(command, *IN_PLACE[kind], id=f"{command}-{kind}")
        for command in COMMANDS
        for kind in IN_PLACE
        if (command, kind) != ("controls", "a folder")  # that is where it writes to
    ],
)
def test_something_in_its_place(
    command: str,
    there: Callable[[Path], Any],
    told: tuple[str, ...],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = next(word for word in COMMANDS[command] if "OUT" in word).replace("OUT", "out").replace("%04d", "0001")
    path = folder / ("out.ink.preview.png" if command == "restyle --preview" else name)
    there(path)
    before = everything(folder)
    code, error = run(COMMANDS[command], "out", capsys)
    assert code == 2 and any(text in error for text in told), error
    assert everything(folder) == before
    assert path.is_symlink() or path.is_dir() or path.read_bytes() == b"mine"


@pytest.mark.parametrize("command", ["restyle", "restyle --dry-run", "identity", "mask", "controls", "edit"])
def test_the_source_itself(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.link(folder / "source.mp4", folder / "other.mp4")
    words = tuple(word.replace("OUT.mkv", "OUT.mp4") for word in COMMANDS[command])
    code, error = run((*words, "--overwrite"), "other", capsys)
    assert code == 2 and "is the source" in error, error


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that nobody can write to")
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "restyle --preview"])
def test_a_closed_folder(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, error = run(COMMANDS[command], "/proc/self/out", capsys)
    assert code == 2 and "cannot be written to" in error, error


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 100] * 40) / "out.mp4"
    with pytest.raises(MediaError, match=r"the path .* has 4... bytes"):
        check_name(deep)
    check_name(tmp_path / ("n" * (255 - TEMPORARY)))
    with pytest.raises(MediaError, match="bytes; use one of at most"):
        check_name(tmp_path / ("ü" * 121))  # two bytes each
    with pytest.raises(MediaError, match="zero byte"):
        check_name(tmp_path / "a\0b.mp4")
