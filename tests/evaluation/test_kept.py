"""`vedit restyle --evaluate`: a render, measured, with its report in the record beside it."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

import vedit
from tests.support.clips import two_shots
from tests.support.loaded import small_renders
from tests.support.toy_metrics import only, toy
from vedit.cli import main
from vedit.errors import InputError
from vedit.evaluation.recorded import recorded
from vedit.media.contract.identity import identity
from vedit.media.writing.sidecar import own_record
from vedit.types import FrameRange


@pytest.fixture(autouse=True)
def small() -> Generator[None]:
    with small_renders(), only(toy("difference")):
        yield


def test_a_render_with_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    words = ["restyle", str(clip), "-o", str(out), "-q", "--prompt", "woodcut", "--quality", "draft"]
    words += ["--range", "#2..#8", "--mask-box", "25%,25%,50%,50%", "--window", "3"]
    assert main([*words, "--evaluate"], standalone_mode=False) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == "ok     timing and sound: Timing, sound and tags are the source's."
    told = own_record(out)
    assert told is not None, "the record is still that of the result"
    report = told["evaluation"]
    assert report["frames"] == [2, 8] and report["shots"] == [[2, 6], [6, 8]]
    assert set(report["figures"]["difference"]["floors"]) == {"re-encoded", "autoencoder"}
    known = recorded(out)
    assert known.mask is not None and known.prompts == ("woodcut",)
    assert known.joins == (4,)  # #2..#5 and #4..#6, of which #4 is shared
    assert known.cell(144, 176) == 144 / 64 * 8  # worked at a shorter side of 64

    again = vedit.evaluate(clip, out, keep=True, quick=True, metrics=["difference"])
    kept = json.loads((tmp_path / "out.mov.vedit.json").read_text())["evaluation"]
    assert kept["quick"] is True and kept["figures"]["difference"]["value"] == again.figures["difference"].value


def test_without_a_record_nothing_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = two_shots(tmp_path / "in.mov")
    with pytest.raises(InputError, match="has no record beside it"):
        vedit.evaluate(clip, clip, keep=True)
    words = ["restyle", str(clip), "--prompt", "woodcut", "--evaluate"]
    for more in ("--no-sidecar", "--dry-run", "--preview"):
        assert main([*words, more], standalone_mode=False) == 2
        assert "--evaluate" in capsys.readouterr().err


def test_a_result_that_was_changed_has_no_record(tmp_path: Path) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    vedit.restyle(clip, prompt="woodcut", quality="draft", frames="#0..#2", output=out)
    out.write_bytes(clip.read_bytes())
    with pytest.raises(InputError, match="is not as it was written"):
        vedit.evaluate(clip, out, keep=True, frames="#0..#10")


def test_a_folder_of_pictures_keeps_its_report(tmp_path: Path) -> None:
    clip, folder = two_shots(tmp_path / "in.mov"), tmp_path / "out"
    folder.mkdir()
    vedit.restyle(clip, prompt="woodcut", quality="draft", frames="#0..#2", output=folder / "out_%04d.png")
    assert recorded(folder).prompts == ("woodcut",) and not recorded(folder).notes
    report = vedit.evaluate(clip, folder, keep=True, quick=True, metrics=["difference"])
    assert report.frames == FrameRange(start=0, stop=2)
    told = own_record(folder)
    assert told is not None and told["evaluation"]["figures"].keys() == report.figures.keys()


def test_each_result_is_beside_the_source_measured_as_it_is(tmp_path: Path) -> None:
    """The floor of an autoencoder is of the model that made the result: of another tool's there is none."""
    clip, ours, theirs = (two_shots(tmp_path / "in.mov"), *(tmp_path / f"{name}.mov" for name in ("a", "b")))
    vedit.restyle(clip, prompt="woodcut", quality="draft", output=ours)
    theirs.write_bytes(ours.read_bytes())
    for results in ((ours, theirs), (theirs, ours)):
        reports = {one.label: one for one in vedit.compare(clip, results, metrics=["difference"])}
        assert set(reports["a.mov"].figures["difference"].floors) == {"re-encoded", "autoencoder"}
        assert set(reports["b.mov"].figures["difference"].floors) == {"re-encoded"}


def test_a_record_that_no_model_made_is_read(tmp_path: Path) -> None:
    clip = two_shots(tmp_path / "in.mov")
    identity(clip, tmp_path / "out.mov")
    known = recorded(tmp_path / "out.mov")
    assert known.part == FrameRange(start=0, stop=10) and known.model is None and not known.notes
