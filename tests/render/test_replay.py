"""`vedit again`: the frames of a render once more from its record, and what is refused before anything is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import two_shots
from tests.support.loaded import small_renders
from tests.support.plugged import ORIGIN, plugged_in
from tests.support.recording import frames_written
from vedit.cli import main
from vedit.media.output import OutputOptions
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.registry.upscalers import upscalers
from vedit.render import run as render
from vedit.render.replay import read_replay
from vedit.thumbnail import png

LOOK = RestyleOptions(prompt="woodcut", steps=1, short_side=64, controls=(), start="noise", seed=3)
NAME = "out.mov.vedit.json"
Frames = np.ndarray[Any, Any]
Change = Callable[[dict[str, Any]], object]


def trusted(path: Path, **_: object) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""
    assert path.exists()


@pytest.fixture(scope="module", autouse=True)
def one_model() -> Any:
    """Loaded once for all renders of this file, which are small."""
    with small_renders(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("vedit.media.reading.isolate.check_file", trusted)
        yield


def rendered(request: RenderRequest) -> Frames:
    with frames_written() as frames:
        render.restyle(request)
    return np.concatenate(frames)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_model: None) -> tuple[Path, Frames]:
    """A folder with a clip, a mask, a result and its record; and the frames of the result."""
    folder = tmp_path_factory.mktemp("made")
    two_shots(folder / "in.mov")
    matte = np.zeros((144, 176, 3), np.uint8)
    matte[:, 60:] = 255
    (folder / "mask.png").write_bytes(png(matte))
    request = RenderRequest(
        source=Path("in.mov"),
        output=Path("out.mov"),
        options=replace(LOOK, mask=MaskSpec(files=(KeyedFile(path=Path("mask.png")),))),
        writing=OutputOptions(preset="archive", label=False),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, rendered(request)


@pytest.fixture
def folder(made: tuple[Path, Frames], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, which a test may change; it is the current one."""
    copy = Path(shutil.copytree(made[0], tmp_path / "made"))
    monkeypatch.chdir(copy)
    return copy


def again(*words: str) -> int:
    """The exit code of `vedit again` for the record in the current folder."""
    return main(["again", NAME, *words], standalone_mode=False)


def changed(folder: Path, change: Change) -> None:
    """The record with something else in it."""
    told = json.loads((folder / NAME).read_text("utf-8"))
    change(told)
    (folder / NAME).write_text(json.dumps(told), "utf-8")


