"""`conform-rate`: how fast Final Cut plays media in a sequence of another rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vedit.nle.formats.fcpxml_times import conform_factor
from vedit.nle.ranges import MediaFacts, used_range
from vedit.nle.read import read_timeline
from vedit.types import FrameRange

FILM, NTSC, FAST = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("media", "sequence", "factor"),
    [
        # Measured in exports of Final Cut: where two clips continue each other in their media.
        (FILM, Fraction(24), 1.001),
        (FILM, Fraction(30), 1.0012),
        (FILM, Fraction(50), 1.0004),
        (FILM, FAST, 0.999),
        (FILM, Fraction(60), 1.0012),
        # Neighbours are played frame by frame, and rates that divide each other are as they are.
        (Fraction(25), Fraction(24), 24 / 25),
        (Fraction(24), Fraction(25), 25 / 24),
        (NTSC, Fraction(30), 1.001),
        (NTSC, FAST, 1),
        (Fraction(25), Fraction(50), 1),
        (Fraction(50), Fraction(24), 1),
        (FAST, FILM, 0.999),
        (Fraction(60), NTSC, 0.999),
        (Fraction(120000, 1001), FILM, 1),
    ],
)
def test_only_neighbours_are_played_frame_by_frame(media: Fraction, sequence: Fraction, factor: float) -> None:
    assert float(conform_factor(media, sequence)) == pytest.approx(factor, abs=7e-4)


@pytest.mark.parametrize("told", ["23.98", ""])
@pytest.mark.parametrize("sequence", [Fraction(24), Fraction(30), Fraction(50), FAST])
def test_a_clip_needs_as_many_frames_as_its_time_holds(tmp_path: Path, sequence: Fraction, told: str) -> None:
    second = f"{24 * 1001}/24000s"
    text = f"""<fcpxml version="1.11"><resources><format id="r1" frameDuration="{1 / sequence}s"/>
        <format id="r2" frameDuration="1001/24000s"/>
        <asset id="r3" start="0s" duration="100s" hasVideo="1" format="r2"><media-rep src="a.mov"/></asset></resources>
        <project name="p"><sequence format="r1"><spine>
        <asset-clip ref="r3" name="a" start="{second}" duration="10s"><conform-rate srcFrameRate="{told}"/>
        <video ref="r3" lane="1" offset="{second}" duration="1s"/></asset-clip></spine></sequence></project></fcpxml>"""
    (tmp_path / "a.mov").touch()
    path = tmp_path / "cut.fcpxml"
    path.write_text(text)
    clip, connected = read_timeline(path).timeline.clips
    needed = used_range(clip, MediaFacts(frames=2400, rate=FILM))
    assert needed.used.start == 24 and 239 <= len(needed.used) <= 241
    assert connected.record.start == 0
    path.write_text(text.replace("<conform-rate ", '<conform-rate scaleEnabled="0" '))
    whole = read_timeline(path).timeline.clips[0]
    assert whole.source is not None and whole.source.duration == 10


def test_the_case(test_data: Path, tmp_path: Path) -> None:
    case = test_data / "cases/nle/conform_rate_5994_in_2398.fcpxml"
    if not case.is_file():
        pytest.skip(f"no {case}")
    (tmp_path / "A001.mov").touch()
    path = tmp_path / case.name
    path.write_bytes(case.read_bytes())
    (clip,) = read_timeline(path).timeline.clips
    # A second, and so 60 frames; not 24.
    used = used_range(clip, MediaFacts(frames=180, rate=FAST), handles=0).used
    assert used == FrameRange(start=60, stop=120)
