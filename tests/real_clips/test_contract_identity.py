"""Every real clip through an identity edit: read, write, and the contract on the written file; and exact frames.

A part of 24 frames that starts off a keyframe is written of every clip, and the whole of a few short ones. The check is
made anew from the two files alone, beside the writer's own.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.sidecar import sidecar_path
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips"
CLIPS = sorted(path for path in (DATA / "real").glob("*") if path.is_file())
ABSENT = f"no clips in {DATA / 'real'}; set VEDIT_TEST_DATA"

PART = 24
SHORT = ("learning-area__rabbit320", "tune-a-video__car-turn", "flatten__puff", "sample-videos__again")
"""Clips that are also written whole."""
UHD = 4_000_000
UHD_FRAMES = 4


def manifest() -> dict[str, dict[str, Any]]:
    """What was measured of each clip, by file name; empty where there is no manifest."""
    file = DATA / "manifest.json"
    entries = json.loads(file.read_text())["files"] if file.exists() else []
    return {Path(entry["file"]).name: entry for entry in entries}


def pixels(reader: VideoReader) -> int:
    return reader.metadata.width * reader.metadata.height


def identity(reader: VideoReader, output: Path, part: FrameRange | None) -> None:
    index = reader.index()
    plan = plan_output(output, reader.metadata, index, frames=part)
    with VideoWriter(plan) as writer:
        for clip in reader.chunks(plan.frames, 8):
            writer.write(clip.frames)
        report = writer.finish()
    assert report.ok
    again = verify(reader.metadata, output, frames=part, source_index=index)
    assert again.ok, [check for check in again.checks if not check.ok]
    assert sorted(output.parent.iterdir()) == [output, sidecar_path(output)]


@pytest.mark.skipif(not CLIPS, reason=ABSENT)
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_exact_frames_and_an_identity_edit(path: Path, tmp_path: Path) -> None:
    with open_video(path) as reader:
        check_index(reader, path)
        check_frames_by_number(reader)
        count = len(reader.index())
        length = min(UHD_FRAMES if pixels(reader) > UHD else PART, count - 1)
        start = min(37, count - length)
        identity(reader, tmp_path / default_output(path).name, FrameRange(start=start, stop=start + length))


@pytest.mark.skipif(not CLIPS, reason=ABSENT)
@pytest.mark.parametrize("path", [path for path in CLIPS if path.stem in SHORT], ids=lambda path: path.stem)
def test_identity_of_whole_clips(path: Path, tmp_path: Path) -> None:
    with open_video(path) as reader:
        identity(reader, tmp_path / default_output(path).name, None)


def check_index(reader: VideoReader, path: Path) -> None:
    """Frame count and first time are those that were measured of the clip."""
    told = manifest().get(path.name)
    if told is not None:
        index = reader.index()
        assert len(index) == told["frames_decoded"]
        assert float(index.pts[0] * index.time_base) == pytest.approx(told["first_pts"], abs=1e-3)


def check_frames_by_number(reader: VideoReader) -> None:
    """Frames reached by seeking backwards through the clip equal those of a decode from the first frame."""
    count = len(reader.index())
    window, starts = (
        (1, (count - 1, count // 3)) if pixels(reader) > UHD else (4, (count - 4, count // 2, count // 3, 0))
    )
    digests: dict[int, str] = {}
    for start in starts:
        clip = reader.read(FrameRange(start=start, stop=start + window))
        digests |= {start + n: digest(frame) for n, frame in enumerate(clip.frames)}
    with VideoReader(reader.metadata, seek=False, scanned=reader.scanned()) as sequential:
        for number in sorted(digests):
            clip = sequential.read(FrameRange(start=number, stop=number + 1))
            assert digest(clip.frames[0]) == digests[number], number


def digest(frame: Any) -> str:
    return hashlib.sha256(frame.tobytes()).hexdigest()
