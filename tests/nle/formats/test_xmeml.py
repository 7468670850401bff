"""FCP7 XML: rates, timecodes and ids of files that several clip items share."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.read import read_timeline

RATES = [
    (24, True, "NDF", "01:00:00:00", 86400, "01:00:03:20"),
    (24, False, "NDF", "01:00:00:00", 86400, "01:00:03:20"),
    (25, False, "NDF", "10:00:00:00", 900000, "10:00:03:17"),
    (30, True, "DF", "00:59:59;28", 107890, "01:00:03;00"),
    (60, True, "DF", "00:59:59;58", 215782, "01:00:01;30"),
]


def rate(timebase: int, ntsc: bool) -> str:
    return f"<rate><timebase>{timebase}</timebase><ntsc>{str(ntsc).upper()}</ntsc></rate>"


def xmeml(items: str, *, timebase: int = 25, ntsc: bool = False, media: str = "") -> str:
    told = rate(timebase, ntsc)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="5">
  <sequence id="s1">
    <name>Cut</name>
    {told}
    <timecode>{told}<frame>{3600 * timebase}</frame><displayformat>NDF</displayformat></timecode>
    <media><video><track>
{items}
    </track></video>{media}</media>
  </sequence>
</xmeml>
"""


def item(
    name: str,
    file: str,
    *,
    at: tuple[int, int],
    shown: tuple[int, int],
    timebase: int = 25,
    ntsc: bool = False,
    more: str = "",
) -> str:
    return f"""      <clipitem id="{name}">
        <masterclipid>master</masterclipid><name>{name}</name><duration>1000</duration>{rate(timebase, ntsc)}
        <start>{at[0]}</start><end>{at[1]}</end><in>{shown[0]}</in><out>{shown[1]}</out>
        {file}{more}
      </clipitem>"""


