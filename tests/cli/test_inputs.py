"""What a command works on and where its results go: several inputs, folders, patterns, addresses, made-up names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vedit
from tests.support.clips import two_shots
from vedit.api import request
from vedit.cli import main
from vedit.errors import InputError
from vedit.options.masks import parse_region
from vedit.options.output_names import in_folder, look_name, preview_path, slug
from vedit.options.request import RestyleOptions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in: two pictures and a film."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png"):
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(name)
    two_shots(tmp_path / "c.mp4", frames=2)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words), standalone_mode=False)
    told = capsys.readouterr()
    return int(code or 0), told.out, told.err


ONE_EACH = {
    "probe": (),
    "shots": ("-o", "list.csv"),
    "plan": ("--prompt", "night sky"),
    "controls": ("--kind", "softedge"),
    "mask": ("--mask-box", "0,0,9,9", "-o", "m.mp4"),
    "identity": ("-o", "same.mp4"),
    "edit": (),
    "timeline": ("--list",),
}


@pytest.mark.parametrize("command", ONE_EACH)
def test_several_inputs_get_the_loop(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, command, "a.jpg", "my clip.mp4", *ONE_EACH[command])
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "and 2 are named (a.jpg, my clip.mp4)" in err
    options = [word for word in ONE_EACH[command] if word not in ("-o", "list.csv", "m.mp4", "same.mp4")]
    told = " ".join(f"'{word}'" if " " in word else word for word in options)
    assert err.strip().endswith(
        f"for f in a.jpg 'my clip.mp4'; do vedit {command} \"$f\"{' ' + told if told else ''}; done"
    )


def test_several_results_of_one_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "verify", "c.mp4", "x.mp4", "y.mp4")
    assert code == 2 and 'for f in x.mp4 y.mp4; do vedit verify c.mp4 "$f"; done' in err


def test_many_inputs_are_told_as_a_pattern(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more").mkdir()
    for number in range(6):
        (folder / "more" / f"clip {'abcdef'[number]}.mp4").write_bytes(b"x")
    for word in ("more", "more/", "more/*.mp4"):
        code, _, err = run(capsys, "probe", word, "--json")
        assert code == 2 and 'for f in more/*.mp4; do vedit probe "$f" --json; done' in err, err


def test_a_pattern_that_the_shell_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "probe", "*.jpg")
    assert code == 0 and "a.jpg" in out
    code, _, err = run(capsys, "probe", "*.avi")
    assert code == 2 and "no file matches *.avi" in err
    Image.new("RGB", (20, 20)).save("odd[1].png")
    code, out, _ = run(capsys, "probe", "odd[1].png")
    assert code == 0 and "odd[1].png" in out


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://example.org/a%20b.mp4?x=1", "curl -fLO 'https://example.org/a%20b.mp4?x=1'"),
        ("HTTP://example.org/a.mp4", "curl -fLO HTTP://example.org/a.mp4"),
        ("s3://bucket/key.mov", "aws s3 cp s3://bucket/key.mov ."),
        ("gs://bucket/key.mov", "gcloud storage cp gs://bucket/key.mov ."),
        ("rtsp://camera/1", "ffmpeg -i rtsp://camera/1 -t 60 -c copy clip.mkv"),
        ("smb://host/a.mp4", "copy it to a file first"),
        ("file:///tmp/a%20b.mp4", "name the file itself: /tmp/a b.mp4"),
        ("-", "write it to a file first"),
    ],
)
@pytest.mark.parametrize("command", ["probe", "restyle", "plan", "verify"])
def test_addresses(command: str, address: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"restyle": ("--prompt", "ink"), "verify": ("c.mp4",)}.get(command, ())
    code, _, err = run(capsys, command, *words, address)
    assert code == 2 and err.count("\n") == 1 and told in err
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.png", "c.mp4"]


@pytest.mark.parametrize(
    "words",
    [
        ("restyle", "c.mp4", "-p", "ink", "--mask", "https://x.y/m.mp4", "--dry-run"),
        ("restyle", "c.mp4", "-p", "ink", "--mask", "https://x.y/m.png", "--dry-run"),
        ("restyle", "c.mp4", "-p", "ink", "--from", "softedge=https://x.y/m.mp4", "--dry-run"),
        ("mask", "c.mp4", "--mask", "https://x.y/m.png@0", "--preview", "p.png"),
    ],
)
def test_addresses_in_other_places(words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2 and "is an address" in err


def test_nothing_is_written_to_an_address(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "restyle", "b.png", "-p", "ink", "-o", "s3://bucket/b.png")
    assert code == 2 and "upload it from there" in err


def test_addresses_from_python(folder: Path) -> None:
    with pytest.raises(InputError, match=r"https://x\.y/a\.mp4 is an address.*curl"):
        vedit.open_video("https://x.y/a.mp4")


def dry(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    code, out, err = run(capsys, "restyle", *words, "-p", "Woodcut, in teal!", "--dry-run", "--json")
    return code, json.loads(out) if out else None, err


def test_a_folder_for_the_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = dry(capsys, "c.mp4", "-o", "new/")
    assert code == 0 and told["output"] == str(folder / "new" / "c.woodcut-in-teal.mp4")
    assert not (folder / "new").exists()
    (folder / "there").mkdir()
    code, told, _ = dry(capsys, "b.png", "-o", "there", "--strength", "0.5")
    assert code == 0 and told["output"] == str(folder / "there" / "b.woodcut-in-teal-strength0.5.png")
    code, told, _ = dry(capsys, "c.mp4", "-o", "there", "--codec", "prores")
    assert code == 0 and told["output"].endswith("c.woodcut-in-teal.mov")
    code, told, _ = dry(capsys, "c.mp4")
    assert code == 0 and told["output"] == str(folder / "c.vedit.mp4")
    code, _, err = dry(capsys, "c.mp4", "-o", "no/where/")
    assert code == 2 and "no/where cannot be made" in err


def test_several_inputs_one_after_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.mp4").write_bytes(b"no film")
    code, told, err = dry(capsys, "a.jpg", "bad.mp4", "b.png", "-o", "out/")
    assert code == 1
    assert [one["output"] for one in told["results"]] == [
        str(folder / "out" / f"{name}") for name in ("a.woodcut-in-teal.jpg", "b.woodcut-in-teal.png")
    ]
    assert [(one["source"], one["exit_code"]) for one in told["failed"]] == [("bad.mp4", 2)]
    last = err.splitlines()[-1]
    assert "1 of 3 inputs were not rendered: " in last and "bad.mp4 is not a video" in last
    code, told, _ = dry(capsys, "*.jpg", "b.png", "-q")
    assert code == 0 and [one["output"] for one in told["results"]] == [
        str(folder / "a.vedit.jpg"),
        str(folder / "b.vedit.png"),
    ]


def test_several_inputs_whose_results_would_meet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = dry(capsys, "a.jpg", "b.png", "-o", "out.png")
    assert code == 2 and "out.png is one file, for the results of 2 inputs" in err
    (folder / "sub").mkdir()
    Image.new("RGB", (60, 40)).save("sub/b.png")
    code, _, err = dry(capsys, "b.png", "sub/b.png", "-o", "out/")
    assert code == 2 and "b.png and sub/b.png would both become out/b." in err
    code, _, err = dry(capsys, "a.jpg", "b.png", "--side-by-side", "s.png")
    assert code == 2 and "--side-by-side names one file" in err
    assert not (folder / "out").exists()


def test_results_of_an_earlier_run_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capsys, "identity", "b.png", "-o", "b.vedit.png")
    assert code == 0
    code, told, err = dry(capsys, "*.png", "a.jpg", "-o", "out/")
    assert code == 0 and len(told["results"]) == 2 and "1 input left out" in err


def test_folders_of_other_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "identity", "b.png", "-o", "out/")[0] == 0
    assert run(capsys, "plan", "c.mp4", "-o", "out/", "--no-thumbnails")[0] == 0
    assert run(capsys, "mask", "c.mp4", "--mask-box", "0,0,30,30", "-o", "out/")[0] == 0
    assert run(capsys, "mask", "b.png", "--mask-box", "0,0,30,30", "--alpha", "-o", "out/")[0] == 0
    made = {path.name for path in (folder / "out").iterdir() if not path.name.endswith(".json")}
    assert made == {"b.same.png", "c.plan.toml", "c.matte.mp4", "b.matte.png"}
    with Image.open("out/b.matte.png") as image:
        assert image.mode == "RGBA" and np.asarray(image)[5, 5, 3] == 255 and np.asarray(image)[35, 50, 3] == 0


def test_a_folder_from_python(folder: Path) -> None:
    (folder / "there").mkdir()
    made = request("c.mp4", prompt="Night", output="there")
    assert made.output == Path("there/c.night.mp4")


def test_names_of_looks() -> None:
    assert slug("  A Woodcut, très fin!  ") == "a-woodcut-très-fin"
    assert slug("木版画 / 夜") == "木版画-夜"
    assert slug("../../etc") == "etc" and slug("%04d ##") == "04d" and slug("!?") == "look"
    assert len(slug("word " * 100).encode()) <= 60 and len(slug("é" * 100).encode()) <= 60
    region = RestyleOptions(regions=(parse_region("box:0,0,9,9=bronze"),), seed=3, variation=0.6)
    assert look_name(region) == "bronze-variation0.6-seed3"


def test_names_of_sequences(folder: Path) -> None:
    (folder / "seq").mkdir()
    for number in (7, 8):
        Image.new("RGB", (60, 40)).save(folder / "seq" / f"shot_{number:03d}.png")
    assert in_folder("out", Path("seq/shot_%03d.png"), "ink") == Path("out/shot.ink_%03d.png")
    assert in_folder("out", Path("c.mp4"), "ink", codec="png") == Path("out/c.ink_%04d.png")
    assert preview_path(Path("out/shot.ink_%03d.png"), Path("seq/shot_%03d.png")) == Path("out/shot.ink.preview.png")


def test_previews_are_named_by_look(tmp_path: Path) -> None:
    one, other = RestyleOptions(prompt="ink"), RestyleOptions(prompt="ink", strength=0.5)
    names = [preview_path(Path("c.vedit.mp4"), Path("c.mp4"), look).name for look in (one, other)]
    assert names == ["c.vedit.ink.preview.png", "c.vedit.ink-strength0.5.preview.png"]
    assert preview_path(Path("out/c.ink.mp4"), Path("c.mp4"), one).name == "c.ink.preview.png"
    (tmp_path / "IMG#1.png").touch()  # a picture that is there is one, whatever its name looks like
    assert preview_path(Path("IMG#1.vedit.png"), tmp_path / "IMG#1.png", one).name == "IMG#1.vedit.ink.preview.png"
