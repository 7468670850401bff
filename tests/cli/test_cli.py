"""`vedit restyle` against a fake render: what it asks for, what it prints where, and the exit codes."""

from __future__ import annotations

import io
import json
import re
import sys
import types
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.cli import main
from vedit.errors import ContractError, InputError, Interrupted, MissingExtraError, VeditError
from vedit.media.output import OutputOptions
from vedit.options.request import DEFAULT_CONTROLS, RenderRequest
from vedit.progress.callbacks import OnProgress, Progress
from vedit.render.outcome import RenderPlan, RenderResult
from vedit.types import ControlSpec

RESTYLE = ["restyle", "in.mp4", "--prompt", "watercolor painting"]


def vedit(words: Sequence[str]) -> int:
    """The exit code of `vedit WORDS`."""
    return main(words, standalone_mode=False)


def a_plan(request: RenderRequest) -> RenderPlan:
    return RenderPlan(
        source=str(request.source),
        output="in.vedit.mp4",
        frames=48,
        first_frame=0,
        shots=((0, 20), (20, 48)),
        rate="24000/1001",
        source_size=(1280, 720),
        working_size=(464, 256),
        model=request.model,
        device="cpu",
        steps=10,
        network_evaluations_per_frame=60,
        peak_memory_bytes=1_700_000_000,
        seconds=205.0,
        notes=("odd height: written as yuv444p",),
    )