def file(
    timebase: int = 25, ntsc: bool = False, frame: int = 0, timecode: str = "00:00:00:00", form: str = "NDF"
) -> str:
    told = rate(timebase, ntsc)
    return f"""<file id="f1"><name>A001.mov</name><pathurl>file://localhost/m/A001.mov</pathurl>{told}
        <duration>1000</duration>
        <timecode>{told}<string>{timecode}</string><frame>{frame}</frame><displayformat>{form}</displayformat>
        <reel><name>A001</name></reel></timecode></file>"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    path = tmp_path / "cut.xml"
    path.write_text(text, "utf-8")
    return read_timeline(path)


@pytest.mark.parametrize(("timebase", "ntsc", "form", "timecode", "frame", "moved"), RATES)
def test_timecodes_are_right_at_every_rate(
    tmp_path: Path, timebase: int, ntsc: bool, form: str, timecode: str, frame: int, moved: str
) -> None:
    exact = Fraction(timebase * 1000, 1001) if ntsc else Fraction(timebase)
    described = file(timebase, ntsc, frame, timecode, form)
    clip = item("a", described, at=(0, 48), shown=(100, 148), timebase=timebase, ntsc=ntsc)
    document = read(tmp_path, xmeml(clip, timebase=timebase, ntsc=ntsc))
    (shown,) = document.timeline.clips
    assert document.timeline.rate == exact
    assert document.timeline.start == 3600 * timebase / exact
    assert shown.source == TimeSpan(start=(frame + 100) / exact, duration=48 / exact)
    assert shown.media is not None and (shown.media.reel, shown.media.drop) == ("A001", form == "DF")
    media = NewMedia(path=Path("/m/n.mov"), name="n.mov", start=(frame + 92) / exact, frames=64, rate=exact)
    document.relink(1, media)
    new = ET.fromstring(document.serialise()).find(".//file")
    assert new is not None
    assert (new.findtext("timecode/string"), new.findtext("timecode/frame")) == (moved, str(frame + 92))
    assert (new.findtext("duration"), new.findtext("pathurl")) == ("64", "file://localhost/m/n.mov")
    clip_item = ET.fromstring(document.serialise()).find(".//clipitem")
    assert clip_item is not None
    assert [clip_item.findtext(name) for name in ("in", "out", "start", "end", "duration")] == [
        "8",
        "56",
        "0",
        "48",
        "64",
    ]


def test_the_description_of_a_shared_file_stays_in_the_document(tmp_path: Path) -> None:
    bare = '<file id="f1"/>'
    audio = f"<audio><track>{item('sound', bare, at=(0, 50), shown=(0, 50))}</track></audio>"
    items = [
        item("a", file(), at=(0, 50), shown=(0, 50)),
        item("b", bare, at=(50, 100), shown=(0, 50)),
        item("c", bare, at=(100, 150), shown=(0, 50)),
    ]
    document = read(tmp_path, xmeml("\n".join(items), media=audio))
    media = NewMedia(path=Path("/m/n.mov"), name="n.mov", start=Fraction(0), frames=60, rate=Fraction(25))
    for number in (3, 1):
        document.relink(number, media)
    root = ET.fromstring(document.serialise())
    files = {str(clip.get("id")): clip.find("file") for clip in root.iter("clipitem")}
    ids = {name: found.get("id") for name, found in files.items() if found is not None}
    assert ids == {"a": "f1-vedit-1", "b": "f1", "c": "f1-vedit-1", "sound": "f1"}
    # The first to use a file describes it, as the other systems write and read it.
    described = [name for name, found in files.items() if found is not None and len(found)]
    assert described == ["a", "b"]
    assert [clip.findtext("masterclipid") for clip in root.iter("clipitem")] == [
        *("master-f1-vedit-1", "master", "master-f1-vedit-1", "master")
    ]


def test_markers_and_keyframes_move_with_the_media(tmp_path: Path) -> None:
    more = """<marker><name>VEDIT: ink</name><comment>x</comment><in>120</in><out>-1</out></marker>
        <filter><effect><parameter><keyframe><when>110</when><value>1</value></keyframe></parameter></effect></filter>
        <labels><label2>Iris</label2></labels>"""
    document = read(tmp_path, xmeml(item("a", file(), at=(0, 48), shown=(100, 148), more=more)))
    (clip,) = document.timeline.clips
    assert clip.color == "Iris" and clip.markers[0].start == Fraction(120, 25)
    media = NewMedia(path=Path("/m/n.mov"), name="n", start=Fraction(92, 25), frames=64, rate=Fraction(25))
    document.relink(1, media)
    root = ET.fromstring(document.serialise())
    assert [root.findtext(f".//{path}") for path in ("marker/in", "marker/out", "keyframe/when")] == ["28", "-1", "18"]


def test_a_retimed_clip_takes_its_media_from_the_first_frame(tmp_path: Path) -> None:
    def retime(speed: str, more: str = "") -> str:
        return f"""<filter><effect><effectid>timeremap</effectid>
        <parameter><parameterid>speed</parameterid><value>{speed}</value></parameter>{more}</effect></filter>"""

    document = read(tmp_path, xmeml(item("a", file(), at=(0, 48), shown=(100, 148), more=retime("200"))))
    (clip,) = document.timeline.clips
    assert (clip.speed, clip.source) == (2, TimeSpan(start=Fraction(0), duration=Fraction(296, 25)))
    before = document.serialise()
    media = NewMedia(path=Path("/m/n.mov"), name="n", start=Fraction(0), frames=304, rate=Fraction(25))
    document.relink(1, media)
    for name in (b"<in>100</in>", b"<out>148</out>", b"<value>200</value>"):
        assert name in before and name in document.serialise()
    variable = "<parameter><parameterid>variablespeed</parameterid><value>1</value></parameter>"
    for told in (retime("-100"), retime("0"), retime("100", variable)):
        assert (
            not read(tmp_path, xmeml(item("a", file(), at=(0, 48), shown=(0, 48), more=told)))
            .timeline.clips[0]
            .editable
        )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<in>0</in>", "<in>x</in>", "<in>: in is 'x', which is no frame number"),
        ("<in>0</in>", "<in>60</in>", "in 60 and out 50 are no range"),
        ("<timebase>25</timebase>", "<timebase>0</timebase>", "timebase '0' is no rate"),
        ('<file id="f1">', '<file id="f1"/><file id="f2">', "no file is described under the id 'f1'"),
        ("<start>0</start><end>50</end>", "<start>-1</start><end>-1</end>", "which is nowhere"),
        ("sequence", "bin", "it holds no sequence"),
    ],
)
def test_faults_say_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = xmeml(item("a", file(), at=(0, 50), shown=(0, 50)))
    assert old in text
    with pytest.raises(InputError) as caught:
        read(tmp_path, text.replace(old, new))
    assert said in str(caught.value) and "cut.xml, line " in str(caught.value)
