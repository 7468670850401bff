"""`vedit looks`, the command: what it writes and says, and what it refuses before the work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import two_shots
from tests.support.page import Page
from vedit.cli import main
from vedit.gallery.pictures import Gallery, make_gallery
from vedit.options.request import RestyleOptions


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["looks", *words], standalone_mode=False)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_writes_both_files(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "looks"
    words = (str(clip), "--of", "woodcut,night", "--at", "0.2", "-o", str(folder), "--json", "-q")
    code, out, _ = run(capsys, *words)
    assert code == 0
    told = json.loads(out)
    assert told["frame"] == 4 and [look["name"] for look in told["looks"]] == ["woodcut", "night"]
    assert {Path(told[key]) for key in ("sheet", "page")} == set(folder.iterdir())
    assert len(Page(Path(told["page"]).read_bytes()).all("figure")) == 2
    before = Path(told["page"]).read_bytes()
    code, _, err = run(capsys, *words)
    assert code == 2 and "two shots.looks.png exists" in err
    assert Path(told["page"]).read_bytes() == before


def test_seeds_are_variations(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(clip), "--of", "night", "--seeds", "2", "-o", str(tmp_path), "--json", "-q")
    assert code == 0
    assert [
        (look["name"], re.sub(r".* --prompt", "--prompt", look["command"])) for look in json.loads(out)["looks"]
    ] == [
        ("night, seed 0", "--prompt night --variation 0.6 --seed 0 --quality draft"),
        ("night, seed 1", "--prompt night --variation 0.6 --seed 1 --quality draft"),
    ]
    first, second = Page((tmp_path / "two shots.looks.html").read_bytes()).all("img")
    assert first["src"] != second["src"]


def test_parts_that_are_said_once_make_the_pictures_and_are_in_their_commands(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(clip), "--of", "night", "--upscale", "lanczos", "-o", str(tmp_path), "--json", "-q")
    monkeypatch.setenv("VEDIT_ATTENTION", "none")
    monkeypatch.setenv("VEDIT_UPSCALE", "guided")
    made: list[RestyleOptions] = []

    def seen(request: Any, looks: Any, *rest: Any, **more: Any) -> Gallery:
        made.extend(looks)
        return make_gallery(request, looks, *rest, **more)

    monkeypatch.setattr("vedit.gallery.pictures.make_gallery", seen)
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert [(one.pipeline, one.attention, one.upscale) for one in made] == [("restyle", "none", "lanczos")]
    (look,) = json.loads(out)["looks"]
    assert look["command"].endswith("--prompt night --attention none --upscale lanczos --quality draft")


def test_a_dry_run_writes_nothing(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(clip), "--of", "night", "-o", str(tmp_path / "new"), "--dry-run")
    assert code == 0 and "pictures  1: night" in out and "frame     5, at 0.209 s" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--of", "woodcutt"), "did you mean 'woodcut'"),
        (("--at", "#10"), "#10 is outside the clip"),
        (("--at", "9"), "outside the clip"),
        (("--seeds", "3", "--variation", "0"), "--variation above 0"),
        (("-o", "absent/looks"), "does not exist"),
        (("-o", "clip.html"), "is the name of a file"),
        (("--model", "nowhere"), "there is no model"),
        (("--control", "pose"), "no control branch for pose"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_what_cannot_be_done_is_said_before_the_work(
    words: tuple[str, ...],
    told: str,
    dry: bool,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vedit.gallery.pictures.load_prepared", load)
    code, _, err = run(capsys, str(clip), "--of", "night", *words, *(["--dry-run"] if dry else []))
    assert code == 2 and told in err, err
    assert not list(tmp_path.iterdir())
    assert sorted(path.name for path in clip.parent.iterdir()) == ["two shots.mov"]


def test_without_a_clip_looks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert (
        re.search(r"^  woodcut +woodcut, a woodcut print, linocut", out, re.M)
        and out.index("Media") < out.index("Palettes")
        and "  comic (weak)" in out
    )
    code, out, _ = run(capsys, "--json")
    told = json.loads(out)
    assert {"name": "night", "kind": "light", "prompt": "night"}.items() <= next(
        look for look in told["looks"] if look["name"] == "night"
    ).items()
    code, _, err = run(capsys, "--of", "night")
    assert code == 2 and "--of is for a clip" in err
