"""Lists of shots: detectors, fades and dissolves, corrections by hand, and the files that other programs read."""

from __future__ import annotations

import csv
import io
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from vedit.cli import main
from vedit.errors import InputError
from vedit.registry.shot_detectors import shot_detectors
from vedit.shots.corrections import ShotChoices, ShotList, find_shots
from vedit.shots.detect import USUAL, DetectorName, detect_shots
from vedit.shots.formats import ListedShots
from vedit.testing.fakes import FakeReader, moving_frames
from vedit.types import FrameRange, Shot

PLACES: list[Any] = [moving_frames(60, 72, 128, seed=seed) // (1 + seed % 2) for seed in range(3)]
A, B, C = PLACES


def ramp(count: int) -> Any:
    return (np.arange(1, count + 1) / (count + 1))[:, None, None, None]


def mixed(first: Any, last: Any) -> Any:
    weight = ramp(len(first))
    return ((1 - weight) * first + weight * last).astype(np.uint8)


def starts(found: ShotList) -> list[int]:
    return [shot.frames.start for shot in found.shots]


def near(found: FrameRange, start: int, stop: int, slack: int) -> bool:
    return abs(found.start - start) <= slack and abs(found.stop - stop) <= slack


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def vedit(*words: object) -> int:
    return main([str(word) for word in words], standalone_mode=False)


@pytest.mark.parametrize("name", ["adaptive", "content", "histogram", "hash"])
@pytest.mark.parametrize("variable", [False, True])
def test_every_detector_finds_cuts_by_our_own_count(name: DetectorName, variable: bool) -> None:
    frames = np.concatenate([A[:20], B[:30], C[:30]])
    pts = tuple(np.cumsum(np.random.default_rng(0).integers(200, 4000, len(frames))).tolist()) if variable else None
    reader = FakeReader(frames=frames, pts=pts, time_base=Fraction(1, 30000) if variable else None)
    assert [shot.frames.start for shot in detect_shots(reader, detector=name)] == [0, 20, 50]


@pytest.mark.parametrize("name", ["adaptive", "content", "histogram", "hash"])
@pytest.mark.parametrize("seed", [0, 2, 3, 4])
@pytest.mark.parametrize("cut", [3, 6, 17])
def test_a_hard_cut_is_marked_on_its_frame(name: DetectorName, seed: int, cut: int) -> None:
    before: Any = moving_frames(20, 72, 128, seed=seed) // (1 + seed % 2)
    after: Any = moving_frames(20, 72, 128, seed=seed + 11) // (2 - seed % 2)
    reader = FakeReader(frames=np.concatenate([before[:cut], after]))
    assert [shot.frames.start for shot in detect_shots(reader, detector=name)] == [0, cut]


def test_the_hash_sees_brightness_alone() -> None:
    still = np.repeat(A[:1], 8, axis=0)
    # The same picture of the same luma (BT.601, as OpenCV converts) in other colours.
    grey = np.round(np.tensordot([0.299, 0.587, 0.114], still, axes=(0, 1)))[:, None].repeat(3, axis=1)
    reader = FakeReader(frames=np.concatenate([still, grey.astype(np.uint8)]))
    assert [shot.frames.start for shot in detect_shots(reader, detector="hash")] == [0]
    assert [shot.frames.start for shot in detect_shots(reader, detector="content", threshold=10)] == [0, 8]


def test_every_detector_of_its_own_is_listed_with_its_usual_threshold() -> None:
    assert tuple(entry.name for entry in shot_detectors() if entry.origin == "vedit") == tuple(USUAL)
    assert all(entry.load() for entry in shot_detectors())


def test_fades_are_told_and_cut_in_the_black_by_threshold() -> None:
    black = np.zeros_like(A[:8])
    frames = np.concatenate([A[:20], mixed(A[20:32], black[:1]), black, mixed(black[:1].repeat(12, 0), B[:12]), B[12:]])
    found = find_shots(FakeReader(frames=frames), ShotChoices(detector="threshold"))
    assert [transition.kind for transition in found.transitions] == ["fade out", "fade in"]
    assert near(found.transitions[0].frames, 20, 32, 2)
    assert near(found.transitions[1].frames, 40, 52, 2)
    assert len(found.shots) == 2
    assert 32 <= found.shots[1].frames.start < 40


@pytest.mark.parametrize("length", [6, 10, 16, 24])
def test_dissolves_are_told_and_can_be_cut(length: int) -> None:
    frames = np.concatenate([A[:30], mixed(A[30 : 30 + length], B[:length]), B[length:50]])
    reader = FakeReader(frames=frames)
    found = find_shots(reader)
    (transition,) = found.transitions
    assert transition.kind == "dissolve"
    assert near(transition.frames, 30, 30 + length, 2)
    assert found.into(found.shots[0]) == transition
    split = find_shots(reader, ShotChoices(split_transitions=True))
    assert any(abs(start - 30 - length // 2) <= 2 for start in starts(split)) or starts(split) == starts(found) != [0]


def test_a_pan_a_cut_and_a_change_of_light_are_no_transitions() -> None:
    dim = (A[:1] * (0.3 + 0.7 * ramp(40))).astype(np.uint8)
    assert find_shots(FakeReader(frames=np.concatenate([A[:40], B[:40], dim]))).transitions == ()


def test_cuts_are_added_and_removed_by_hand(clip: Path) -> None:
    reader = FakeReader(frames=np.concatenate([A[:20], B[:30]]), rate=Fraction(10))
    assert starts(find_shots(reader, ShotChoices(add=("0.5", "#30", "00:00:04:01")))) == [0, 5, 20, 30, 41]
    assert starts(find_shots(reader, ShotChoices(remove=("#21",)))) == [0]
    with pytest.raises(InputError, match="no cut at 1; the nearest is at #20"):
        find_shots(reader, ShotChoices(remove=("1",)))
    with pytest.raises(InputError, match="outside the clip"):
        find_shots(reader, ShotChoices(add=("#90",)))
    with pytest.raises(InputError, match="threshold of hash is 3; give one between 0 and 1"):
        find_shots(reader, ShotChoices(detector="hash", threshold=3))


def test_the_command_writes_every_format(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    from vedit.nle.formats.edl import EdlDocument
    from vedit.nle.media_paths import MediaRules

    files = [tmp_path / f"shots.{suffix}" for suffix in ("csv", "json", "edl", "otio", "html", "png")]
    assert vedit("shots", clip, *(word for file in files for word in ("-o", file))) == 0
    assert capsys.readouterr().out.splitlines() == ["   1  #0..#6  0.000..0.250 s", "   2  #6..#10  0.250..0.417 s"]
    table = list(csv.DictReader(io.StringIO(files[0].read_text())))
    assert (table[1]["start"], table[1]["start_timecode"], table[1]["stop_timecode"]) == (
        "6",
        "01:00:00:06",
        "01:00:00:10",
    )
    assert json.loads(files[1].read_text())["shots"][1]["start_seconds"] == "1001/4000"
    edl = files[2].read_text()
    assert "002  AX       V     C        01:00:00:06 01:00:00:10 01:00:00:06 01:00:00:10" in edl
    read = EdlDocument(edl.encode(), "shots.edl", MediaRules(base=tmp_path), Fraction(24000, 1001)).timeline
    assert len(read.clips) == 2
    page = files[4].read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page and "<script" not in page
    sheet = cv2.imread(str(files[5]))
    assert sheet is not None
    assert sheet.shape[1] > 2 * WIDTH and sheet.shape[0] > HEIGHT
    assert vedit("shots", clip, "-o", files[0]) == 2, "a file that is there is not written over"
    assert vedit("shots", clip, "-o", tmp_path / "shots.xls") == 2


def test_the_timeline_is_opentimelineio_s(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio", reason="the extra 'nle' is not installed")
    from vedit.media.reading.addresses import path_of
    from vedit.media.reading.read import open_video
    from vedit.nle.media_paths import MediaRules

    clip = two_shots(tmp_path / "two shots, 100% #1 é.mov")
    with open_video(clip) as reader:
        text = ListedShots(reader=reader, found=find_shots(reader)).otio()
    timeline = otio.adapters.read_from_string(text, "otio_json")
    clips = list(timeline.find_clips())
    rate = 24000 / 1001
    assert [(item.source_range.start_time.value, item.source_range.duration.value) for item in clips] == [
        (86400, CUT),
        (86400 + CUT, FRAMES - CUT),
    ]
    assert clips[0].source_range.start_time.rate == pytest.approx(rate)
    assert clips[0].media_reference.available_range.duration.value == FRAMES
    url = clips[0].media_reference.target_url
    assert url.startswith("file:///") and url.endswith("/two%20shots,%20100%25%20%231%20%C3%A9.mov")
    assert path_of(url) == otio.url_utils.filepath_from_url(url) == str(clip)
    assert MediaRules(base=tmp_path).locate(url).path == clip


def test_an_image_sequence_is_told_as_one(tmp_path: Path) -> None:
    import cv2

    from vedit.media.reading.read import open_video

    for number, frame in enumerate(A[:3], start=7):
        assert cv2.imwrite(str(tmp_path / f"a b_{number:04d}.png"), frame.transpose(1, 2, 0))
    with open_video(tmp_path / "a b_%04d.png", rate=Fraction(24)) as reader:
        text = ListedShots(reader=reader, found=find_shots(reader)).otio()
    (clip,) = json.loads(text)["tracks"]["children"][0]["children"]
    media = clip["media_references"]["DEFAULT_MEDIA"]
    assert media["target_url_base"] == f"file://{tmp_path.as_posix()}/"
    told = [media[key] for key in ("name_prefix", "start_frame", "frame_zero_padding", "name_suffix", "rate")]
    assert told == ["a b_", 7, 4, ".png", 24.0]
    otio = pytest.importorskip("opentimelineio", reason="the extra 'nle' is not installed")
    (found,) = otio.adapters.read_from_string(text, "otio_json").find_clips()
    assert found.media_reference.target_url_for_image_number(2).endswith("/a b_0009.png")


def test_a_variable_rate_has_no_timecodes() -> None:
    reader = FakeReader(frames=A[:9], pts=(0, 3, 5, 9, 10, 12, 13, 20, 21), time_base=Fraction(1, 100))
    listed = ListedShots(reader=reader, found=ShotList(shots=(Shot(number=1, frames=FrameRange(start=0, stop=9)),)))
    assert listed.rows()[0]["start_timecode"] == ""
    assert "0.000000" in listed.csv()
    for write in (listed.edl, listed.otio):
        with pytest.raises(InputError, match="variable frame rate"):
            write()


def test_a_name_that_is_not_unicode_is_no_obstacle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / os.fsdecode(b"caf\xe9.mov")
    try:
        two_shots(tmp_path / "in.mov").rename(clip)
    except OSError:
        pytest.skip("this file system holds only names in Unicode")
    words = [word for name in ("s.json", "s.otio", "s.html") for word in ("-o", tmp_path / name)]
    assert vedit("shots", clip, *words) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "s.json").read_text("utf-8"))["source"] == str(clip)
    assert "caf%E9.mov" in (tmp_path / "s.otio").read_text("utf-8")
    assert "caf?.mov: 2 shots" in (tmp_path / "s.html").read_text("utf-8")
    capsys.readouterr()
    assert vedit("shots", clip, "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == str(clip)