def test_the_same_frames_from_the_record_alone(
    made: tuple[Path, Frames],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    # What is said once for all renders decides nothing here.
    (tmp_path / "config.toml").write_text('quality = "high"\nseed = 9\npreset = "web"\nnonsense = 1\n', "utf-8")
    monkeypatch.setenv("VEDIT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("VEDIT_SEED", "8")
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    with frames_written() as frames:
        assert again("-o", str(folder / "copy.mov")) == 0
    assert np.array_equal(np.concatenate(frames), made[1])
    out, err = capsys.readouterr()
    assert out.rstrip().endswith("contract ok, the same frames")
    assert "note" not in err
    first, second = (json.loads((folder / f"{name}.mov.vedit.json").read_text()) for name in ("out", "copy"))
    assert second["recipe"] == first["recipe"], "nor does the file say another thing of its making"
    assert second["asked"]["files"] == first["asked"]["files"]
    assert second["asked"]["request"] == {**first["asked"]["request"], "device": "cpu"}


def test_a_record_of_the_copy_serves_as_well(made: tuple[Path, Frames], folder: Path) -> None:
    assert again("-q", "-o", str(folder / "copy.mov")) == 0
    (folder / "out.mov").unlink()
    (folder / NAME).unlink()
    copy = str(folder / "copy.mov")  # the result in the place of its record
    with frames_written() as frames:
        assert main(["again", copy, "-q", "-o", str(folder / "out.mov")], standalone_mode=False) == 0
    assert np.array_equal(np.concatenate(frames), made[1])


def test_the_result_is_replaced_only_when_asked(
    made: tuple[Path, Frames], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "out.mov").read_bytes()
    assert again("-q") == 2
    assert "out.mov exists" in capsys.readouterr().err
    assert (folder / "out.mov").read_bytes() == before
    (folder / "out.mov").write_bytes(b"damaged")
    with frames_written() as frames:
        assert again("-q", "--overwrite") == 0
    assert np.array_equal(np.concatenate(frames), made[1])
    assert (folder / "out.mov").stat().st_size == len(before)


def test_a_record_of_another_name_says_where_its_result_goes(folder: Path) -> None:
    (folder / "out.mov").unlink()
    (folder / NAME).rename(folder / "kept.json")
    assert read_replay(Path("kept.json")).result == Path("out.mov")


def test_another_seed_or_prompt_is_the_same_render_else(made: tuple[Path, Frames], folder: Path) -> None:
    for number, (words, look) in enumerate(
        [(("--seed", "4"), {"seed": 4}), (("--prompt", "night", "--strength", "0.5"), {"prompt": "night"})]
    ):
        output = folder / f"other{number}.mov"
        with frames_written() as frames:
            assert again("-q", "--json", *words, "-o", str(output)) == 0
        assert not np.array_equal(np.concatenate(frames), made[1])
        asked = json.loads((folder / f"{output.name}.vedit.json").read_text())["asked"]["request"]
        plain = json.loads((folder / NAME).read_text())["asked"]["request"]
        assert asked["options"] == {**plain["options"], **look, "strength": asked["options"]["strength"]}
        assert asked["writing"] == plain["writing"]


def test_another_quality_brings_its_own_steps_and_size(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert again("--quality", "draft", "--dry-run", "--json", "-o", str(folder / "x.mov")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["settings"]["quality"], told["settings"]["steps"], told["settings"]["short_side"]) == (
        "draft",
        None,
        None,
    )


def test_a_dry_run_checks_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert again("--dry-run", "-o", str(folder / "x.mov")) == 0
    assert "x.mov: 10 frames" in capsys.readouterr().out
    (folder / "mask.png").write_bytes(b"else")
    assert again("--dry-run", "-o", str(folder / "x.mov")) == 2
    assert sorted(folder.rglob("*")) == before


def test_a_source_that_moved_is_told_and_found(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Path(shutil.move(folder / "in.mov", tmp_path / "elsewhere.mov"))
    copy = str(folder / "copy.mov")
    assert again("-q", "-o", copy) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the source is not at in.mov" in line and "--source" in line
    assert again("-q", "--source", str(moved), "-o", copy) == 0
    assert capsys.readouterr().out.rstrip().endswith("the same frames")


def test_a_record_and_its_source_may_move_together(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    there = Path(shutil.move(folder, tmp_path / "a" / "b" / "made"))
    assert read_replay(there / NAME).request.source == there / "in.mov"
    # Beside the record it is found too, wherever it was.
    changed(there, lambda told: told["asked"]["request"].update(source="../nowhere/in.mov"))
    assert read_replay(there / NAME).request.source == there / "in.mov"


@pytest.mark.parametrize("named", [False, True], ids=["where it was", "named"])
def test_another_file_in_the_place_of_the_source_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    with (folder / "in.mov").open("ab") as file:
        file.write(b"\0\0\0\x08free")
    words = ("--source", str(folder / "in.mov")) if named else ()
    assert again("-q", *words, "-o", str(folder / "copy.mov")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ("SHA-256" if not named else "of another file than in.mov") in line
    assert not (folder / "copy.mov").exists()


@pytest.mark.parametrize("absent", [False, True])
def test_a_mask_that_is_another_or_absent_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], absent: bool
) -> None:
    if absent:
        (folder / "mask.png").unlink()
    else:
        (folder / "mask.png").write_bytes(png(np.zeros((144, 176, 3), np.uint8)))
    assert again("-q", "-o", str(folder / "copy.mov")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{NAME} names mask.png, " in line and ("not there" if absent else "SHA-256") in line


REFUSED: list[tuple[Change, tuple[str, ...]]] = [
    (lambda told: told.pop("asked"), ("earlier version", "vedit restyle")),
    (lambda told: told.update(asked=None), ("earlier version",)),
    (lambda told: told.update(asked=[]), ("earlier version",)),
    (lambda told: told.update(format=2), ("another version",)),
    (lambda told: told["asked"]["request"]["options"].update(variety=1), ("'variety'", "another version")),
    (lambda told: told["asked"]["request"]["options"].update(seed=-1), ("seed is -1",)),
    (lambda told: told["asked"]["request"].update(locked=[1]), ("locked", "vedit edit")),
    (lambda told: told["asked"]["request"].update(model="nosuch"), ("nosuch",)),
    (lambda told: told["asked"].pop("files"), ("cannot be read as a record", "files")),
    (lambda told: told["recipe"]["weights"].update(model="0" * 64), ("weights of model",)),
    (lambda told: told["recipe"]["weights"].update(depth="0" * 64), ("weights of depth",)),
    (lambda told: told["recipe"].update(shots=[[0, 5], [5, 10]]), ("2 shots are found",)),
    (lambda told: told["recipe"].update(shots=[[0, 10]]), ("the render had 1",)),
    (lambda told: told["recipe"].update(device="warp"), ("'warp'",)),
    (lambda told: told["used"].update(tiled=True), ("memory ran out",)),
    (lambda told: told["used"].update(windows={"0": 24, "6": 12}), ("memory ran out",)),
    (lambda told: told["used"].update(windows=3), ("cannot be read as a record",)),
    (lambda told: told.update(source={}), ("cannot be read as a record", "sha256")),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
@pytest.mark.parametrize("dry", [False, True], ids=["render", "dry run"])
def test_a_record_that_lacks_something_or_says_another_thing_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Change, told: tuple[str, ...], dry: bool
) -> None:
    changed(folder, change)
    before = sorted(folder.rglob("*"))
    assert again("-q", "-o", str(folder / "copy.mov"), *(["--dry-run"] if dry else [])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in told), line
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", "nothing", "\udcff\udcfe"])
def test_what_is_no_record_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (folder / NAME).write_text(text, "utf-8", errors="surrogateescape")
    assert again("-q") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["again", str(folder / "in.mov")], standalone_mode=False) == 2
    assert main(["again", str(folder / "nosuch.json")], standalone_mode=False) == 2


def test_what_memory_left_is_what_is_asked_for_again(folder: Path) -> None:
    changed(folder, lambda told: told["used"].update(windows={"0": 5, "6": 5}, batches={"0": 2, "6": 2}))
    options = read_replay(folder / NAME).request.options
    assert (options.window, options.batch, options.overlap) == (5, 2, None)
    changed(folder, lambda told: told["asked"]["request"]["options"].update(overlap=3))
    assert read_replay(folder / NAME).request.options.overlap == 1


def test_it_computes_on_as_many_threads(folder: Path) -> None:
    import torch

    before = torch.get_num_threads()
    changed(folder, lambda told: told["used"]["computed on"][0].update(threads=before + 1))
    replay = read_replay(folder / NAME)
    with replay.on_its_threads():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    assert replay.elsewhere() == ()


def test_another_machine_or_version_is_told_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, lambda told: told["used"]["computed on"][0].update(instructions="NEON"))
    changed(folder, lambda told: told["versions"].update(vedit="0.0.1"))
    machine, version = read_replay(folder / NAME).elsewhere()
    assert "instructions NEON" in machine and "vedit 0.0.1" in version
    changed(folder, lambda told: told.update(frames_sha256="0" * 64))
    assert again("--json", "-o", str(folder / "copy.mov")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["same_frames"] is False
    assert "NEON" in err and "not those of the record to the last bit" in err


def test_another_version_of_a_plug_in_is_told_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"name": "other", "of": ORIGIN, "version": "1.0"}
    changed(folder, lambda told: told["recipe"].update({"plug-ins": {"upscale": facts}}))
    (absent,) = read_replay(folder / NAME).elsewhere()
    assert absent == f"other was of {ORIGIN} 1.0, and this is absent: frames may differ"
    monkeypatch.setattr("vedit.registry.entry.version", {ORIGIN: "2.0"}.__getitem__)
    with plugged_in(upscalers, "vedit.upscalers", {"other": "vedit.finishing.upsample:lanczos"}):
        (other,) = read_replay(folder / NAME).elsewhere()
        assert f"and this is {ORIGIN} 2.0" in other
        changed(folder, lambda told: told["recipe"]["plug-ins"]["upscale"].update(version="2.0"))
        assert read_replay(folder / NAME).elsewhere() == ()


def test_a_plug_in_that_is_absent_is_named_with_its_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"name": "other", "of": ORIGIN, "version": "1.0"}
    # Of a plan: each shot has its own.
    changed(folder, lambda told: told["recipe"].update(looks=[{"plug-ins": {"pipeline": facts}}]))
    changed(folder, lambda told: told["asked"]["request"]["options"].update(pipeline="other"))
    assert again() == 2
    assert f"pipeline is 'other'; use one of restyle, or install {ORIGIN} 1.0" in capsys.readouterr().err


def test_other_frames_without_a_reason_are_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, lambda told: told.update(frames_sha256="0" * 64))
    assert again("-q", "-o", str(folder / "copy.mov")) == 1
    assert "not those of the record" in capsys.readouterr().err
    assert (folder / "copy.mov").exists()


def test_a_plan_is_rendered_again_with_the_look_of_each_shot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plan.toml").write_text(
        'source = "in.mov"\noutput = "cut.mov"\n[default]\nsteps = 1\nshort_side = 64\ncontrols = "none"\n'
        'start = "noise"\n[[shot]]\nnumber = 1\nframes = "#0..#6"\nprompt = "night"\n'
        '[[shot]]\nnumber = 2\nframes = "#6..#10"\n',
        "utf-8",
    )
    assert main(["edit", str(folder / "plan.toml"), "-q"], standalone_mode=False) == 0
    record, copy = str(folder / "cut.mov.vedit.json"), str(folder / "copy.mov")
    capsys.readouterr()
    assert main(["again", record, "-q", "--prompt", "ice", "-o", copy], standalone_mode=False) == 2
    assert "vedit edit" in capsys.readouterr().err
    assert main(["again", record, "-q", "-o", copy], standalone_mode=False) == 0
    assert capsys.readouterr().out.rstrip().endswith("the same frames")
    assert not (folder / "copy.mov.vedit").exists()
