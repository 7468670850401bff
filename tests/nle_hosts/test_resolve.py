"""The Resolve script against a fake of the documented API: what it does, and what it leaves when any call fails."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nle_hosts.fake_resolve import (
    TimelineItem,
)
from tests.nle_hosts.resolve_session import HANDLES, LEFT, LENGTH, Session
from vedit.nle_hosts import resolve as script
from vedit.nle_hosts.install import install
from vedit.nle_hosts.places import Computer, places


def test_the_result_becomes_the_selected_take(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.settings(seed=7, quality="draft")
    assert script.main(session.resolve) == 0
    (words,) = session.words
    assert words[:5] == [
        "/bin/vedit",
        "restyle",
        str(session.source),
        "-o",
        str(session.folder / "A001.vedit_v001.mov"),
    ]
    assert words[5] == f"--range=#{LEFT - HANDLES}..#{LEFT + LENGTH + HANDLES}"
    assert words[6:] == ["--prompt=ink drawing", "--json", "--progress=json", "--seed=7", "--quality=draft"]
    (result,) = session.pool.clips
    assert session.clip.takes == [(session.media, LEFT), (result, HANDLES)]
    assert (session.clip.media, session.clip.left, session.clip.duration) == (result, HANDLES, LENGTH)
    out = capsys.readouterr().out
    assert "sample: 5 of 10 frames" in out
    assert out.splitlines()[-1] == "vedit: 1 of 1 clips restyled"


def test_a_second_result_is_a_further_take_and_a_further_file(session: Session) -> None:
    assert script.main(session.resolve) == 0
    session.clip.SelectTakeByIndex(1)
    assert script.main(session.resolve) == 0
    assert [Path(words[4]).name for words in session.words] == ["A001.vedit_v001.mov", "A001.vedit_v002.mov"]
    assert (len(session.clip.takes), session.clip.selected) == (3, 3)


@pytest.mark.parametrize("inclusive", [True, False])
def test_the_result_goes_on_a_free_track_above(session: Session, inclusive: bool) -> None:
    session.settings(result="track")
    session.pool.inclusive = session.clip.inclusive = inclusive
    assert script.main(session.resolve) == 0
    assert len(session.timeline.tracks) == 3, "track 2 has a clip in the way"
    (placed,) = session.timeline.tracks[2]
    assert placed.shows() == (session.pool.clips[0], HANDLES, session.clip.start, LENGTH, 0)
    assert session.clip.shows() == (session.media, LEFT, session.clip.start, LENGTH, 0)


def test_a_free_track_is_used(session: Session) -> None:
    session.settings(result="track")
    session.timeline.tracks[1][0].start = session.clip.GetEnd() + 1
    assert script.main(session.resolve) == 0
    assert [len(track) for track in session.timeline.tracks] == [1, 2]


def test_handles_end_where_the_media_does(session: Session) -> None:
    session.clip.left = 3
    session.media.properties["Frames"] = "45"
    assert script.main(session.resolve) == 0
    assert "--range=#0..#45" in session.words[0]
    assert session.clip.left == 3


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("tail", [HANDLES, 0])
def test_a_take_holds_every_frame_of_its_clip(session: Session, inclusive: bool, tail: int) -> None:
    session.clip.inclusive = inclusive
    session.media.properties["Frames"] = str(LEFT + LENGTH + tail)
    assert script.main(session.resolve) == 0
    assert LENGTH <= session.clip.take_length <= LENGTH + (1 if inclusive and tail else 0)


@pytest.mark.parametrize("answer", [None, False])
@pytest.mark.parametrize("result", ["take", "track", "timeline"])
@pytest.mark.parametrize("left", [LEFT, 3])  # 3: clip and take begin at the same frame of their media
def test_every_call_that_fails_is_told_and_leaves_nothing(
    session: Session, left: int, result: str, answer: object, capsys: pytest.CaptureFixture[str]
) -> None:
    session.settings(result=result, folder=str(session.folder))
    session.clip.left = left
    assert script.main(session.resolve) == 0
    calls = list(session.log.calls)
    session.reset()
    assert len(calls) > (5 if result == "timeline" else 20)
    for number, name in enumerate(calls):
        before = session.snapshot()
        session.log.calls.clear()
        session.log.answer = answer
        # A take that is refused is tried again with the other way of counting its end.
        again = name if name == "TimelineItem.AddTake" else ""
        session.log.fail = lambda at, called, number=number, again=again: at == number or called == again
        code = script.main(session.resolve)
        out = capsys.readouterr().out
        session.log.fail = lambda at, called: False
        if code == 0 and answer is None and name == "TimelineItem.GetMarkers":
            session.reset()  # None is no failure there: a clip without markers, here the one that has none
            continue
        assert code != 0, f"call {number}, {name}, was not checked"
        assert "not restyled: " in out or "nothing was done: " in out, f"call {number}, {name}: {out}"
        assert "undo" not in out.lower(), f"call {number}, {name}: {out}"
        assert "Traceback" not in out
        assert session.snapshot() == before, f"call {number}, {name}, left something"


@pytest.mark.parametrize(
    ("result", "first", "undoing"),
    [
        ("take", "TimelineItem.SelectTakeByIndex", "TimelineItem.DeleteTakeByIndex"),
        ("take", "TimelineItem.AddTake", "MediaPool.DeleteClips"),
        ("track", "MediaPool.AppendToTimeline", "Timeline.DeleteTrack"),
    ],
)
def test_what_cannot_be_taken_back_is_told(
    session: Session, result: str, first: str, undoing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.settings(result=result)
    session.log.fail = lambda _at, called: called in (first, undoing)
    assert script.main(session.resolve) == 1
    out = capsys.readouterr().out
    assert f"{undoing.split('.')[1]} failed too: use Edit > Undo" in out
    assert "the result is " in out


@pytest.mark.parametrize("result", ["take", "track"])
def test_a_result_that_would_lie_elsewhere_is_taken_back(
    session: Session, result: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.settings(result=result)
    session.clip.take_shift = session.pool.shift = 1
    before = session.snapshot()
    assert script.main(session.resolve) == 1
    assert session.snapshot() == before
    assert "not restyled: " in capsys.readouterr().out


def test_a_method_that_this_version_lacks(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(TimelineItem, "AddTake")
    before = session.snapshot()
    assert script.main(session.resolve) == 1
    assert "this version of Resolve has no AddTake" in capsys.readouterr().out
    assert session.snapshot() == before


def test_a_render_that_fails_changes_nothing(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.error = "vedit: out of memory; use a smaller --batch"
    before = session.snapshot()
    assert script.main(session.resolve) == 1
    assert "not restyled: vedit: out of memory; use a smaller --batch" in capsys.readouterr().out
    assert session.snapshot() == before


def test_one_clip_that_fails_does_not_stop_the_others(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    cover = session.timeline.tracks[1][0]
    cover.markers, cover.media = {0.0: {"name": "vedit: oil", "note": ""}}, None
    assert script.main(session.resolve) == 1
    out = capsys.readouterr().out
    assert "title or generator" in out
    assert "1 of 2 clips restyled" in out
    assert len(session.clip.takes) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for vedit is a script with a first line")
def test_the_installed_file_runs_as_resolve_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(tmp_path)
    command = tmp_path / "vedit"
    command.write_text(f"#!{sys.executable} -SE\nprint('{{}}')\n", "utf-8")
    command.chmod(0o755)
    (place,) = places("resolve", Computer(system="linux", home=tmp_path, environ={}))
    install(place, command)
    session.rendered = LENGTH + 2 * HANDLES
    runpy.run_path(str(place.folder / "vedit_restyle.py"), {"resolve": session.resolve}, "__main__")
    assert capsys.readouterr().out.splitlines()[-1] == "vedit: 1 of 1 clips restyled"
    assert (session.clip.selected, session.clip.left, session.clip.duration) == (2, HANDLES, LENGTH)


def change(name: str, value: object) -> Callable[[Session], None]:
    """A clip with another attribute."""
    return lambda session: setattr(session.clip, name, value)


def tell(name: str, value: str) -> Callable[[Session], None]:
    """Media with another property."""
    return lambda session: session.media.properties.__setitem__(name, value)


def write(**values: Any) -> Callable[[Session], None]:
    """Other settings."""
    return lambda session: session.settings(**values)


def spoil(session: Session) -> None:
    """Settings that are no JSON."""
    (session.folder / script.SETTINGS_FILE).write_text("{", "utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("source_length", 2 * LENGTH), "is retimed (80 frames of media in 40)"),
        (change("left", 90), "shows frames 90..130 of a file of 100"),
        (change("markers", {0.0: {"name": "VEDIT", "note": ""}}), "a marker without a prompt"),
        (change("markers", None), "no clip is marked"),
        (tell("FPS", "25"), "runs at 25 frames/s in a timeline of 24"),
        (tell("Frames", ""), "does not tell its rate and length"),
        (tell("File Path", ""), "a compound or generated clip"),
        (tell("File Path", "/nowhere/a.mov"), "/nowhere/a.mov"),
        (write(promt="x"), "there is no setting 'promt'; the nearest is 'prompt'"),
        (write(result="new"), "result is 'take', 'track' or 'timeline', not 'new'"),
        (write(handles="8"), "handles is a number of frames"),
        (write(folder="/nowhere"), "/nowhere"),
        (write(result="timeline"), "set 'folder' to a folder that is there"),
        (spoil, "cannot be read"),
    ],
)
def test_what_cannot_be_restyled_is_said_before_anything_runs(
    damage: Callable[[Session], object], message: str, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(session)
    before = session.snapshot()
    assert script.main(session.resolve) != 0
    assert message in capsys.readouterr().out
    assert not session.words
    assert session.snapshot() == before


def test_clips_are_chosen_by_colour_and_by_playhead(session: Session) -> None:
    session.clip.markers, session.clip.color = {}, "Orange"
    session.settings(color="Orange", prompt="comic")
    assert script.main(session.resolve) == 0
    session.timeline.playhead = session.timeline.tracks[1][0]
    session.timeline.playhead.start, session.timeline.playhead.left = 0, 50
    session.settings(prompt="night")
    assert script.main(session.resolve) == 0
    assert ["--prompt=comic" in session.words[0], "--prompt=night" in session.words[1]] == [True, True]
    assert len(session.timeline.playhead.takes) == 2


@pytest.mark.parametrize(
    ("name", "note", "prompt"),
    [
        ("VEDIT", "ink\ndrawing", "ink drawing"),
        ("vedit: oil painting", "", "oil painting"),
        ("Marker 1", "see\n* VEDIT: night", "night"),
        ("VEDIT", "VEDIT: comic", "comic"),
        ("Marker 1", "about vedit", None),
        ("VEDIT 2", "x", None),
    ],
)
def test_marker_conventions(name: str, note: str, prompt: str | None) -> None:
    assert script.marked_prompt({4.0: {"name": name, "note": note}}) == prompt
