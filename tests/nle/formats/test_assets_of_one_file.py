"""FCPXML with several assets over one file, as DaVinci Resolve writes it: where the file's own first frame lies."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest

from tests.nle.fcpxml_rules import violations
from vedit.media.timecode import parse_timecode
from vedit.nle.jobs import clock_notes
from vedit.nle.model import NewMedia, TimelineDocument
from vedit.nle.ranges import MediaFacts, used_range
from vedit.nle.read import read_timeline
from vedit.types import FrameRange

CUTS = ((356, 10), (10, 10), (626, 4))
"""First frame and length of each clip, counted from the file's first."""


def time(frames: int, rate: Fraction) -> str:
    return f"{frames * rate.denominator}/{rate.numerator}s"


def cut(rate: Fraction, first: int, *, handles: int = 0, folder: str = "") -> str:
    """An asset for each cut; `first` is the number of the file's first frame, `handles` what an asset has more."""
    assets, clips, at = "", "", 0
    for number, (start, count) in enumerate(CUTS, start=1):
        begin, length = time(first + start - handles, rate), time(count + 2 * handles, rate)
        assets += f"""<asset id="r{number}" name="input.mov" start="{begin}" duration="{length}" hasVideo="1"
            format="r0"><media-rep kind="original-media" src="{folder}input.mov"/></asset>"""
        clips += f"""<asset-clip ref="r{number}" name="{number}" offset="{time(at, rate)}"
            start="{time(first + start, rate)}" duration="{time(count, rate)}"/>"""
        at += count
    return f"""<fcpxml version="1.9"><resources><format id="r0" frameDuration="{time(1, rate)}"/>{assets}</resources>
        <project name="p"><sequence format="r0"><spine>{clips}</spine></sequence></project></fcpxml>"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    (tmp_path / "input.mov").touch()
    path = tmp_path / "cut.fcpxml"
    path.write_text(text)
    return read_timeline(path)


@pytest.mark.parametrize(
    ("rate", "timecode"),
    [
        (Fraction(25), None),
        (Fraction(24000, 1001), "01:00:00:00"),
        (Fraction(30000, 1001), "00:59:59;28"),
        (Fraction(60000, 1001), None),
    ],
)
def test_frames_are_counted_from_the_files_own_first(tmp_path: Path, rate: Fraction, timecode: str | None) -> None:
    first = parse_timecode(timecode, rate) if timecode else 0
    document = read(tmp_path, cut(rate, first, handles=3))
    facts = MediaFacts(frames=700, rate=rate, start=first / rate, timecode=timecode)
    for number, (clip, (start, count)) in enumerate(zip(document.timeline.clips, CUTS, strict=True), start=1):
        needed = used_range(clip, facts)
        assert needed.used == FrameRange(start=start, stop=start + count)
        assert needed.start == (first + max(start - 8, 0)) / rate
        media = NewMedia(
            path=tmp_path / f"new{number}.mov",
            name="new",
            start=needed.start,
            frames=len(needed.frames),
            rate=rate,
        )
        document.relink(number, media)
    root = ET.fromstring(document.serialise())
    assets = {str(asset.get("id")): asset for asset in root.iter("asset")}
    for clip, (start, _) in zip(root.iter("asset-clip"), CUTS, strict=True):
        begin, shown = (
            Fraction(text.rstrip("s")) for text in (assets[clip.get("ref", "")].get("start", ""), clip.get("start", ""))
        )
        # Of the new file, which begins with the handles.
        assert (shown - begin) * rate == min(start, 8)
    assert not list(violations(document.serialise()))


def test_without_the_file_its_first_asset_counts(tmp_path: Path) -> None:
    document = read(tmp_path, cut(Fraction(25), 0))
    frames = [used_range(clip, handles=0).used.start for clip in document.timeline.clips]
    assert frames == [346, 0, 616]


def test_a_system_that_counts_by_another_timecode_is_believed(tmp_path: Path) -> None:
    # Ten hours on the clock of the system, none in the file: what is told lies outside the file's own clock.
    document = read(tmp_path, cut(Fraction(25), 900000))
    facts = MediaFacts(frames=700, rate=Fraction(25))
    assert [used_range(clip, facts, handles=0).used.start for clip in document.timeline.clips] == [346, 0, 616]


def test_another_timecode_than_the_files_is_told(tmp_path: Path) -> None:
    document = read(tmp_path, cut(Fraction(25), 900000))
    path = tmp_path / "input.mov"
    facts = MediaFacts(frames=700, rate=Fraction(25), start=Fraction(3600), timecode="01:00:00:00")
    (note,) = clock_notes(document, {path: facts})
    assert note == "input.mov begins at 01:00:00:00, in the timeline at 10:00:00:10, which counts"
    agreed = MediaFacts(frames=700, rate=Fraction(25), start=Fraction(36000), timecode="10:00:00:00")
    assert clock_notes(document, {path: agreed}) == ()


def test_one_address_may_be_written_in_several_ways(tmp_path: Path) -> None:
    text = cut(Fraction(25), 0, folder=f"file://{tmp_path.as_posix()}/")
    text = text.replace("file://", "file://localhost", 1)
    clips = read(tmp_path, text).timeline.clips
    assert {clip.media.start for clip in clips if clip.media is not None} == {Fraction(10, 25)}


def test_the_case(test_data: Path, tmp_path: Path) -> None:
    case = test_data / "cases/nle/asset_per_cut.fcpxml"
    if not case.is_file():
        pytest.skip(f"no {case}")
    document = read(tmp_path, case.read_text())
    facts = MediaFacts(frames=700, rate=Fraction(25))
    used = [used_range(clip, facts, handles=0).used for clip in document.timeline.clips]
    assert used == [
        FrameRange(start=10, stop=20),
        FrameRange(start=356, stop=366),
        FrameRange(start=626, stop=630),
    ]