class FakeRender:
    """Stands in for `vedit.render.run`; keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[RenderRequest] = []
        self.side_by_side: Path | None = None
        self.error: BaseException | None = None

    def module(self) -> types.ModuleType:
        module = types.ModuleType("vedit.render.run")
        for name in ("plan", "restyle"):
            setattr(module, name, getattr(self, name))
        return module

    def plan(self, request: RenderRequest, *, on_progress: OnProgress, side_by_side: Path | None = None) -> RenderPlan:
        on_progress(Progress(stage="shots", done=48, total=48))
        return a_plan(request)

    def restyle(
        self,
        request: RenderRequest,
        *,
        on_progress: OnProgress,
        on_plan: Callable[[RenderPlan], None],
        on_note: Callable[[str], None],
        stop: Callable[[], bool],
        side_by_side: Path | None = None,
    ) -> RenderResult:
        assert not stop()
        on_plan(a_plan(request))
        on_note("going on: 2 of 5 units are finished")
        self.requests.append(request)
        self.side_by_side = side_by_side
        if self.error is not None:
            raise self.error
        on_progress(Progress(stage="sample", done=24, total=48, share=0.5, seconds_left=12.4))
        return RenderResult(
            output="in.vedit.mp4",
            frames=48,
            seconds=31.24,
            contract={"frames": 48, "rate": Fraction(24000, 1001)},
            notes=(*a_plan(request).notes, "the model does not know: dragon"),
        )

    def preview(self, request: RenderRequest, *, on_progress: OnProgress, on_note: Callable[[str], None]) -> Path:
        self.requests.append(request)
        on_note("the model does not know: dragon")
        return Path("in.preview.png")


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> FakeRender:
    fake = FakeRender()
    monkeypatch.setitem(sys.modules, "vedit.render.run", fake.module())
    put(monkeypatch, "vedit.render.preview", preview=fake.preview)
    monkeypatch.delenv("VEDIT_DEBUG", raising=False)
    return fake


def put(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    """A module of the given name with the given members, for the time of a test."""
    module = types.ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def only(fake: FakeRender) -> RenderRequest:
    (request,) = fake.requests
    return request


def test_restyle_with_nothing_but_a_prompt(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(RESTYLE) == 0
    request = only(render)
    assert request == RenderRequest(source=Path("in.mp4"), options=request.options)
    assert request.options.prompt == "watercolor painting"
    assert request.options.controls == DEFAULT_CONTROLS
    out, err = capsys.readouterr()
    assert out == "in.vedit.mp4: 48 frames in 31 s, contract ok\n"
    assert err.splitlines() == [
        "vedit: plan: 48 frames at 24000/1001, 2 shots, 1280x720 worked at 464x256, model embedded on cpu, 10 steps, "
        "about 3 min 25 s and 1.7 GB",
        "vedit: note: odd height: written as yuv444p",
        "vedit: note: going on: 2 of 5 units are finished",
        "vedit: note: the model does not know: dragon",
    ], "the plan's notes come once"


def test_every_option_arrives(render: FakeRender, tmp_path: Path) -> None:
    beside = tmp_path / "both.mp4"
    words = [
        *RESTYLE,
        *("--negative-prompt", "blur", "--source-prompt", "a street", "--strength", "0.7", "--guidance", "3"),
        *("--steps", "12", "--control", "canny:0.5", "--control", "luma:0.5", "--device", "cpu", "--seed", "7"),
        *("--variation", "0.25"),
        *("--model", "sd15", "--quality", "high", "--upscale", "lanczos", "--window", "6", "--batch", "2"),
        *("-o", str(tmp_path / "out.mp4"), "--overwrite", "--drop-unsupported", "--even", "--range", "#4..#9"),
        *("--side-by-side", str(beside), "--controlnet", "depth=some/folder", "-q"),
        *("--rate", "23.976", "--allow-huge", "--fresh", "--keep-work", "--codec", "hevc", "--bit-depth", "10"),
        *("--preset", "web", "--no-label", "--no-sidecar", "--strict", "--drop-alpha", "--interlaced", "weave"),
        *("--bars", "paint"),
    ]
    assert vedit(words) == 0
    request = only(render)
    options = request.options
    assert (options.negative_prompt, options.source_prompt) == ("blur", "a street")
    assert (options.strength, options.guidance, options.steps) == (0.7, 3.0, 12)
    assert (options.variation, options.seed) == (0.25, 7)
    assert options.controls == (ControlSpec(kind="canny", scale=0.5), ControlSpec(kind="luma", scale=0.5))
    assert (options.quality, options.upscale, options.batch) == ("high", "lanczos", 2)
    assert (options.window, options.bars) == (6, "paint")
    assert (request.model, request.device, request.frames) == ("sd15", "cpu", "#4..#9")
    assert request.controlnets == (("depth", "some/folder"),)
    assert request.output == tmp_path / "out.mp4"
    assert (request.rate, request.allow_huge, request.fresh, request.keep_work) == (
        Fraction(24000, 1001),
        True,
        True,
        True,
    )
    assert request.writing == OutputOptions(
        codec="hevc",
        bit_depth=10,
        preset="web",
        label=False,
        sidecar=False,
        strict=True,
        overwrite=True,
        drop_unsupported=True,
        drop_alpha=True,
        even=True,
        interlaced="weave",
    )
    assert render.side_by_side == beside


def test_no_control(render: FakeRender) -> None:
    assert vedit([*RESTYLE, "--control", "none"]) == 0
    assert only(render).options.controls == ()


def test_json_is_one_object_on_stdout(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["output"] == "in.vedit.mp4"
    assert told["frames"] == 48
    assert told["contract"] == {"frames": 48, "rate": "24000/1001"}
    assert told["side_by_side"] is None


def test_quiet_says_nothing_but_the_result(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("in.vedit.mp4: ")


def test_dry_run_renders_nothing(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "shots     2 shots: #0..#20, #20..#48" in text
    assert "estimate  3 min 25 s, 1.7 GB of memory" in text
    assert vedit([*RESTYLE, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["shots"] == [[0, 20], [20, 48]]
    assert told["rate"] == "24000/1001"
    assert not render.requests


def test_preview(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "--preview"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("in.preview.png\n", "vedit: note: the model does not know: dragon\n")
    assert vedit([*RESTYLE, "--preview", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("odd thing", remedy="mend it"), 2, "vedit: error: odd thing; mend it"),
        (VeditError("it\nbroke"), 1, "vedit: error: it broke"),
        (ContractError("47 frames, not 48"), 1, "vedit: error: 47 frames, not 48"),
        (MissingExtraError("av", extra="x"), 2, "vedit: error: av is not installed; run: pip install 'vedit[x]'"),
        (Interrupted("stopped"), 130, "vedit: error: stopped"),
        (KeyboardInterrupt(), 130, "vedit: interrupted; no result was written"),
        (OSError(28, "No space left on device", "/x/a.mp4"), 1, "no space left on device: /x/a.mp4"),
        (MemoryError(), 1, "out of memory; use a smaller --batch"),
        (KeyError("axis"), 1, "VEDIT_DEBUG=1"),
    ],
)  # fmt: skip
def test_errors_become_a_line_and_a_code(
    render: FakeRender, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    render.error = error
    assert vedit([*RESTYLE, "-q"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert line in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(
    render: FakeRender, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEDIT_DEBUG", "1")
    render.error = InputError("odd thing")
    assert vedit(RESTYLE) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1] == "vedit: error: odd thing"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["restyle", "in.mp4"], "--prompt"),
        (["restyle", "--prompt", "x"], "INPUT"),
        (["restyle", "in.mp4", "--prompt", " "], "the prompt is empty"),
        ([*RESTYLE, "--strength", "1.5"], "0<=x<=1"),
        ([*RESTYLE, "--strength", "nan"], "not a finite number"),
        ([*RESTYLE, "--guidance", "-1"], "0<=x<=100"),
        ([*RESTYLE, "--guidance", "inf"], "not in the range 0<=x<=100"),
        ([*RESTYLE, "--steps", "0"], "1<=x<=1000"),
        ([*RESTYLE, "--steps", "ten"], "not a valid integer"),
        ([*RESTYLE, "--seed", "-1"], "--seed"),
        ([*RESTYLE, "--window", "0"], "1<=x<=1000000"),
        ([*RESTYLE, "--quality", "best"], "draft"),
        ([*RESTYLE, "--device", "tpu"], "cuda"),
        ([*RESTYLE, "--control", "none", "--control", "tile"], "stands alone"),
        ([*RESTYLE, "--controlnet", "depth"], "KIND=MODEL"),
        ([*RESTYLE, "--dry-run", "--preview"], "exclude each other"),
        ([*RESTYLE, "--side-by-side", "nowhere/a.mp4"], "does not exist"),
        ([*RESTYLE, "--stregth", "1"], "--strength"),
        (["restlye"], "restyle"),
        (["controls", "in.mp4", "--kind", ",", "-o", "x.mp4"], "--kind"),
        (["controls", "in.mp4", "--kind", "tile"], "-o DIR|FILE"),
        (["sample", "--frames", "0"], "--frames"),
    ],
)
def test_bad_usage_is_one_line(
    render: FakeRender, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert vedit(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("vedit: error: ")
    assert told in line
    assert "; " in line, "a line names the remedy"
    assert not render.requests


def test_a_bad_control_names_its_text(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "--control", "tile:-1"]) == 2
    assert "the control 'tile:-1' has the scale '-1'" in capsys.readouterr().err
    assert not render.requests


def test_a_terminal_gets_a_bar(
    render: FakeRender, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    is_terminal: Callable[[], bool] = lambda: True  # noqa: E731
    monkeypatch.setattr(sys.stderr, "isatty", is_terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert vedit(RESTYLE) == 0
    err = capsys.readouterr().err
    assert "50 %, 12 s left" in err
    assert "sampling, frame 24 of 48" in err
    assert re.search(r"(^|\n|\x1b\[2K)vedit: plan: ", err), "a message stands on a line of its own, above the bar"
    assert "\x1b[3" not in err, "no colour where NO_COLOR is set"


def test_an_edge_without_a_mask_is_told(render: FakeRender, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit([*RESTYLE, "--feather", "4"]) == 2
    assert "--feather has no mask to act on" in capsys.readouterr().err


def test_a_prompt_from_a_file_or_from_stdin(
    render: FakeRender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a prompt.txt"
    file.write_bytes("\ufeffwoodcut,\r\n  Łódź at night\n".encode())
    assert vedit(["restyle", "in.mp4", "--prompt-file", str(file), "--allow-unknown"]) == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"in the snow\n"), "utf-8"))
    assert vedit(["restyle", "in.mp4", "--prompt-file", "-"]) == 0
    assert [request.options.prompt for request in render.requests] == ["woodcut, Łódź at night", "in the snow"]
    assert [request.options.allow_unknown for request in render.requests] == [True, False]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (None, [], "cannot be read: No such file"),
        (b"", [], "is empty"),
        (b" \n\t ", [], "is empty"),
        (b"night " * 20_000, [], "holds more than 64 kB"),
        ("nächtlich".encode("utf-16"), [], "is no text in UTF-8"),
        (b"night\0", [], "control characters"),
        (b"night", ["--prompt", "ink"], "--prompt and --prompt-file exclude each other"),
    ],
)
def test_a_prompt_file_that_says_no_prompt(
    content: bytes | None, more: list[str], told: str, render: FakeRender, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = tmp_path / "prompt.txt"
    if content is not None:
        file.write_bytes(content)
    assert vedit(["restyle", "in.mp4", "--prompt-file", str(file), *more]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not render.requests
