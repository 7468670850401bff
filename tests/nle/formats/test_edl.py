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
        (EVENT + "002  A V C 01:00:00:25 01:00:01:00 01:00:00:00 01:00:01:00\n", "line 2: timecode 01:00:00:25 is out"),
        ("001  A V C 01:00:00:00 01:00:01:00 01:00:00:00\n", "it holds no event (line 1 is left out"),
        ("\0" + EVENT, "is no text"),
    ],
)
def test_faults_of_the_whole_list_say_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value) and "cut.edl" in str(caught.value)


BAD = (
    "002  A V C 01:00:00:00 01:00:01:00 01:00:00:00",
    "002  A V C 01:00:02:00 01:00:01:00 01:00:00:00 01:00:01:00",
    "002  A V C 01:00:00:00 01:00:61:00 01:00:00:00 01:00:01:00",
    "002  A V D 99999999999999999999 01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00",
    "002  A V C 01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00 and more",
)


@pytest.mark.parametrize("line", BAD)
def test_one_bad_line_is_left_out_with_a_note(tmp_path: Path, line: str) -> None:
    text = (
        f"{EVENT}* FROM CLIP NAME: a.mov\n{line}\n* FROM CLIP NAME: b.mov\n* VEDIT: ink\n{EVENT.replace('001', '003')}"
    )
    document = read(tmp_path, text)
    assert [(clip.name, clip.notes) for clip in document.timeline.clips] == [("a.mov", ()), ("A", ())]
    (note,) = (note for note in document.timeline.notes if "line 3" in note)
    assert note.startswith("line 3 is left out: '002  A V") and "\n" not in note
    document.relink(1, new(document, 1))
    assert document.serialise().decode() == text.replace("a.mov", "new.mov")


@pytest.mark.parametrize("rate", ["fast", "9" * 5000, "1e9"])
def test_a_speed_that_is_not_understood_leaves_its_clip_alone(tmp_path: Path, rate: str) -> None:
    clips = read(tmp_path, f"{EVENT}M2 A {rate} 01:00:00:00\n{EVENT.replace('001', '002')}").timeline.clips
    assert ["speed in line 2" in clip.refusal for clip in clips] == [True, False]


def test_a_frame_code_that_is_not_understood_is_told(tmp_path: Path) -> None:
    timeline = read(tmp_path, "FCM: SOMETIMES\n" + EVENT).timeline
    assert not timeline.drop and [note for note in timeline.notes if "line 1" in note and "SOMETIMES" in note]


FIRST = "002  AAA      V     C        01:00:01:00 01:00:01:00 01:00:01:00 01:00:01:00\n"
SECOND = "002  BBB      V     {edit}    012 02:00:00:00 02:00:01:00 01:00:01:00 01:00:02:00\n"
RUN = "001  AAA      V     C        01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n"


@pytest.mark.parametrize("edit", ["D", "W001"])
@pytest.mark.parametrize("between", ["", "FCM: NON-DROP FRAME\n", "\n", "AUD  3    4\n", "* a remark\n"])
@pytest.mark.parametrize(
    ("said", "inside", "names", "added"),
    [
        ("* FROM CLIP NAME: a.mov\n* TO CLIP NAME: b.mov\n", "", ["a.mov", "b.mov"], ["", ""]),
        ("", "", ["AAA", "BBB"], ["* FROM CLIP NAME: new.mov\n", "* TO CLIP NAME: new.mov\n"]),
        ("* FROM CLIP NAME: a.mov\n", "", ["a.mov", "BBB"], ["", "* TO CLIP NAME: new.mov\n"]),
        ("* FROM CLIP NAME: b.mov\n", "* FROM CLIP NAME: a.mov\n", ["a.mov", "b.mov"], ["", ""]),
        ("* TO CLIP NAME: b.mov\n", "* FROM CLIP NAME: a.mov\n", ["a.mov", "b.mov"], ["", ""]),
    ],
)
def test_the_sides_of_a_transition(
    tmp_path: Path, edit: str, between: str, said: str, inside: str, names: list[str], added: list[str]
) -> None:
    text = RUN + FIRST + inside + between + SECOND.format(edit=edit) + said
    document = read(tmp_path, text, Fraction(24))
    first, second = document.timeline.clips
    assert [first.name, second.name] == names
    assert first.source == TimeSpan(start=Fraction(3600), duration=Fraction(36, 24))
    assert second.source == TimeSpan(start=Fraction(7200), duration=Fraction(1))
    for number, name in enumerate(names):
        document = read(tmp_path, text, Fraction(24))
        document.relink(number + 1, new(document, number + 1))
        expected = text.replace(f": {name}\n", ": new.mov\n") + added[number]
        if number == 0:  # the event before the transition is a part of the clip
            expected = expected.replace(RUN, RUN + "* FROM CLIP NAME: new.mov\n")
        assert document.serialise().decode() == expected


def test_from_black_the_only_name_is_the_incoming_clip_s(tmp_path: Path) -> None:
    text = FIRST.replace("AAA", "BL ") + SECOND.format(edit="D") + "* FROM CLIP NAME: b.mov\n"
    black, clip = read(tmp_path, text, Fraction(24)).timeline.clips
    assert (black.editable, clip.name) == (False, "b.mov")


@pytest.mark.parametrize(
    ("said", "files"),
    [
        ("F a T b S a.mov", ["a.mov", "BBB"]),
        ("F a S a.mov T b S b.mov", ["a.mov", "b.mov"]),
        ("F a T b S a.mov S b.mov", ["a.mov", "b.mov"]),
        ("T b S b.mov", ["AAA", "b.mov"]),
    ],
)
def test_each_file_is_that_of_its_side(tmp_path: Path, said: str, files: list[str]) -> None:
    keys = {"F": "FROM CLIP NAME", "T": "TO CLIP NAME", "S": "SOURCE FILE"}
    words = said.split()
    lines = "".join(f"* {keys[key]}: {value}\n" for key, value in zip(words[::2], words[1::2], strict=True))
    text = FIRST + SECOND.format(edit="D") + lines
    clips = read(tmp_path, text, Fraction(24)).timeline.clips
    told = [clip.media.written if clip.media is not None else "" for clip in clips]
    assert [name if name.endswith(".mov") else reel for name, reel in zip(told, ("AAA", "BBB"), strict=True)] == files


def test_cases_of_dissolves(cases: Path, tmp_path: Path) -> None:
    for name in ("AAA.mov", "BBB.mov"):
        (tmp_path / name).write_bytes(b"")
    for name in ("fcm_inside_dissolve.edl", "dissolve_without_names.edl"):
        (tmp_path / name).write_bytes((cases / "nle" / name).read_bytes())
    first, second = read_timeline(tmp_path / "fcm_inside_dissolve.edl", rate=Fraction(24)).timeline.clips
    assert [clip.media.path for clip in (first, second) if clip.media] == [tmp_path / "AAA.mov", tmp_path / "BBB.mov"]
    assert first.record.duration == Fraction(36, 24) and second.line == 6
    document = read_timeline(tmp_path / "dissolve_without_names.edl", rate=Fraction(24))
    document.relink(2, new(document, 2))
    before = (tmp_path / "dissolve_without_names.edl").read_text()
    assert document.serialise().decode() == before + "* TO CLIP NAME: new.mov\n"


def test_the_rate_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not tell its frame rate; give it: --rate"):
        read(tmp_path, EVENT, None)
