"""Image sequences as the media of a cut: the names that systems give them, and which pictures are meant."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vedit.media.reading import isolate
from vedit.nle.jobs import media_facts, plan_timeline, sequence_rates
from vedit.nle.looks import parse_looks
from vedit.nle.media_paths import MediaRules, run_from
from vedit.nle.read import read_timeline
from vedit.types import FrameRange

RATE = Fraction(24000, 1001)


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Pictures 1001 to 1030, and a still."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(1001, 1031):
        Image.fromarray(np.full((4, 4, 3), number % 256, np.uint8)).save(folder / f"plate_{number}.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "title.png")
    return folder


def fcpxml(source: str) -> str:
    def time(frames: int) -> str:
        return f"{frames * 1001}/24000s"

    return f"""<fcpxml version="1.10"><resources><format id="r0" frameDuration="1001/24000s"/>
        <asset id="r1" name="plate" start="{time(1001)}" duration="{time(30)}" hasVideo="1" format="r0">
        <media-rep src="{source}"/></asset></resources><project name="p"><sequence format="r0"><spine>
        <asset-clip ref="r1" name="plate" start="{time(1011)}" duration="{time(6)}"/></spine></sequence></project>
        </fcpxml>"""


def xmeml(source: str) -> str:
    rate = "<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>"
    return f"""<xmeml version="4"><sequence><name>s</name>{rate}<media><video><track><clipitem id="c"><name>plate</name>
        <duration>30</duration>{rate}<start>0</start><end>6</end><in>10</in><out>16</out><file id="f">
        <name>plate</name><pathurl>{source}</pathurl>{rate}<duration>30</duration>
        <timecode>{rate}<frame>1001</frame></timecode><media><video/></media></file></clipitem></track></video></media>
        </sequence></xmeml>"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # DaVinci Resolve names first and last picture, Premiere the first one, Hiero and Nuke a counter.
        ("cut.fcpxml", fcpxml("file:///Volumes/X/shot/plate_%5B1001-1030%5D.png")),
        ("cut.fcpxml", fcpxml("shot/plate_%04d.png")),
        ("cut.xml", xmeml("file://localhost/X/shot/plate_%5B1001-1030%5D.png")),
        ("cut.xml", xmeml("file://localhost/X/shot/plate_1001.png")),
        ("cut.xml", xmeml("shot/plate_####.png")),
    ],
)
def test_the_pictures_that_are_shown_are_rendered(
    plates: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "check_file", lambda path, **_: None)  # pyright: ignore[reportUnknownLambdaType]
    path = plates.parent / name
    path.write_text(text)
    document = read_timeline(path)
    (rated,) = sequence_rates(document).items()
    assert rated[1] == RATE and rated[0].parent == plates
    facts = {rated[0]: media_facts(rated[0], rate=RATE)}
    looks = parse_looks('[[look]]\nname = "ink"\nprompt = "ink"\n')
    (job,) = plan_timeline(document, looks, facts=facts, handles=2)
    assert (job.used, job.frames, job.rate) == (FrameRange(start=10, stop=16), FrameRange(start=8, stop=18), RATE)
    assert job.start == 1009 / RATE
    assert job.output == plates / "plate.ink.8-17.vedit.mov"


def test_pictures_that_came_later_move_nothing(plates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "check_file", lambda path, **_: None)  # pyright: ignore[reportUnknownLambdaType]
    for number in range(991, 1001):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(plates / f"plate_{number:04d}.png")
    for name, source in (("cut.fcpxml", fcpxml("shot/plate_%04d.png")), ("cut.xml", xmeml("shot/plate_%04d.png"))):
        path = plates.parent / name
        path.write_text(source)
        document = read_timeline(path)
        found = document.timeline.clips[0].media
        assert found is not None and found.path is not None
        facts = {found.path: media_facts(found.path, rate=RATE)}
        (job,) = plan_timeline(document, parse_looks('[[look]]\nprompt = "ink"\n'), facts=facts, handles=0)
        assert job.frames == FrameRange(start=20, stop=26)


@pytest.mark.parametrize("name", ["cut.fcpxml", "cut.xml"])
@pytest.mark.parametrize("source", ["shot/title.png", "shot/plate_1001.png"])
def test_one_picture_is_a_still(plates: Path, name: str, source: str) -> None:
    text = fcpxml(source) if name == "cut.fcpxml" else xmeml(source).replace(">30<", ">1294705<")
    path = plates.parent / name
    path.write_text(text)
    (clip,) = read_timeline(path).timeline.clips
    assert (clip.kind, clip.refusal) == ("still", "a still picture")


def test_what_is_no_sequence_stays_what_it_is(plates: Path) -> None:
    rules = MediaRules(base=plates)
    assert rules.locate("title.png").path == plates / "title.png"
    assert rules.locate("none_%04d.png").path is None and rules.locate("none_[1-9].png").path is None
    assert run_from(plates / "title.png", 30) == plates / "title.png"
    assert run_from(plates / "plate_1002.png", 30) == plates / "plate_1002.png"
    assert run_from(plates / "plate_1001.png", 30) == plates / "plate_%04d.png"
    # Premiere gives a still picture hours.
    assert run_from(plates / "plate_1001.png", 1294705) == plates / "plate_1001.png"
    (plates / "odd_[1001-1030].png").touch()
    assert rules.locate("odd_[1001-1030].png").path == plates / "odd_[1001-1030].png"
    assert MediaRules(base=plates / "none").locate(str(plates / "plate_%04d.png")).problem.startswith("outside")
