"""`vedit.evaluate` and `vedit.compare` on files: what is paired, refused, floored and reported."""

from __future__ import annotations

import json
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import vedit
from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, lossless, picture, two_shots
from tests.support.schema import faults
from tests.support.toy_metrics import only, toy
from vedit.errors import InputError, MediaError, SettingError
from vedit.evaluation.report import as_csv
from vedit.evaluation.schema import report_schema


@pytest.fixture(autouse=True)
def toys() -> Generator[None]:
    with only(toy("difference"), toy("steps")):
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "in.mov")


def darker(path: Path, count: int = FRAMES) -> Path:
    return lossless(path, [(picture(t) // 2).astype(np.uint8) for t in range(count)])


def test_the_source_against_itself_is_ideal(clip: Path) -> None:
    report = vedit.evaluate(clip, clip, require=["difference<=0", "contract", "brightness<1.01x"])
    assert report.figures["difference"].value == 0 == report.figures["difference"].own
    assert report.ok and report.contract is not None and report.contract.ok
    assert report.frames == vedit.FrameRange(start=0, stop=FRAMES)
    assert [shot.frames.start for shot in report.shots] == [0, CUT]
    assert report.figures["steps"].value == FRAMES - 2  # the first frame of either shot has none before it
    assert report.figures["eights"].value is None and report.figures["eights"].why == "nothing of it was measured"
    assert report.measured_at == (HEIGHT, WIDTH)


def test_a_result_beside_the_source_and_a_floor(clip: Path, tmp_path: Path) -> None:
    report = vedit.evaluate(clip, darker(tmp_path / "dark.mkv"), require=["difference<0.1", "contract"])
    figure = report.figures["difference"]
    assert figure.value is not None and 20 < figure.value < 80
    floor = figure.floors["re-encoded"]
    assert floor is not None and 0 < floor < 3
    assert report.floor_frames["re-encoded"] == vedit.FrameRange(start=0, stop=CUT)  # of the longest shot
    assert "autoencoder" not in figure.floors  # nobody knows by which model it was made
    assert [one.met for one in report.required] == [False, False]  # no sound, no timecode
    assert set(figure.series) == set(range(FRAMES))
    told = json.loads(json.dumps(report.as_dict()))
    assert list(faults(told, report_schema())) == []
    assert list(faults({**told, "format": 2, "more": 1}, report_schema())) == [
        "$.format is 2, not 1",
        "$ has more, which is not known",
    ]
    assert told["figures"]["difference"]["source"] == 0 and told["shots"] == [[0, CUT], [CUT, FRAMES]]
    rows = as_csv([report]).splitlines()
    assert len(rows) == 1 + FRAMES
    assert rows[0] == "result,frame,seconds,shot,difference,difference_source,brightness,brightness_source"
    assert rows[1 + CUT].startswith(f"dark.mkv,{CUT},0.25025")


def test_a_part(clip: Path, tmp_path: Path) -> None:
    part = darker(tmp_path / "part.mkv", 4)
    with pytest.raises(MediaError, match=r"part\.mkv has 4 frames, the source has 10; name the part"):
        vedit.evaluate(clip, part)
    report = vedit.evaluate(clip, part, frames="#0..#4", quick=True)
    assert report.frames == vedit.FrameRange(start=0, stop=4)
    assert "steps" not in report.figures and not report.floor_frames  # not a quick one
    required = vedit.evaluate(clip, part, frames="#0..#4", quick=True, require=["steps>2"])
    assert required.ok and required.figures["steps"].value == 3  # what is required is measured, quick or not
    with pytest.raises(InputError, match="holds no frame"):
        vedit.evaluate(clip, part, frames="#4..#4")


def test_a_mask_of_the_record_or_of_the_call(clip: Path, tmp_path: Path) -> None:
    report = vedit.evaluate(clip, darker(tmp_path / "dark.mkv"), mask="box:25%,25%,50%,50%", quick=True)
    assert report.figures["difference"].value
    with pytest.raises(InputError):
        vedit.evaluate(clip, clip, mask=tmp_path / "absent.png")


def test_what_is_asked_is_checked_before_the_work(clip: Path) -> None:
    with pytest.raises(SettingError, match=r"'diference'; did you mean 'difference'\?"):
        vedit.evaluate(clip, clip, require=["diference<1"])
    with pytest.raises(InputError, match=r"no metric is named 'stepps'; did you mean 'steps'\?"):
        vedit.evaluate(clip, clip, metrics=["stepps"])
    with pytest.raises(SettingError, match="the measuring size is 3"):
        vedit.evaluate(clip, clip, short_side=3)
    with pytest.raises(SettingError, match="no figure that is measured is named 'difference'"):
        vedit.evaluate(clip, clip, metrics=["steps"], require=["difference<1"])


def test_another_cut_is_refused(clip: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    others = [np.kron(rng.integers(0, 255, (9, 11, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(1)] * 7
    cut = lossless(tmp_path / "cut.mkv", [picture(t) for t in range(3)] + others)
    with pytest.raises(MediaError, match=r"cut\.mkv is cut at #3, where the source is not, and shows something else"):
        vedit.evaluate(clip, cut)


def test_a_frozen_result_is_measured_and_the_lost_cut_is_said(clip: Path, tmp_path: Path) -> None:
    frozen = lossless(tmp_path / "frozen.mkv", [picture(0)] * FRAMES)
    report = vedit.evaluate(clip, frozen, quick=True)
    assert report.figures["difference"].value


def test_results_of_other_tools_by_time(clip: Path, tmp_path: Path) -> None:
    half = lossless(
        tmp_path / "half.mkv", [picture(t)[::2, ::2] for t in range(0, FRAMES, 2)], rate=Fraction(12000, 1001)
    )
    reports = vedit.compare(clip, {"ours": darker(tmp_path / "a.mkv"), "theirs": half}, metrics=["difference"])
    assert [one.label for one in reports] == ["ours", "theirs"]
    ours, theirs = (one.figures["difference"].value for one in reports)
    assert ours is not None and theirs is not None and ours > theirs
    told = " ".join(reports[1].notes)
    assert "88x72 pixels, the source has 176x144" in told and "5 frames, the source has 10" in told
    assert reports[1].contract is None
    with pytest.raises(InputError, match="two results have one name"):
        vedit.compare(clip, [clip, clip])
    with pytest.raises(SettingError, match="no result to compare"):
        vedit.compare(clip, [])


def test_no_video_and_no_file(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for path in (tmp_path / "empty.mp4", tmp_path / "absent.mp4"):
        with pytest.raises(InputError):
            vedit.evaluate(clip, path)


@pytest.fixture
def progress() -> Generator[list[float]]:
    told: list[float] = []
    yield told
    assert told == sorted(told) and told[-1] == 1.0


def test_progress(clip: Path, progress: list[float]) -> None:
    vedit.evaluate(
        clip, clip, quick=True, on_progress=lambda step: progress.append(-1.0 if step.share is None else step.share)
    )
