"""What packets tell of a clip's frames: believed only as far as a whole decode bears it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media_contract.clips import Timed, write_timed
from vedit.errors import MediaError
from vedit.media.contract.identity import identity
from vedit.media.contract.verify import verify
from vedit.media.reading.index import Mispredicted, ScannedIndex, predict, scan
from vedit.media.reading.probe import probe
from vedit.media.reading.reader import VideoReader
from vedit.types import FrameRange


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames with B-frames or not, the first three hidden by an edit list."""
    return write_timed(
        Timed(
            path=tmp_path / "in.mov",
            pts=[1001 * n for n in range(-3, 9)],
            time_base=Fraction(1, 24000),
            rate=Fraction(24000, 1001),
            last=1001,
        )
    )


def test_too_many_frames_are_refused_before_they_are_decoded(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedit.media.reading.limits.MAX_TOTAL_PIXELS", 5 * 64 * 36)
    with pytest.raises(MediaError, match="frames of 64x36"):
        predict(clip, probe(clip, allow_huge=True))
    with VideoReader(probe(clip, allow_huge=True)) as reader, pytest.raises(MediaError, match="frames of 64x36"):
        reader.predicted()
    with VideoReader(probe(clip, allow_huge=True), allow_huge=True) as reader:
        assert reader.predicted() is not None


def read_all(path: Path, told: ScannedIndex) -> int:
    with VideoReader(probe(path), scanned=told) as reader:
        return sum(len(clip) for clip in reader.chunks(FrameRange(start=0, stop=len(told.frames)), 4))


def test_it_equals_the_scan_and_a_read_bears_it_out(clip: Path) -> None:
    told = predict(clip, probe(clip))
    assert told is not None
    assert told.predicted
    assert told.frames == scan(clip, probe(clip)).frames
    assert read_all(clip, told) == len(told.frames)


@pytest.mark.parametrize("fault", ["one more", "one less", "another time"])
def test_a_false_prediction_shows(clip: Path, fault: str) -> None:
    told = predict(clip, probe(clip))
    assert told is not None
    pts = told.frames.pts
    wrong = {"one more": (*pts, pts[-1] + 1001), "one less": pts[:-1], "another time": (*pts[:4], pts[4] + 1, *pts[5:])}
    with pytest.raises(Mispredicted):
        read_all(clip, replace(told, frames=replace(told.frames, pts=wrong[fault])))


def test_damage_is_scanned_for(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    rng = np.random.default_rng(0)
    middle = len(data) // 3
    for place in rng.integers(middle, 2 * middle, 200):
        data[place] ^= 0x55
    harmed = tmp_path / "harmed.mov"
    harmed.write_bytes(data)
    report = identity(harmed, tmp_path / "out.mov").report
    assert report.ok
    assert verify(harmed, tmp_path / "out.mov").ok


def test_an_identity_render_of_a_whole_clip_decodes_it_once(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned: list[Path] = []

    def record(self: VideoReader) -> ScannedIndex:
        found = before(self)
        if not found.predicted:
            scanned.append(self.metadata.path)
        return found

    before = VideoReader.scanned
    monkeypatch.setattr(VideoReader, "scanned", record)
    assert identity(clip, tmp_path / "out.mov").report.ok
    assert scanned == []
    assert verify(clip, tmp_path / "out.mov").ok


@pytest.fixture
def healthy() -> Iterator[list[Path]]:
    import os

    data = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[4] / "shared")) / "clips"
    files = sorted((data / "torture").glob("*.mp4"))
    if not files:
        pytest.skip("no test clips; set VEDIT_TEST_DATA")
    yield files


def test_it_equals_the_scan_of_every_torture_file_it_speaks_of(healthy: list[Path]) -> None:
    spoken = 0
    for path in healthy:
        told = predict(path, probe(path))
        if told is not None:
            spoken += 1
            assert told.frames == scan(path, probe(path)).frames, path.name
    assert spoken > len(healthy) / 2
