"""Shots of every real clip beside the truth in shots.json, and beside PySceneDetect's detectors on the same frames.

`make test-real ARGS="-k shots_of_all"` prints the table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vedit.media.reading.read import open_video
from vedit.shots.detect import ContentShotDetector, DetectorName
from vedit.shots.small_frames import small_bgr
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import Clip

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips" / "real"
TRUTH: dict[str, Any] = json.loads((Path(__file__).parent / "shots.json").read_text("utf-8"))
NEAR = 1
"""Frames that a cut may be off."""
BARE: dict[DetectorName, str] = {
    "adaptive": "AdaptiveDetector",
    "content": "ContentDetector",
    "histogram": "HistogramDetector",
    "hash": "HashDetector",
}


@dataclass
class Tally:
    """Counts over all clips."""

    found: int = 0
    right: int = 0
    sharp: int = 0
    """Hard cuts that were found."""

    def add(self, cuts: list[int], truth: dict[str, Any]) -> None:
        """Each boundary counts once: what else lies at or in it is false."""
        left = [(cut - NEAR, cut + NEAR, True) for cut in truth["cuts"]]
        left += [(first - NEAR, last + NEAR, False) for first, last in truth["gradual"]]
        self.found += len(cuts)
        for cut in cuts:
            hit = next((one for one in left if one[0] <= cut <= one[1]), None)
            if hit is not None:
                left.remove(hit)
                self.right += 1
                self.sharp += hit[2]


class Bare:
    """One of PySceneDetect's detectors as it comes, frames counted by us."""

    def __init__(self, name: str) -> None:
        from scenedetect import detectors

        self._detector: Any = getattr(detectors, name)()
        self._pushed = 0
        self.cuts: list[int] = []

    def push(self, clip: Clip) -> None:
        from scenedetect import FrameTimecode

        for frame in clip.frames:
            at = FrameTimecode(self._pushed, fps=25.0)
            self.cuts += [cut.frame_num for cut in self._detector.process_frame(at, small_bgr(frame, clip.bit_depth))]
            self._pushed += 1


def chunks(path: Path) -> Iterator[Clip]:
    with open_video(path) as reader:
        each = reader.metadata.width * reader.metadata.height * 4
        yield from reader.chunks(FrameRange(start=0, stop=len(reader.index())), max(1, (64 << 20) // each))


def test_the_tally_counts_each_boundary_once() -> None:
    tally = Tally()
    tally.add([9, 50, 55, 80], {"cuts": [10, 30], "gradual": [[48, 60]]})
    assert (tally.found, tally.right, tally.sharp) == (4, 2, 1)


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="the real clips are absent: set VEDIT_TEST_DATA")
def test_shots_of_all_real_clips(capsys: pytest.CaptureFixture[str]) -> None:
    ours, bare = {name: Tally() for name in BARE}, {name: Tally() for name in BARE}
    clips = sorted(path for path in DATA.iterdir() if path.suffix in (".mp4", ".mkv", ".mov", ".webm"))
    for path in clips:
        truth = TRUTH.get(path.name, {"cuts": [], "gradual": []})
        checked = {name: ContentShotDetector(detector=name) for name in BARE}
        plain = {name: Bare(BARE[name]) for name in BARE}
        for clip in chunks(path):
            for detector in (*checked.values(), *plain.values()):
                detector.push(clip)
        for name in BARE:
            ours[name].add([shot.frames.start for shot in checked[name].finish()[1:]], truth)
            bare[name].add(plain[name].cuts, truth)
    sharp = sum(len(truth["cuts"]) for truth in TRUTH.values() if isinstance(truth, dict))
    total = sharp + sum(len(truth["gradual"]) for truth in TRUTH.values() if isinstance(truth, dict))
    with capsys.disabled():
        print(f"\n{len(clips)} clips, {sharp} hard cuts, {total} boundaries")
        print("| detector | cuts | false | precision | recall of hard cuts | recall of all boundaries |")
        print("|---|---|---|---|---|---|")
        for kind, tallies in (("vedit, ", ours), ("PySceneDetect, ", bare)):
            for name, tally in tallies.items():
                print(
                    f"| {kind}{name} | {tally.found} | {tally.found - tally.right} "
                    f"| {tally.right / max(1, tally.found):.2f} | {tally.sharp}/{sharp} | {tally.right}/{total} |"
                )
    for name in BARE:
        assert ours[name].sharp >= bare[name].sharp
        assert ours[name].found - ours[name].right <= bare[name].found - bare[name].right
    assert ours["adaptive"].right == ours["adaptive"].found, "the default reports no false cut"
    assert ours["adaptive"].sharp == sharp
