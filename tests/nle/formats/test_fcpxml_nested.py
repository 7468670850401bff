"""Multicam and synchronized clips of FCPXML: the media of the active angle, replaced where it lies."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from tests.nle.fcpxml_rules import violations
from vedit.errors import InputError
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.ranges import used_range
from vedit.nle.read import read_timeline

FRAME = Fraction(1001, 24000)
RATE = 1 / FRAME


def time(frames: int) -> str:
    return f"{frames * 1001}/24000s"


def cut(body: str, *, angle: str = "", begin: int = 0) -> str:
    """Two cameras, A from frame 90 of the multicam on and B from 125 on; both files begin at frame 1000."""
    angles = "".join(
        f"""<mc-angle name="{name}" angleID="{name}"><gap offset="{time(begin)}" duration="{time(offset)}"/>
        <asset-clip ref="{ref}" offset="{time(begin + offset)}" name="cam {name}" duration="{time(2000)}">
        <marker start="{time(1300)}" duration="{time(1)}" value="seen"/></asset-clip>{angle}</mc-angle>"""
        for name, ref, offset in (("A", "r3", 90), ("B", "r4", 125))
    )
    assets = "".join(
        f"""<asset id="{ref}" name="{name}" start="{time(1000)}" duration="{time(2000)}" hasVideo="1" format="r1"
        hasAudio="1"><media-rep kind="original-media" src="{name}.mov"/></asset>"""
        for name, ref in (("a", "r3"), ("b", "r4"))
    )
    return f"""<fcpxml version="1.11"><resources><format id="r1" frameDuration="1001/24000s"/>
        <media id="r2" name="MC"><multicam format="r1" tcStart="{time(begin)}">{angles}</multicam></media>{assets}
        <asset id="r5" name="s" start="0s" duration="90s" hasAudio="1"><media-rep src="s.wav"/></asset></resources>
        <project name="p"><sequence format="r1"><spine>{body}</spine></sequence></project></fcpxml>"""


def mc(angle: str, start: int, count: int, more: str = "") -> str:
    return f"""<mc-clip ref="r2" name="{angle}{start}" start="{time(start)}" duration="{time(count)}">
        <mc-source angleID="{angle}" srcEnable="all"/>{more}</mc-clip>"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    for name in ("a.mov", "b.mov"):
        (tmp_path / name).touch()
    path = tmp_path / "cut.fcpxml"
    path.write_text(text)
    return read_timeline(path)


def relink(document: TimelineDocument, number: int, name: str, handles: int = 8) -> None:
    needed = used_range(document.timeline.clips[number - 1], handles=handles)
    media = NewMedia(path=Path(f"/m/{name}"), name=name, start=needed.start, frames=len(needed.frames), rate=RATE)
    document.relink(number, media)


def storyline(items: ET.Element, root: ET.Element) -> list[tuple[int, int, str, int]]:
    """Offset, length, file and its first frame of what lies in an angle or storyline, the gaps left out."""
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    found: list[tuple[int, int, str, int]] = []
    for item in items.findall("asset-clip"):
        asset = assets[item.get("ref")]
        media = asset.find("media-rep")
        assert media is not None
        offset, start, length = (
            Fraction(item.get(n, asset.get(n, "0s"))[:-1]) for n in ("offset", "start", "duration")
        )
        begin, lasts = (Fraction(asset.get(n, "")[:-1]) for n in ("start", "duration"))
        assert begin <= start and start + length <= begin + lasts, "it shows what its media does not have"
        numbers = [value * RATE for value in (offset, length, start)]
        assert all(number.denominator == 1 for number in numbers)
        found.append((int(numbers[0]), int(numbers[1]), media.get("src", "").split("/")[-1], int(numbers[2])))
    return found


