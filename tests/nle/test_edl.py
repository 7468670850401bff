"""EDL: rates and frame codes, what belongs to which clip, and which lines change."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.read import read_timeline

NTSC = Fraction(30000, 1001)


def read(tmp_path: Path, text: str, rate: Fraction | None = Fraction(25)) -> TimelineDocument:
    path = tmp_path / "cut.edl"
    path.write_bytes(text.encode("latin-1"))
    return read_timeline(path, rate=rate)


def new(document: TimelineDocument, number: int) -> NewMedia:
    clip = document.timeline.clips[number - 1]
    assert clip.source is not None
    rate = document.timeline.rate
    frames = int(clip.source.duration * rate)
    return NewMedia(path=Path("/m/new.mov"), name="new", start=clip.source.start, frames=frames, rate=rate)


CUT = """TITLE: Cut 3
FCM: NON-DROP FRAME

001  A001     V     C        01:00:04:00 01:00:06:00 10:00:00:00 10:00:02:00
* FROM CLIP NAME: A001C001.mov
* VEDIT: ink drawing
* LOC: 10:00:01:00 RED     sky
002  A002     B     C        02:00:00:00 02:00:01:00 10:00:02:00 10:00:03:00
"""


@pytest.mark.parametrize(
    ("rate", "code", "last", "frames"),
    [
        (Fraction(24000, 1001), "NON-DROP FRAME", "01:00:59:23", 87839),
        (Fraction(24), "NON-DROP FRAME", "01:00:59:23", 87839),
        (Fraction(25), "NON-DROP FRAME", "01:00:59:24", 91499),
        (NTSC, "DROP FRAME", "01:01:00;02", 109692),
        (Fraction(60000, 1001), "DROP FRAME", "01:01:00;04", 219384),
    ],
)
def test_timecodes_are_right_at_every_rate(tmp_path: Path, rate: Fraction, code: str, last: str, frames: int) -> None:
    text = f"FCM: {code}\n001  A V C 01:00:00:00 {last} 01:00:00:00 {last}\n"
    document = read(tmp_path, text, rate)
    (clip,) = document.timeline.clips
    start = 107892 * round(rate / NTSC) if code == "DROP FRAME" else 3600 * round(rate)
    assert clip.source == TimeSpan(start=start / rate, duration=(frames - start) / rate)
    assert document.timeline.drop == (code == "DROP FRAME")


@pytest.mark.parametrize(("frame", "rate"), [("29", NTSC), ("59", Fraction(60000, 1001))])
def test_drop_frame_tells_the_rate(tmp_path: Path, frame: str, rate: Fraction) -> None:
    text = f"FCM: DROP FRAME\n001  A V C 01:00:00:00 01:00:01:{frame} 01:00:00:00 01:00:01:{frame}\n"
    assert read(tmp_path, text, None).timeline.rate == rate
    semicolons = f"001  A V C 01:00:00;00 01:00:01;{frame} 01:00:00;00 01:00:01;{frame}\n"
    assert read(tmp_path, semicolons, None).timeline.rate == rate


def test_what_a_list_says_is_read(tmp_path: Path) -> None:
    timeline = read(tmp_path, CUT).timeline
    first, second = timeline.clips
    assert (timeline.name, timeline.start) == ("Cut 3", 36000)
    assert (first.name, first.notes, first.line) == ("A001C001.mov", ("VEDIT: ink drawing",), 4)
    assert first.record == TimeSpan(start=Fraction(0), duration=Fraction(2))
    assert first.source == TimeSpan(start=Fraction(3604), duration=Fraction(2))
    (marker,) = first.markers
    assert (marker.name, marker.color, marker.start) == ("sky", "RED", Fraction(3605))
    assert first.media is not None and first.media.reel == "A001"
    assert (second.name, second.with_sound) == ("A002", True)


def test_a_name_is_added_where_there_is_none(tmp_path: Path) -> None:
    document = read(tmp_path, CUT.replace("\n", "\r\n").rstrip("\r\n"))
    document.relink(2, new(document, 2))
    expected = CUT.replace("\n", "\r\n") + "* FROM CLIP NAME: new.mov"
    assert document.serialise().decode() == expected


def test_other_characters_and_line_ends_stay(tmp_path: Path) -> None:
    text = CUT.replace("Cut 3", "Fünf").replace("A001C001.mov", "A001C001.mov  ").replace("\n", "\r\n")
    document = read(tmp_path, text)
    assert document.serialise() == text.encode("latin-1")
    document.relink(1, new(document, 1))
    assert document.serialise() == text.replace("A001C001.mov", "new.mov").encode("latin-1")


DISSOLVE = """TITLE: d
001  TST V     C        01:00:04:05 01:00:04:14 01:00:00:00 01:00:00:09
* FROM CLIP NAME:  clip_A
002  TST V     C        01:00:04:14 01:00:04:14 01:00:00:09 01:00:00:09
002  TST V     D    010 01:00:08:08 01:00:08:18 01:00:00:09 01:00:00:19
* FROM CLIP NAME:  clip_A
* TO CLIP NAME:  clip_B
* SOURCE FILE: clip_A.mov
003  TST V     C        01:00:08:18 01:00:08:19 01:00:00:19 01:00:00:20
* FROM CLIP NAME:  clip_B
"""


def test_a_dissolve_belongs_to_the_clips_on_its_sides(tmp_path: Path) -> None:
    document = read(tmp_path, DISSOLVE, Fraction(24))
    first, second = document.timeline.clips
    assert first.source == TimeSpan(start=Fraction(3600 * 24 + 101, 24), duration=Fraction(19, 24))
    assert second.source == TimeSpan(start=Fraction(3600 * 24 + 200, 24), duration=Fraction(11, 24))
    assert (first.name, second.name) == ("clip_A", "clip_B")
    document.relink(1, new(document, 1))
    expected = DISSOLVE.replace("clip_A.mov", "new.mov").replace("clip_A\n", "new.mov\n")
    assert document.serialise().decode() == expected
    document = read(tmp_path, DISSOLVE, Fraction(24))
    document.relink(2, new(document, 2))
    assert document.serialise().decode() == DISSOLVE.replace("clip_B\n", "new.mov\n")


@pytest.mark.parametrize(
    ("speed", "frames", "why"),
    [("050.0", 100, ""), ("025.0", 50, ""), ("000.0", 50, ""), ("-25.0", 50, "backwards")],
)
def test_speeds(tmp_path: Path, speed: str, frames: int, why: str) -> None:
    text = "001  A V C 00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00\n"
    (clip,) = read(tmp_path, f"{text}M2   A       {speed}                00:00:00:00\n").timeline.clips
    assert clip.speed == Fraction(speed) / 25
    assert clip.source is not None and clip.source.duration * 25 == frames
    assert why in clip.refusal and bool(why) == bool(clip.refusal)


def test_black_is_no_media(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, "001  BL V C 00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00\n").timeline.clips
    assert (clip.kind, clip.editable) == ("generator", False)


def test_a_wrong_rate_is_noticed(timelines: Path) -> None:
    path = timelines / "python-edl__test_2997DF.edl"
    assert not [note for note in read_timeline(path, rate=Fraction(25)).timeline.notes if "rate" in note]
    assert [note for note in read_timeline(path, rate=NTSC).timeline.notes if "is that the list's rate?" in note]


EVENT = "001  A V C 01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("TITLE: x\n", "it holds no event"),
        ("<xml/>\n", "it holds no event"),
        (EVENT + "002  A V C 01:00:00:00 01:00:01:00 01:00:00:00\n", "line 2: '002  A V C"),
        (EVENT + "002  A V C 01:00:00:25 01:00:01:00 01:00:00:00 01:00:01:00\n", "line 2: timecode 01:00:00:25 is out"),
        (EVENT + "002  A V C 01:00:02:00 01:00:01:00 01:00:00:00 01:00:01:00\n", "line 2: it ends before it begins"),
        ("FCM: SOMETIMES\n" + EVENT, "line 1: 'FCM: SOMETIMES'"),
        (EVENT + "M2 A fast\n", "line 2: 'M2 A fast' is no speed"),
        ("\0" + EVENT, "is no text"),
    ],
)
def test_faults_say_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value) and "cut.edl" in str(caught.value)


def test_the_rate_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not tell its frame rate; give it: --rate"):
        read(tmp_path, EVENT, None)
