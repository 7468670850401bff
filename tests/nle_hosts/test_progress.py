"""`--progress json`: what a program that follows a render reads on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vedit.cli import main
from vedit.cli.progress import Events
from vedit.errors import InputError, Interrupted
from vedit.options.request import RenderRequest
from vedit.progress.callbacks import OnProgress, Progress
from vedit.render.outcome import RenderPlan, RenderResult

RESTYLE = ["restyle", "in.mp4", "--prompt", "ink", "--progress", "json"]


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """A stand-in for `vedit.render.run` that tells a plan, a note and four steps; then it fails, where told to."""

    def put(error: BaseException | None) -> None:
        def restyle(
            request: RenderRequest,
            *,
            on_progress: OnProgress,
            on_plan: Callable[[RenderPlan], None],
            on_note: Callable[[str], None],
            **_: Any,
        ) -> RenderResult:
            on_plan(
                RenderPlan(
                    source="in.mp4",
                    output="out.mp4",
                    frames=2,
                    first_frame=0,
                    shots=((0, 2),),
                    rate="24/1",
                    source_size=(64, 64),
                    working_size=(64, 64),
                    model="embedded",
                    device="cpu",
                    steps=4,
                    network_evaluations_per_frame=8,
                    peak_memory_bytes=1,
                    seconds=1.0,
                    notes=("mono",),
                )
            )
            on_note("going on")
            on_progress(Progress(stage="sample", done=1, total=2, shot=1, shots=3, share=0.25, seconds_left=1.26))
            for stage in ("sample", "write"):
                for done in (1, 2)[stage == "sample" :]:
                    on_progress(Progress(stage=stage, done=done, total=2, shot=1, shots=3))
            if error is not None:
                raise error
            return RenderResult(output="out.mp4", frames=2, seconds=1.0, contract={}, notes=("late",))

        module = types.ModuleType("vedit.render.run")
        module.restyle = restyle  # type: ignore[attr-defined]
        isolate = types.ModuleType("vedit.media.reading.isolate")
        isolate.check_file = lambda source, **_: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "vedit.render.run", module)
        monkeypatch.setitem(sys.modules, "vedit.media.reading.isolate", isolate)

    return put


def events(text: str) -> list[dict[str, Any]]:
    """Every line must be one JSON object."""
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_an_event_and_the_result_stays_on_stdout(
    render: Callable[[BaseException | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    render(None)
    assert main([*RESTYLE, "--json"], standalone_mode=False) == 0
    out, err = capsys.readouterr()
    told = events(err)
    assert [event["event"] for event in told[:3]] == ["plan", "note", "note"]
    assert (told[0]["frames"], told[0]["model"], told[0]["shots"]) == (2, "embedded", [[0, 2]])
    assert [event["text"] for event in told if event["event"] == "note"] == ["mono", "going on", "late"]
    steps = [event for event in told if event["event"] == "progress"]
    place = {"event": "progress", "stage": "sample", "done": 1, "total": 2, "shot": 1, "shots": 3}
    assert steps[0] == {**place, "share": 0.25, "seconds_left": 1.3}
    assert (steps[-1]["share"], steps[-1]["seconds_left"]) == (None, None)
    assert [(step["stage"], step["done"]) for step in steps if step["done"] == 2] == [("sample", 2), ("write", 2)]
    assert json.loads(out)["output"] == "out.mp4"


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (InputError("no\nsuch", remedy="try  that"), {"message": "no such", "remedy": "try that", "exit_code": 2}),
        (Interrupted("stopped", remedy="go on"), {"message": "stopped", "remedy": "go on", "exit_code": 130}),
        (MemoryError(), {"message": "out of memory", "exit_code": 1}),
        (RuntimeError("odd"), {"message": "unexpected RuntimeError: odd", "exit_code": 1}),
    ],
)
def test_an_error_is_the_last_event(
    error: BaseException,
    wanted: dict[str, object],
    render: Callable[[BaseException | None], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    render(error)
    assert main(RESTYLE, standalone_mode=False) == wanted["exit_code"]
    last = events(capsys.readouterr().err)[-1]
    assert last["event"] == "error"
    assert wanted.items() <= last.items()
    assert last["remedy"]


def test_usage_errors_too_and_nothing_stays_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restyle", "--progress", "json", "in.mp4", "--strength", "7"], standalone_mode=False) == 2
    (told,) = events(capsys.readouterr().err)
    assert told["event"] == "error"
    assert "--strength" in told["message"]
    assert main(["restyle", "in.mp4", "--strength", "7"], standalone_mode=False) == 2
    assert capsys.readouterr().err.startswith("vedit: error: ")


def test_timeline_follows_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = str(tmp_path / "absent.fcpxml")
    assert main(["timeline", absent, "--list", "--progress", "json"], standalone_mode=False) == 2
    assert events(capsys.readouterr().err)[-1]["exit_code"] == 2


def test_steps_are_held_back_but_never_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    report = Events(interval=60)
    for done in range(1, 101):
        report(Progress(stage="sample", done=done, total=100))
    assert [event["done"] for event in events(capsys.readouterr().err)] == [1, 100]


def test_a_process_of_its_own_tells_json() -> None:
    words = [sys.executable, "-m", "vedit", "restyle", "absent.mp4", "--prompt=ink", "--progress=json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert events(done.stderr)[-1]["exit_code"] == 2
