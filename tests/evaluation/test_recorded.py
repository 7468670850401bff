"""What the record beside a result decides: how the source is read, which part is shown, and when it is not believed."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import pytest

import vedit
from tests.support.clips import FRAMES, lossless, picture, two_shots
from tests.support.loaded import small_renders
from tests.support.toy_metrics import only, toy
from vedit.cli import main
from vedit.errors import InputError
from vedit.evaluation.recorded import recorded
from vedit.types import FrameRange


@pytest.fixture(autouse=True)
def toys() -> Generator[None]:
    with small_renders(), only(toy("difference"), toy("steps")):
        yield


def identity(*words: str) -> None:
    assert main(["identity", *words, "--quiet"], standalone_mode=False) == 0


def two_tracks(path: Path) -> Path:
    """Of the second, every frame is the first one's turned upside down."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=24) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = *picture(0).shape[:2], "bgr0"
        for t in range(4):
            for stream, frame in zip(streams, (picture(t), picture(t)[::-1].copy()), strict=True):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def test_the_track_that_it_was_made_from(tmp_path: Path) -> None:
    clip, out = two_tracks(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    identity(str(clip), "-o", str(out), "--track", "1", "--codec", "ffv1")
    assert recorded(out).track == 1
    assert vedit.evaluate(clip, out, quick=True).figures["difference"].value == 0
    other = tmp_path / "other.mkv"
    identity(str(clip), "-o", str(other), "--track", "0", "--codec", "ffv1")
    with pytest.raises(InputError, match="made from several tracks of the source; name the one to compare"):
        vedit.compare(clip, [out, other], quick=True)


def test_the_part_that_it_shows(tmp_path: Path) -> None:
    clip, part = two_shots(tmp_path / "in.mov"), tmp_path / "part.mkv"
    identity(str(clip), "-o", str(part), "--range", "#3..#8", "--codec", "ffv1", "--drop-unsupported")
    report = vedit.evaluate(clip, part, quick=True)
    assert report.frames == FrameRange(start=3, stop=8)
    same = report.figures["difference"].value
    assert same is not None and same < 2
    with pytest.raises(InputError, match=r"asked for is #0\.\.#5, and the result shows #3\.\.#8 by its record"):
        vedit.evaluate(clip, part, frames="#0..#5", quick=True)
    # Beside a result of the whole clip, the part lies where it belongs.
    whole = lossless(tmp_path / "whole.mkv", [picture(t) for t in range(FRAMES)])
    both = vedit.compare(clip, {"whole": whole, "part": part}, quick=True)
    assert both[0].frames == FrameRange(start=0, stop=FRAMES)
    assert set(both[1].figures["difference"].series) == set(range(3, 8))
    assert (both[1].figures["difference"].value or 0) < 2
    assert any("5 of the source's have none" in note for note in both[1].notes)


def test_the_rate_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "shot"
    folder.mkdir()
    clip = lossless(tmp_path / "in.mkv", [picture(t) for t in range(4)])
    identity(str(clip), "-o", str(folder / "f_%04d.png"), "--codec", "png")
    for result in (folder / "f_%04d.png", folder):
        report = vedit.evaluate(clip, result, quick=True)
        assert report.figures["difference"].value == 0
        assert report.contract is not None and report.contract.ok
        (told,) = vedit.compare(clip, {"it": result}, quick=True)
        assert told.figures["difference"].value == 0
        assert not any("frames/s" in note for note in told.notes)


def changed(record: Path, **keys: Any) -> None:
    told = json.loads(record.read_text())
    told["recipe"] |= keys
    record.write_text(json.dumps(told))


@pytest.mark.parametrize("keys", [{"shots": [[0, 2], [3, 4]]}, {"shots": "none"}, {"model": None, "shots": [["a", 1]]}])
def test_a_damaged_record_is_not_believed(tmp_path: Path, keys: dict[str, object]) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    vedit.restyle(clip, prompt="woodcut", quality="draft", frames="#0..#4", output=out)
    assert recorded(out).model == "embedded"
    changed(tmp_path / "out.mov.vedit.json", **keys)
    found = recorded(out)
    assert found.model is None and "cannot be read" in found.notes[0]
    report = vedit.evaluate(clip, out, quick=True)
    assert report.frames == FrameRange(start=0, stop=4) and found.notes[0] in report.notes


def test_another_file_under_the_name_has_no_record(tmp_path: Path) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    vedit.restyle(clip, prompt="woodcut", quality="draft", frames="#0..#2", mask="box:0,0,50%,50%", output=out)
    assert recorded(out).mask is not None
    out.write_bytes(clip.read_bytes())
    found = recorded(out)
    assert found.mask is None and found.part is None and "is not as its record has it" in found.notes[0]


def test_shots_that_pass_through_are_not_measured(tmp_path: Path) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    look = vedit.RestyleOptions(prompt="woodcut", quality="draft")
    vedit.restyle(clip, looks={2: look}, output=out)
    assert recorded(out).untouched == (0,)
    report = vedit.evaluate(clip, out, quick=True)
    assert [shot.frames.start for shot in report.shots] == [6]
    assert min(report.figures["difference"].series) == 6
    assert "1 of the 2 shots pass through, and are not measured" in report.notes


def test_masks_of_single_shots_are_not_used_and_that_is_said(tmp_path: Path) -> None:
    clip, out = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    masked = vedit.Edit(prompt="woodcut", quality="draft", mask="box:0,0,50%,50%")
    vedit.restyle(clip, looks={1: masked}, output=out)  # pyright: ignore[reportArgumentType]
    report = vedit.evaluate(clip, out, quick=True)
    assert any("masks of several shots or regions, which are not used" in note for note in report.notes)
