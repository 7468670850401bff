"""`vedit.timeline`: a cut restyled from Python, with a stand-in for the renderer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vedit
from tests.nle.test_timeline_command import RESULTS, THREE, TWO, StandIn, cut, renders, written
from vedit.errors import InputError, Interrupted, VeditError
from vedit.nle.looks import parse_looks
from vedit.nle.run import TimelineRun

__all__ = ["cut", "renders"]
LOOKS = parse_looks(TWO + THREE)


def test_what_is_missing_is_rendered_and_the_cut_written(cut: Path, renders: StandIn) -> None:
    notes: list[str] = []
    begun: list[tuple[int, int, str]] = []
    run = vedit.timeline(
        cut / "cut.fcpxml",
        cut / "looks.toml",
        on_note=notes.append,
        on_render=lambda number, count, render: begun.append((number, count, render.planned)),
    )
    assert isinstance(run, TimelineRun) and run.states == ("rendered", "rendered")
    assert run.output == cut / "cut.vedit.fcpxml" and run.output.is_file()
    assert begun == [(1, 2, "render"), (2, 2, "render")] and renders.outputs == list(RESULTS)
    assert run.notes == tuple(notes) and notes.count("a note") == 1
    record = json.loads((cut / "cut.vedit.fcpxml.vedit.json").read_text())
    told = json.loads(json.dumps({**run.as_dict(), "output": run.output.name, "timeline": record["timeline"]}))
    assert {key: record[key] for key in told} == told and record["timeline"]["name"] == "cut.fcpxml"
    again = vedit.timeline(cut / "cut.fcpxml", LOOKS, overwrite=True)
    assert again.states == ("kept", "kept") and len(renders.requests) == 2


def test_a_dry_run_says_what_would_be_done(cut: Path, renders: StandIn) -> None:
    run = vedit.timeline(str(cut / "cut.fcpxml"), str(cut / "looks.toml"), dry_run=True, container="mp4")
    assert run.states == ("render", "render") and not renders.requests and written(cut) == set()
    assert [render.job.output.suffix for render in run.renders] == [".mp4", ".mp4"]
    assert [render.job.look.name for render in run.renders] == ["wash", "ink"]


def test_it_is_stopped_before_media_is_read(cut: Path, renders: StandIn) -> None:
    with pytest.raises(Interrupted, match="nothing was rendered"):
        vedit.timeline(cut / "cut.fcpxml", LOOKS, stop=lambda: True)
    assert not renders.requests and written(cut) == set()


def test_a_plan_is_told_with_its_notes(cut: Path, renders: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hears the plan hears its notes: they are among those of the run, and are not told twice."""
    from types import SimpleNamespace

    def render(request: object, *, on_plan: object, **more: object) -> object:
        assert callable(on_plan)
        on_plan(SimpleNamespace(notes=("of the plan", "a note")))
        return renders(request, **more)  # type: ignore[arg-type]  # pyright: ignore

    monkeypatch.setattr("vedit.render.run.restyle", render)
    notes: list[str] = []
    run = vedit.timeline(cut / "cut.fcpxml", LOOKS, on_note=notes.append)
    assert [line for line in run.notes if line in ("of the plan", "a note")] == ["of the plan", "a note"]
    assert "a note" not in notes and "of the plan" not in notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"handles": -1}, "there are no -1 handles"),
        ({"handles": 1.5}, "handles is 1.5; give a whole number"),
        ({"container": "mvo"}, "container is 'mvo'; did you mean 'm4v'"),
        ({"quality": "fine"}, "quality is 'fine'"),
        ({"rate": 24}, "tells its own frame rate"),
        ({"looks": "absent.toml"}, "absent.toml"),
        ({"look": LOOKS}, r"did you mean 'looks'\?"),
        ({"output": "cut.xml"}, "another format"),
        ({"media": "folder"}, "media is 'folder'; give a list"),
        ({"results": "nowhere"}, "results is 'nowhere', which is no folder"),
    ],
)
def test_a_wrong_argument_is_one_error(cut: Path, renders: StandIn, given: dict[str, object], message: str) -> None:
    said: dict[str, object] = {"looks": LOOKS, **given}
    with pytest.raises(VeditError, match=message) as raised:
        vedit.timeline(cut / "cut.fcpxml", **said)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value) and written(cut) == set() and not renders.requests


def test_a_timeline_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.fcpxml", tmp_path, tmp_path / "cut.edl"):
        with pytest.raises(InputError):
            vedit.timeline(path, LOOKS)
        (tmp_path / "cut.edl").mkdir(exist_ok=True)