@pytest.mark.parametrize("begin", [0, 86400])
def test_the_active_angle_is_the_media(tmp_path: Path, begin: int) -> None:
    document = read(tmp_path, cut(mc("A", begin + 240, 48) + mc("B", begin + 288, 24), begin=begin))
    one, two = document.timeline.clips
    assert [(clip.kind, clip.editable, clip.with_sound) for clip in (one, two)] == [("multicam", True, True)] * 2
    assert one.media is not None and two.media is not None
    assert (one.media.written, two.media.written) == ("a.mov", "b.mov")
    assert one.source == TimeSpan(start=(1000 + 240 - 90) * FRAME, duration=48 * FRAME)
    assert two.source == TimeSpan(start=(1000 + 288 - 125) * FRAME, duration=24 * FRAME)


def test_only_what_is_shown_of_the_angle_is_replaced(tmp_path: Path) -> None:
    document = read(tmp_path, cut(mc("A", 240, 48) + mc("B", 288, 24) + mc("A", 312, 24) + mc("A", 240, 48)))
    relink(document, 1, "one.mov")
    relink(document, 3, "three.mov")
    relink(document, 4, "one.mov")
    root = ET.fromstring(document.serialise())
    first, second = root.findall(".//mc-angle")
    assert storyline(first, root) == [
        (90, 150, "a.mov", 1000),
        (240, 48, "one.mov", 1150),
        (288, 24, "a.mov", 1198),
        (312, 24, "three.mov", 1222),
        (336, 1754, "a.mov", 1246),
    ]
    assert storyline(second, root) == [(125, 2000, "b.mov", 1000)]
    assert len(list(first.iter("marker"))) == 1
    assert not list(violations(document.serialise()))
    # What the clips show is what they showed, by the reader itself.
    (tmp_path / "out.fcpxml").write_bytes(document.serialise())
    again = read_timeline(tmp_path / "out.fcpxml").timeline.clips
    assert [clip.source for clip in again] == [clip.source for clip in document.timeline.clips]
    assert [clip.media.written.split("/")[-1] for clip in again if clip.media is not None] == [
        *("one.mov", "b.mov", "three.mov", "one.mov")
    ]


def test_two_looks_of_the_same_frames_of_an_angle_are_refused(tmp_path: Path) -> None:
    for other in (mc("A", 240, 48), mc("A", 250, 10), mc("A", 260, 48)):
        document = read(tmp_path, cut(mc("A", 240, 48) + other))
        relink(document, 1, "one.mov")
        with pytest.raises(InputError, match="look"):
            relink(document, 2, "two.mov")


@pytest.mark.parametrize(
    ("body", "angle", "said"),
    [
        (mc("A", 60, 48), "", "several clips inside|nothing inside"),
        (mc("A", 5, 10), "", "it shows a gap inside"),
        (mc("C", 240, 48), "", "no angle gives its picture"),
        (mc("A", 2080, 48), f'<asset-clip ref="r4" offset="{time(2090)}" duration="{time(90)}"/>', "several clips"),
        (mc("A", 240, 48).replace("r2", "r99"), "", "not in the file"),
    ],
)
def test_what_is_not_one_stretch_of_one_file_is_said(tmp_path: Path, body: str, angle: str, said: str) -> None:
    (clip,) = read(tmp_path, cut(body, angle=angle)).timeline.clips
    assert not clip.editable and re.search(said, clip.refusal)


def test_connected_clips_and_markers_of_a_multicam_clip(tmp_path: Path) -> None:
    more = f"""<video ref="r4" lane="1" offset="{time(250)}" start="{time(1010)}" duration="{time(9)}"/>
        <marker start="{time(245)}" duration="{time(1)}" value="VEDIT: ink"/>"""
    one, above = read(tmp_path, cut(mc("A", 240, 48, more))).timeline.clips
    assert (above.track, above.record.start) == ("V2", 10 * FRAME)
    assert one.source is not None and one.markers[0].start == one.source.start + 5 * FRAME


def sync(inside: str, start: int, count: int) -> str:
    return f"""<sync-clip name="s" start="{time(start)}" duration="{time(count)}">{inside}
        <sync-source sourceID="storyline"><audio-role-source role="d" active="0"/></sync-source></sync-clip>"""


SOUND = '<asset-clip ref="r5" lane="-1" offset="{}" name="sound" duration="80s"/>'
HELD = f'<asset-clip ref="r3" offset="0s" name="cam" duration="{time(2000)}">{SOUND.format(time(1000))}</asset-clip>'
LINED = f'<spine><asset-clip ref="r3" offset="0s" name="cam" duration="{time(2000)}"/></spine>{SOUND.format("0s")}'


