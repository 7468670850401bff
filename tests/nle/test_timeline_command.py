"""`vedit timeline` with a stand-in for the renderer: what is rendered, what is kept, and what is written when."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.nle.cuts import SHOTS, Cut, fcpxml
from tests.nle.footage import timecode_of, write_footage
from tests.support.resolved import weights_behind
from vedit.cli import main
from vedit.errors import Interrupted, VeditError
from vedit.media.contract import recorded
from vedit.media.reading import isolate
from vedit.media.timecode import add_frames
from vedit.media.writing.sidecar import sidecar_path, source_hash
from vedit.options.request import QUALITIES, RenderRequest
from vedit.progress.callbacks import Progress
from vedit.render.outcome import RenderResult

RATE = Fraction(25)
TWO = '[[look]]\nname = "wash"\nprompt = "watercolor"\nclip = "two"\n'
THREE = '[[look]]\nname = "ink"\nprompt = "ink"\nseed = 7\nclip = "three"\n'
RESULTS = ("a.wash.12-33.vedit.mov", "b.ink.0-12.vedit.mov")


class StandIn:
    """In place of `vedit.render.run.restyle`: cuts the stretch out of numbered footage."""

    def __init__(self) -> None:
        self.requests: list[RenderRequest] = []
        self.before: Callable[[int], object] = lambda number: None
        """Called before each render with its number, from 1."""

    def __call__(
        self, request: RenderRequest, *, on_progress: Callable[[Progress], None], stop: Callable[[], bool], **_: Any
    ) -> RenderResult:
        self.requests.append(request)
        self.before(len(self.requests))
        if stop():
            raise Interrupted("stopped")
        assert request.output is not None and request.frames is not None
        assert request.writing.overwrite or not request.output.exists()
        first, stop_at = (int(side.removeprefix("#")) for side in request.frames.split(".."))
        origin = timecode_of(request.source) or request.writing.timecode
        assert origin is not None
        write_footage(request.output, range(first, stop_at), RATE, add_frames(origin, first, RATE))
        if request.writing.sidecar:
            write_record(request)
        count = stop_at - first
        on_progress(Progress(stage="write", done=count, total=count))
        return RenderResult(
            output=str(request.output), frames=count, seconds=0, contract={"ok": True}, notes=("a note",)
        )

    @property
    def outputs(self) -> list[str]:
        return [request.output.name for request in self.requests if request.output is not None]


def write_record(request: RenderRequest) -> None:
    """As a render does: what was written, and how."""
    assert request.output is not None
    digest, size = source_hash(request.output)
    told = {
        "format": 1,
        "output": request.output.name,
        "sound": None,
        "result": {"sha256": digest, "bytes": size, "sound_sha256": None},
        "recipe": {"purpose": request.purpose, "weights": weights_behind(request)},
    }
    sidecar_path(request.output).write_text(json.dumps(told))


def trusted(path: Path, **_: object) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""
    assert path.is_file()


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr("vedit.render.run.restyle", found)
    assert recorded.check_file is isolate.check_file, "it has its own name of the check, which stays"
    monkeypatch.setattr(isolate, "check_file", trusted)
    return found


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    project = Cut(folder=tmp_path, rate=RATE, drop=False, timecode="10:00:00:00")
    project.write_media()
    (tmp_path / "cut.fcpxml").write_text(fcpxml(project), "utf-8")
    (tmp_path / "looks.toml").write_text(TWO + THREE)
    return tmp_path


def vedit(folder: Path, *words: str) -> int:
    command = ["timeline", str(folder / "cut.fcpxml"), "--edits", str(folder / "looks.toml"), *words]
    return main(command, standalone_mode=False)


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"a.mov", "b.mov", "cut.fcpxml", "looks.toml"}


def test_each_look_is_rendered_as_it_says(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut) == 0
    two, three = renders.requests
    assert (two.frames, two.options.prompt, two.options.seed) == ("#12..#34", "watercolor", 0)
    assert (three.frames, three.options.prompt, three.options.seed) == ("#0..#13", "ink", 7)
    # b.mov has no timecode: the result gets the one that the cut counts by.
    assert (two.writing.timecode, three.writing.timecode) == ("10:00:00:00", "00:00:00:00")
    assert written(cut) == {"cut.vedit.fcpxml", *RESULTS, *(f"{name}.vedit.json" for name in written_with_records())}
    out, err = capsys.readouterr()
    assert out == f"{cut / 'cut.vedit.fcpxml'}: 2 clips relinked, 2 rendered, 0 kept from before\n"
    assert err.count("vedit: note: a note\n") == 1


def written_with_records() -> tuple[str, ...]:
    return ("cut.vedit.fcpxml", *RESULTS)


def test_a_second_run_renders_only_what_changed(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vedit(cut) == 0
    (cut / "looks.toml").write_text(TWO + THREE.replace("seed = 7", "seed = 8"))
    assert vedit(cut, "-o", str(cut / "again.fcpxml")) == 2
    assert "b.ink.0-12.vedit.mov exists, of other settings, weights or another source" in capsys.readouterr().err
    assert vedit(cut, "--overwrite") == 0
    assert renders.outputs == [*RESULTS, RESULTS[1]]
    assert "1 rendered, 1 kept from before" in capsys.readouterr().out
    assert vedit(cut, "--overwrite") == 0 and len(renders.requests) == 3
    assert vedit(cut, "--overwrite", "--fresh") == 0 and len(renders.requests) == 5
    first = (cut / "cut.vedit.fcpxml").read_bytes()
    assert vedit(cut, "-o", str(cut / "other.fcpxml")) == 0 and len(renders.requests) == 5
    assert (cut / "other.fcpxml").read_bytes() == first


def test_a_kept_result_that_is_not_whole_is_found(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vedit(cut) == 0
    write_footage(cut / RESULTS[0], range(12, 30), RATE, "10:00:00:12")
    assert vedit(cut, "-o", str(cut / "other.fcpxml")) == 2
    assert (
        f"{RESULTS[0]} exists, of other settings, weights or another source, or was changed" in capsys.readouterr().err
    )
    # A record that tells of these frames nonetheless is not believed either.
    write_record(renders.requests[0])
    assert vedit(cut, "-o", str(cut / "other.fcpxml")) == 1
    assert "holds 18 frames at 25, not 22" in capsys.readouterr().err
    write_footage(cut / RESULTS[0], range(12, 34), RATE, "10:00:00:11")
    write_record(renders.requests[0])
    assert vedit(cut, "-o", str(cut / "other.fcpxml")) == 1
    assert "begins at 10:00:00:11, not at 10:00:00:12" in capsys.readouterr().err
    assert not (cut / "other.fcpxml").exists()


def test_a_stopped_run_goes_on(cut: Path, renders: StandIn) -> None:
    renders.before = lambda number: os.kill(os.getpid(), signal.SIGINT) if number == 2 else None
    assert vedit(cut) == 130
    assert written(cut) == {RESULTS[0], f"{RESULTS[0]}.vedit.json"}, "no timeline"
    renders.before = lambda number: None
    assert vedit(cut) == 0
    assert renders.outputs == [RESULTS[0], RESULTS[1], RESULTS[1]]


def test_an_error_leaves_no_timeline(cut: Path, renders: StandIn) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise VeditError("the disk is full")

    renders.before = fail
    assert vedit(cut) == 1
    assert written(cut) == {RESULTS[0], f"{RESULTS[0]}.vedit.json"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "cut.fcpxml"), "is the timeline itself"),
        (("-o", "there.fcpxml"), "is there already"),
        (("-o", "cut.edl"), "of another format"),
        (("-o", "none/cut.fcpxml"), "does not exist"),
        (("--container", "mxf"), "holds no sound, which clip 3 (two) takes from the same reference"),
        (("--model", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_rendered(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str], words: tuple[str, str], said: str
) -> None:
    (cut / "there.fcpxml").touch()
    option, value = words
    assert vedit(cut, option, str(cut / value) if option == "-o" else value) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("error") == 1
    assert not renders.requests and written(cut) == {"there.fcpxml"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('controls = "canny"', "embedded has no control branch for canny; it has tile, softedge; use --control tile"),
        ('model = "somebody/something"', "somebody/something is not on this machine: there is no such folder or file"),
    ],
)
def test_what_a_look_names_and_cannot_have_is_said_first(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str], said: str, told: str
) -> None:
    looks = cut / "looks.toml"
    looks.write_text(looks.read_text("utf-8").replace("[[look]]", f"[[look]]\n{said}", 1), "utf-8")
    for more in ((), ("--dry-run",)):
        assert vedit(cut, *more) == 2
        assert told in capsys.readouterr().err
    assert not renders.requests and written(cut) == set()


def test_a_dry_run_writes_nothing(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"a.mov #12..#34 (handles 8+8) as 'wash' -> {cut / RESULTS[0]} [render]",
        "  clip 3 on V1: two",
        f"b.mov #0..#13 (handles 1+8) as 'ink' -> {cut / RESULTS[1]} [render]",
        "  clip 5 on V1: three",
        f"timeline: {cut / 'cut.vedit.fcpxml'}",
    ]
    (cut / RESULTS[0]).touch()
    assert vedit(cut, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [render["state"] for render in told["renders"]] == ["in the way", "render"]
    assert told["renders"][1]["settings"] == {"prompt": "ink", "seed": 7}
    assert not renders.requests and written(cut) == {RESULTS[0]}


def test_clips_that_cannot_be_edited_are_told(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    (cut / "looks.toml").write_text('[[look]]\nname = "all"\nprompt = "ink"\n' + TWO)
    assert vedit(cut, "--json") == 0
    out, err = capsys.readouterr()
    assert "note: clip 2 (one title) stays as it is: a title has no media" in err
    assert "note: no clip gets the look 'wash'" in err
    told = json.loads(out)
    assert (len(told["skipped"]), told["idle_looks"]) == (3, ["wash"])


def test_progress_is_of_all_renders_together(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut, "--progress", "json") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    steps = [event for event in events if event["event"] == "progress"]
    assert [(step["done"], step["total"], step["shot"], step["shots"]) for step in steps] == [
        *((22, 35, 1, 2), (35, 35, 2, 2))
    ]


def test_results_may_go_elsewhere_and_be_written_otherwise(cut: Path, renders: StandIn) -> None:
    folder = cut / "results"
    folder.mkdir()
    assert vedit(cut, "--results", str(folder), "--container", "mkv", "--handles", "0", "--quality", "draft") == 0
    assert [request.output for request in renders.requests] == [
        *(folder / "a.wash.20-25.vedit.mkv", folder / "b.ink.1-4.vedit.mkv")
    ]
    assert {request.options.quality for request in renders.requests} == {"draft"}
    assert SHOTS[1][2:] == (20, 6)


def test_a_prompt_noted_in_the_timeline_needs_no_looks(cut: Path, renders: StandIn) -> None:
    source = cut / "cut.fcpxml"
    source.write_text(source.read_text("utf-8").replace('value="seen"', 'value="VEDIT: oil painting"', 1), "utf-8")
    assert main(["timeline", str(source), "-o", str(cut / "out.fcpxml")], standalone_mode=False) == 0
    assert [request.options.prompt for request in renders.requests] == ["oil painting"]
    assert renders.outputs == ["a.oil-painting.0-20.vedit.mov"]


def test_looks_name_files_of_their_own_folder(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    mask = tmp_path_factory.mktemp("elsewhere") / "mask.png"
    mask.touch()
    (cut / "looks.toml").write_text(TWO + f'mask = "{mask}"\n')
    assert vedit(cut) == 2
    assert f"names {mask}, which is outside its folder; move looks.toml, or allow it" in capsys.readouterr().err
    assert not renders.requests
    assert vedit(cut, "--allow-outside") == 0
    assert [request.options.files for request in renders.requests] == [(mask,)]


def test_fresh_says_what_it_takes(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(cut) == 0
    capsys.readouterr()
    assert vedit(cut, "--fresh", "-o", str(cut / "other.fcpxml")) == 2
    told = capsys.readouterr().err
    assert f"{RESULTS[0]} (and 1 more) exists, as it would be rendered again; use --overwrite" in told
    assert main(["timeline", "--help"], standalone_mode=False) == 0
    assert "from the start; takes --overwrite" in " ".join(capsys.readouterr().out.split())
    assert len(renders.requests) == 2


def test_the_record_comes_after_what_it_tells_of(cut: Path, renders: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vedit.nle.run.write_timeline", full)
    assert vedit(cut) != 0
    assert len(renders.requests) == 2 and "cut.vedit.fcpxml.vedit.json" not in written(cut)


def test_a_quality_for_all_is_that_quality(cut: Path, renders: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedit.nle.results.versions", tuple)  # as of a package that is not installed
    (cut / "looks.toml").write_text(TWO + "steps = 30\nshort_side = 512\nfixed_point = 4\n")
    assert vedit(cut, "--quality", "draft") == 0
    assert [request.options.resolved() for request in renders.requests] == [QUALITIES["draft"]]


@pytest.mark.parametrize("dry", [True, False])
def test_all_missing_media_is_told_at_once(
    cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str], dry: bool
) -> None:
    for name in ("a.mov", "b.mov"):
        (cut / name).unlink()
    command = ["timeline", str(cut / "cut.fcpxml"), "--edits", str(cut / "looks.toml"), *(["--dry-run"] if dry else [])]
    assert main(command, standalone_mode=False) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert "2 media files were not found" in line and "--media FOLDER" in line and "--skip-missing" in line
    assert "a.mov: offline (clip 3: two)" in line and "b.mov: offline (clip 5: three)" in line
    assert not renders.requests and not (cut / "cut.vedit.fcpxml").exists()


def test_clips_without_media_can_be_skipped(cut: Path, renders: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    (cut / "a.mov").unlink()
    command = ["timeline", str(cut / "cut.fcpxml"), "--edits", str(cut / "looks.toml"), "--skip-missing", "--json"]
    assert main(command, standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert renders.outputs == [RESULTS[1]]
    ((skipped),) = told["skipped"]
    assert skipped["name"] == "two" and skipped["why"].endswith("a.mov: offline")
    after = (cut / "cut.vedit.fcpxml").read_text("utf-8")
    assert RESULTS[1] in after and RESULTS[0] not in after and after.count("a.mov") == 1
    (cut / "b.mov").unlink()
    assert main([*command, "--overwrite"], standalone_mode=False) == 2
    assert "no media of the clips that get a look was found" in capsys.readouterr().err
