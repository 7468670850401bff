"""From a cut and its looks to renders, and back into the cut."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests.nle.footage import write_footage
from vedit.errors import InputError
from vedit.nle.jobs import media_facts, needed_media, plan_timeline, relink, skipped_clips
from vedit.nle.looks import parse_looks
from vedit.nle.model import TimelineDocument
from vedit.nle.ranges import MediaFacts
from vedit.nle.read import read_timeline, write_timeline
from vedit.types import FrameRange

EDL = """TITLE: Cut
001  A001 V C 01:00:04:00 01:00:06:00 00:00:00:00 00:00:02:00
* FROM CLIP NAME: A001.mov
002  A002 V C 02:00:00:00 02:00:01:00 00:00:02:00 00:00:03:00
* FROM CLIP NAME: A002.mov
003  A001 V C 01:00:04:00 01:00:06:00 00:00:03:00 00:00:05:00
* FROM CLIP NAME: A001.mov
004  A001 V C 01:00:05:00 01:00:07:00 00:00:05:00 00:00:07:00
* FROM CLIP NAME: A001.mov
005  BL V C 00:00:00:00 00:00:01:00 00:00:07:00 00:00:08:00
"""
INK = '[[look]]\nname = "ink"\nprompt = "ink drawing"\n'
OIL = '[[look]]\nname = "oil"\nprompt = "oil painting"\n'


@pytest.fixture
def cut(tmp_path: Path) -> Callable[[], TimelineDocument]:
    for name in ("A001.mov", "A002.mov"):
        (tmp_path / name).touch()
    (tmp_path / "cut.edl").write_text(EDL)
    return lambda: read_timeline(tmp_path / "cut.edl", rate=Fraction(25))


@pytest.fixture
def facts(tmp_path: Path) -> dict[Path, MediaFacts]:
    return {
        tmp_path / "A001.mov": MediaFacts(frames=500, rate=Fraction(25), start=Fraction(3600)),
        tmp_path / "A002.mov": MediaFacts(frames=28, rate=Fraction(25), start=Fraction(7200)),
    }


def test_one_range_is_one_job(cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts]) -> None:
    jobs = plan_timeline(cut(), parse_looks(INK), facts=facts)
    assert [(job.frames, job.clips, job.handles) for job in jobs] == [
        (FrameRange(start=92, stop=158), (1, 3), (8, 8)),
        (FrameRange(start=0, stop=28), (2,), (0, 3)),
        (FrameRange(start=117, stop=183), (4,), (8, 8)),
    ]
    assert [job.output.name for job in jobs] == [
        *("A001.ink.92-157.vedit.mov", "A002.ink.0-27.vedit.mov", "A001.ink.117-182.vedit.mov")
    ]
    assert all(job.output.parent == job.source.parent and not job.output.exists() for job in jobs)
    assert jobs[0].start == 3600 + Fraction(92, 25)


def test_another_look_is_another_job(cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts]) -> None:
    document = cut()
    noted = EDL.replace("003  A001", "* VEDIT: chalk\n003  A001")
    path = next(iter(facts)).parent / "noted.edl"
    path.write_text(noted)
    jobs = plan_timeline(read_timeline(path, rate=Fraction(25)), parse_looks(INK), facts=facts)
    assert [(job.look.name, job.clips) for job in jobs] == [("ink", (1, 3)), ("chalk", (2,)), ("ink", (4,))]
    two = plan_timeline(document, parse_looks(OIL + 'clip = "A002*"\n' + INK + 'reel = "A001"'), facts=facts)
    assert [(job.look.name, job.clips) for job in two] == [("ink", (1, 3)), ("oil", (2,)), ("ink", (4,))]


def test_handles_and_folder_are_as_asked(
    cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts], tmp_path: Path
) -> None:
    jobs = plan_timeline(cut(), parse_looks(INK), facts=facts, handles=0, folder=tmp_path / "out")
    assert jobs[0].frames == FrameRange(start=100, stop=150)
    assert {job.output.parent for job in jobs} == {tmp_path / "out"}
    with pytest.raises(InputError, match="-1 handles"):
        plan_timeline(cut(), parse_looks(INK), facts=facts, handles=-1)


def test_what_is_left_out_is_told(cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts]) -> None:
    document = cut()
    assert [(clip.number, why) for clip, why in skipped_clips(document, parse_looks(INK))] == [(5, "black or bars")]
    with pytest.raises(InputError, match="no clip of the timeline gets a look"):
        plan_timeline(document, parse_looks(INK + 'clip = "B*"'), facts=facts)


def test_offline_media_is_an_error_before_anything_is_rendered(
    cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts], tmp_path: Path
) -> None:
    (tmp_path / "A002.mov").unlink()
    with pytest.raises(InputError, match=r"clip 2 \(A002.mov\) was not found: offline.*--media FOLDER"):
        plan_timeline(cut(), parse_looks(INK), facts=facts)


def test_the_cut_shows_the_results(
    cut: Callable[[], TimelineDocument], facts: dict[Path, MediaFacts], tmp_path: Path
) -> None:
    document = cut()
    for job in plan_timeline(document, parse_looks(INK + 'reel = "A001"'), facts=facts):
        relink(document, job, job.new_media(has_sound=False))
    out = write_timeline(document, tmp_path / "cut.edl", tmp_path / "out.edl")
    first, last = "A001.ink.92-157.vedit.mov", "A001.ink.117-182.vedit.mov"
    expected = EDL.replace("A001.mov\n002", f"{first}\n002").replace("A001.mov\n004", f"{first}\n004")
    assert out.read_text() == expected.replace("A001.mov\n005", f"{last}\n005")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A001.mov", "A002.mov", "cut.edl", "out.edl"]


def test_the_timeline_itself_is_never_written_over(cut: Callable[[], TimelineDocument], tmp_path: Path) -> None:
    document, source = cut(), tmp_path / "cut.edl"
    (tmp_path / "there.edl").write_text("mine")
    for output, said in (
        (source, "is the timeline itself"),
        (tmp_path / "there.edl", "is there already"),
        (tmp_path / "out.otio", "is of another format"),
    ):
        with pytest.raises(InputError, match=said):
            write_timeline(document, source, output)
    with pytest.raises(InputError, match="is the timeline itself"):
        write_timeline(document, source, source, overwrite=True)
    assert source.read_text() == EDL and (tmp_path / "there.edl").read_text() == "mine"
    write_timeline(document, source, tmp_path / "there.edl", overwrite=True)
    assert (tmp_path / "there.edl").read_text() == EDL


def test_unknown_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.txt").touch()
    (tmp_path / "cut.xml").write_text("<html/>")
    (tmp_path / "cut.otio").touch()
    for name, said in (
        ("none.edl", "does not exist"),
        ("cut.txt", "no timeline that is known"),
        ("cut.xml", "line 1, <html>: not a timeline"),
        ("cut.otio", "not JSON"),
    ):
        with pytest.raises(InputError, match=said):
            read_timeline(tmp_path / name)
    with pytest.raises(InputError, match="tells its own frame rate"):
        read_timeline(tmp_path / "cut.xml", rate=Fraction(25))


@pytest.mark.parametrize(
    ("name", "sound", "ending"),
    [("a.mov", True, ".mov"), ("a.MOV", True, ".MOV"), ("a.mkv", True, ".mkv"), ("a.avi", True, ".mov")],
)
def test_a_result_is_of_a_kind_that_holds_its_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sound: bool, ending: str
) -> None:
    monkeypatch.setattr("vedit.media.reading.isolate.check_file", trusted)
    media = write_footage(tmp_path / name, range(4), Fraction(25), None, sound=sound)
    facts = media_facts(media)
    assert (facts.frames, facts.has_sound, facts.size) == (4, sound, (144, 96))
    assert facts.written_as == ending


def trusted(path: Path, **_: object) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""
    assert path.is_file()


def test_no_result_takes_the_name_of_media_in_the_cut(tmp_path: Path, facts: dict[Path, MediaFacts]) -> None:
    taken = tmp_path / "A001.ink.92-157.vedit.mov"
    for path in (*facts, taken):
        path.touch()
    (tmp_path / "cut.edl").write_text(EDL.replace("FROM CLIP NAME: A002.mov", f"FROM CLIP NAME: {taken.name}"))
    document = read_timeline(tmp_path / "cut.edl", rate=Fraction(25))
    jobs = plan_timeline(document, parse_looks(INK + 'reel = "A001"'), facts=facts)
    assert [job.output.name for job in jobs] == ["A001.ink.92-157.vedit2.mov", "A001.ink.117-182.vedit.mov"]
    assert needed_media(document, parse_looks(INK + 'reel = "A001"')) == (tmp_path / "A001.mov",)