@pytest.mark.parametrize("inside", [HELD, LINED], ids=["held", "in a storyline"])
def test_a_synchronized_clip_keeps_its_sound_in_place(tmp_path: Path, inside: str) -> None:
    document = read(tmp_path, cut(sync(inside, 100, 50) + mc("A", 240, 48)))
    clip = document.timeline.clips[0]
    assert (clip.kind, clip.editable) == ("sync", True)
    assert clip.source == TimeSpan(start=1100 * FRAME, duration=50 * FRAME)
    relink(document, 1, "n.mov", handles=0)
    root = ET.fromstring(document.serialise())
    spine = root.find(".//sync-clip/spine")
    assert spine is not None
    assert storyline(spine, root) == [
        (0, 100, "a.mov", 1000),
        (100, 50, "n.mov", 1100),
        (150, 1850, "a.mov", 1150),
    ]
    # The sound begins where it did: at the first frame of the camera.
    holder = {child: parent for parent in root.iter() for child in parent}
    (sound,) = (clip for clip in root.iter("asset-clip") if clip.get("ref") == "r5")
    parent = holder[sound]
    begin = Fraction(parent.get("start", time(1000))[:-1]) if parent.tag == "asset-clip" else Fraction(0)
    placed = Fraction(parent.get("offset", "0s")[:-1]) if parent.tag == "asset-clip" else Fraction(0)
    assert Fraction(sound.get("offset", "")[:-1]) - begin + placed == 0
    assert not list(violations(document.serialise()))


def test_a_synchronized_clip_shown_whole_is_only_named_anew(tmp_path: Path) -> None:
    document = read(tmp_path, cut(sync(HELD, 0, 2000)))
    before = document.serialise()
    relink(document, 1, "n.mov")
    after = document.serialise()
    assert after.count(b"<asset-clip") == before.count(b"<asset-clip") and b"<spine>" in after
    assert after.count(b"<spine") == before.count(b"<spine")


def test_sound_alone_is_no_still_picture(tmp_path: Path) -> None:
    body = f"""<asset-clip ref="r3" name="a" duration="{time(9)}">{SOUND.format(time(1000))}</asset-clip>"""
    assert [clip.name for clip in read(tmp_path, cut(body)).timeline.clips] == ["a"]
    for told in ('format="r1"', 'hasVideo="0"', 'format="r99"', ""):
        text = cut(body).replace('hasAudio="1"><media-rep src="s.wav"', f'hasAudio="1" {told}><media-rep src="s.wav"')
        assert [clip.name for clip in read(tmp_path, text).timeline.clips] == ["a"]


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_of_an_angle_keeps_every_other_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    spans = [
        (chance.choice("AB"), chance.randint(130, 1990), chance.randint(1, 90)) for _ in range(chance.randint(2, 6))
    ]
    document = read(tmp_path, cut("".join(mc(*span) for span in spans)))
    done: dict[int, str] = {}
    for number, (angle, start, count) in enumerate(spans, start=1):
        name = f"{angle}-{start}-{count}.mov"
        try:
            relink(document, number, name, handles=chance.choice([0, 8]))
            done[number] = name
        except InputError:
            earlier = [spans[other - 1] for other in done]
            assert any(a == angle and begin < start + count and start < begin + n for a, begin, n in earlier)
    (tmp_path / "out.fcpxml").write_bytes(document.serialise())
    again = read_timeline(tmp_path / "out.fcpxml").timeline.clips
    for number, name in done.items():
        media = again[number - 1].media
        assert media is not None and media.written.endswith(name)
        assert again[number - 1].source == document.timeline.clips[number - 1].source
    root = ET.fromstring(document.serialise())
    for angle in root.iter("mc-angle"):
        pieces = storyline(angle, root)
        assert sum(count for _, count, _, _ in pieces) == 2000
        assert all(one[0] + one[1] == two[0] for one, two in pairwise(pieces))
    assert not list(violations(document.serialise()))
