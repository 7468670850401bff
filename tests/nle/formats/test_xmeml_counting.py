"""FCP7 XML: what `in` and `out` count where rates differ, timecodes as text alone, and numbers with a decimal point."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.formats.xmeml import TICKS
from vedit.nle.model import NewMedia, TimelineDocument
from vedit.nle.ranges import MediaFacts, used_range
from vedit.nle.read import read_timeline
from vedit.types import FrameRange

FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)


def rate_of(rate: Fraction) -> str:
    ntsc = str(rate.denominator == 1001).upper()
    return f"<rate><timebase>{round(rate)}</timebase><ntsc>{ntsc}</ntsc></rate>"


def cut(
    *,
    media: Fraction,
    sequence: Fraction,
    item: Fraction,
    shown: tuple[int, int],
    length: int,
    ticks: tuple[Fraction, Fraction] | None = None,
    timecode: str = "<frame>0</frame>",
    more: str = "",
) -> str:
    told = "" if ticks is None else f"<pproTicksIn>{int(ticks[0] * TICKS)}</pproTicksIn>"
    told += "" if ticks is None else f"<pproTicksOut>{int(ticks[1] * TICKS)}</pproTicksOut>"
    return f"""<xmeml version="4"><sequence><name>s</name>{rate_of(sequence)}<media><video><track>
        <clipitem id="c"><name>a</name><duration>900</duration>{rate_of(item)}<start>0</start><end>{length}</end>
        <in>{shown[0]}</in><out>{shown[1]}</out>{told}
        <file id="f"><name>a.mov</name><pathurl>a.mov</pathurl>{rate_of(media)}<duration>900</duration>
        <timecode>{rate_of(media)}{timecode}</timecode><media><video/></media></file>{more}</clipitem>
        </track></video></media></sequence></xmeml>"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    (tmp_path / "a.mov").touch()
    path = tmp_path / "cut.xml"
    path.write_text(text)
    return read_timeline(path)


@pytest.mark.parametrize(("media", "sequence"), [(25, 30), (30, 25), (FILM, NTSC), (24, 60), (50, 25)])
@pytest.mark.parametrize("by", ["ticks", "length", "item"])
def test_seconds_of_the_media_are_the_same_whatever_counts_them(
    tmp_path: Path, media: Fraction, sequence: Fraction, by: str
) -> None:
    media, sequence = Fraction(media), Fraction(sequence)
    # From 2 s on for a second, all of it whole frames of both.
    begin, end = (second * Fraction(1001 if media == FILM else 1000, 1000) for second in (2, 3))
    counting = media if by == "item" else sequence
    text = cut(
        media=media,
        sequence=sequence,
        item=media,
        shown=(round(begin * counting), round(end * counting)),
        length=round((end - begin) * sequence),
        ticks=(begin, end) if by == "ticks" else None,
    )
    document = read(tmp_path, text)
    (clip,) = document.timeline.clips
    assert clip.source is not None and (clip.source.start, clip.source.stop) == (begin, end)
    needed = used_range(clip, MediaFacts(frames=900, rate=media))
    assert needed.used == FrameRange(start=round(begin * media), stop=round(end * media))
    assert 8 <= needed.handles[0] <= 8 + 2 * media
    new = NewMedia(path=tmp_path / "n.mov", name="n", start=needed.start, frames=len(needed.frames), rate=media)
    document.relink(1, new)
    (tmp_path / "n.mov").touch()
    (tmp_path / "out.xml").write_bytes(document.serialise())
    (after,) = read_timeline(tmp_path / "out.xml").timeline.clips
    # The same time at the same place: `in` is whole, since the new media begins where frames of both rates do.
    assert after.media is not None and after.media.start == needed.start and after.source == clip.source


def test_rates_that_hardly_meet_are_off_by_less_than_a_twentieth_of_a_frame(tmp_path: Path) -> None:
    text = cut(media=FILM, sequence=Fraction(25), item=Fraction(25), shown=(100, 150), length=50)
    document = read(tmp_path, text)
    needed = used_range(document.timeline.clips[0], MediaFacts(frames=900, rate=FILM))
    assert needed.handles[0] <= 8 + 24
    new = NewMedia(path=tmp_path / "n.mov", name="n", start=needed.start, frames=len(needed.frames), rate=FILM)
    document.relink(1, new)
    begin = ET.fromstring(document.serialise()).findtext(".//clipitem/in")
    assert begin is not None and abs(Fraction(int(begin), 25) + needed.start - 4) < Fraction(1, 20) / 25


def test_ticks_that_another_program_left_behind_do_not_count(tmp_path: Path) -> None:
    text = cut(
        media=Fraction(25),
        sequence=Fraction(25),
        item=Fraction(25),
        shown=(50, 75),
        length=25,
        ticks=(Fraction(20), Fraction(21)),
    )
    (clip,) = read(tmp_path, text).timeline.clips
    assert clip.source is not None and clip.source.start == 2


@pytest.mark.parametrize(
    ("rate", "told", "frame", "moved"),
    [
        (FILM, "<string>00:00:29:00</string><displayformat>NDF</displayformat>", 696, "00:00:30:18"),
        (Fraction(25), "<string>10:00:00:00</string>", 900000, "10:00:01:17"),
        (NTSC, "<string>01:00:00;00</string><displayformat>DF</displayformat>", 107892, "01:00:01;12"),
        (NTSC, "<string>01:00:00;00</string>", 107892, "01:00:01;12"),
        (Fraction(25), "<string>10:00:00:00</string><frame>50</frame>", 50, "00:00:03:17"),
    ],
)
def test_a_timecode_may_be_told_as_text_alone(
    tmp_path: Path, rate: Fraction, told: str, frame: int, moved: str
) -> None:
    document = read(tmp_path, cut(media=rate, sequence=rate, item=rate, shown=(50, 62), length=12, timecode=told))
    (clip,) = document.timeline.clips
    assert clip.media is not None and clip.media.start == frame / rate
    needed = used_range(clip, MediaFacts(frames=900, rate=rate))
    document.relink(
        1, NewMedia(path=tmp_path / "n.mov", name="n", start=needed.start, frames=len(needed.frames), rate=rate)
    )
    assert ET.fromstring(document.serialise()).findtext(".//file/timecode/string") == moved


def test_a_text_that_is_no_timecode_is_said(tmp_path: Path) -> None:
    rate = Fraction(25)
    for text in ("late", "00:00:29:25"):
        told = f"<string>{text}</string>"
        with pytest.raises(InputError, match=rf"cut.xml, line 5, <timecode>: .*{text}"):
            read(tmp_path, cut(media=rate, sequence=rate, item=rate, shown=(0, 9), length=9, timecode=told))


def test_whole_numbers_may_have_a_decimal_point(tmp_path: Path) -> None:
    rate = Fraction(24)
    text = cut(
        media=rate,
        sequence=rate,
        item=rate,
        shown=(1055, 1079),
        length=24,
        more="<filter><effect><parameter><keyframe><when>1060.0</when></keyframe></parameter></effect></filter>",
    )
    pointed = text.replace("<in>1055<", "<in>1055.0<").replace("<out>1079<", "<out>1079.<")
    pointed = pointed.replace("<end>24<", "<end>24.0<").replace("<timebase>24<", "<timebase>24.0<")
    pointed = pointed.replace("<duration>900<", "<duration>9000.0<")
    document = read(tmp_path, pointed)
    assert document.timeline.clips[0].source == read(tmp_path, text).timeline.clips[0].source
    document = read(tmp_path, pointed)
    document.relink(1, NewMedia(path=tmp_path / "n.mov", name="n", start=Fraction(1047, 24), frames=40, rate=rate))
    root = ET.fromstring(document.serialise())
    assert [root.findtext(f".//{name}") for name in ("in", "out", "when")] == ["8", "32", "13"]
    for wrong in ("1055.5", "1e9", "1" * 400, "\u0661"):
        with pytest.raises(InputError, match="no frame number"):
            read(tmp_path, text.replace("<in>1055<", f"<in>{wrong}<"))


@pytest.mark.parametrize("name", ["item25.xml", "item30.xml", "short_out.xml"])
def test_the_cases_of_mixed_rates(test_data: Path, tmp_path: Path, name: str) -> None:
    case = test_data / "cases/nle" / name
    if not case.is_file():
        pytest.skip(f"no {case}")
    (tmp_path / "src25.mp4").touch()
    path = tmp_path / name
    path.write_bytes(case.read_bytes())
    (clip,) = read_timeline(path).timeline.clips
    used = used_range(clip, MediaFacts(frames=150, rate=Fraction(25)), handles=0).used
    assert used == FrameRange(start=50, stop=75)


def test_the_case_of_a_timecode_in_text(test_data: Path, tmp_path: Path) -> None:
    case = test_data / "cases/nle/resolve_timecode_string.xml"
    if not case.is_file():
        pytest.skip(f"no {case}")
    path = tmp_path / case.name
    path.write_bytes(case.read_bytes())
    (clip,) = read_timeline(path).timeline.clips
    assert clip.media is not None and clip.media.start == 29 * 24 / FILM
