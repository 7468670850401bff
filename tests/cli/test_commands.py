"""The commands beside restyle, against fakes of what they call."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest

from vedit.cli import main
from vedit.cli.plain_lines import PlainLines
from vedit.control_maps.measure import ShotFigures
from vedit.control_maps.report import CheckReport, ShotReport
from vedit.control_maps.suitability import ControlWarning
from vedit.media.reading.isolate import FileReport
from vedit.options.masks import MaskSpec, parse_box
from vedit.progress.callbacks import Progress
from vedit.registry.preprocessors import preprocessors
from vedit.types import ColorTags, FrameRange, Shot, StreamInfo, VideoMetadata


def vedit(words: Sequence[str]) -> int:
    """The exit code of `vedit WORDS`."""
    return main(words, standalone_mode=False)


def put(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    """A module of the given name with the given members, for the time of a test."""
    module = types.ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def test_controls_writes_one_file_per_kind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[dict[str, Any]] = []

    def controls(source: Path, kinds: tuple[str, ...], output: str, **options: Any) -> Any:
        calls.append({**options, "kinds": kinds, "output": output})
        outputs = tuple(Path(f"{output}in.{kind}.mp4") for kind in kinds)
        return types.SimpleNamespace(outputs=outputs, sheet=Path("maps/sheet.png"), notes=("mono",))

    put(monkeypatch, "vedit.control_maps.run", controls=controls)
    words = ["controls", "in.mp4", "--kind", "softedge, tile,softedge", "-o", "maps/"]
    assert vedit(words) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["maps/in.softedge.mp4", "maps/in.tile.mp4", "maps/sheet.png"]
    assert err == "vedit: note: mono\n"
    assert vedit([*words, "--json", "--format", "exr", "--preset", "web", "--short-side", "99"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outputs"] == ["maps/in.softedge.mp4", "maps/in.tile.mp4"]
    assert calls[0]["output"] == "maps/", "the slash says that it is a folder"
    assert (calls[0]["file_format"], calls[0]["preset"], calls[0]["side"]) == (None, "archive", None)
    assert (calls[1]["file_format"], calls[1]["preset"], calls[1]["side"]) == ("exr", "web", 99)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the clip"),
        (["in.mp4", "--kind", "canny"], "-o DIR|FILE"),
        (["in.mp4", "-o", "x.mp4"], "--kind KIND"),
        (["in.mp4", "--check", "-o", "x.mp4"], "--check writes nothing"),
        (["in.mp4", "--kind", "canny", "-o", "x.mp4", "--mask-box", "0,0,9,9"], "measured with --check"),
        (["in.mp4", "--kind", ",", "-o", "x.mp4"], "no kind named"),
        (["in.mp4", "--kind", "canny", "-o", "x.mp4", "--format", "tiff"], "'tiff' is not one of"),
    ],
)
def test_controls_that_cannot_be_understood(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(["controls", *words]) == 2
    assert message in capsys.readouterr().err


def test_controls_check_tells_and_is_strict_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = ShotFigures(
        frames=FrameRange(start=0, stop=3),
        brightness=(0.5, 0.25, 0.0),
        contrast=(0.2, 0.2, 0.0),
        edges=(0.2, 0.2, 0.1),
        flow=(1.0, 0.5),
        people=(1, 2, 0),
        confidence=(0.75, 0.5, 0.0),
        mask=(0.1, 0.2, 0.3),
    )
    warning = ControlWarning(control="pose", message="no person found on 1 frame (#2)", frames=())
    asked: list[Any] = []

    def check_controls(source: Path, kinds: tuple[str, ...], **options: Any) -> CheckReport:
        asked.append((kinds, options["mask"], options["frames"]))
        shot = ShotReport(shot=Shot(number=1, frames=figures.frames), figures=figures, warnings=(warning,) * len(kinds))
        return CheckReport(shots=(shot,), unchecked=("depth is not checked",), notes=())

    put(monkeypatch, "vedit.control_maps.run", check_controls=check_controls)
    put(monkeypatch, "vedit.control_maps.report", DEFAULT_KINDS=())
    assert vedit(["controls", "in.mp4", "--check", "--kind", "pose", "--range", "0..1"]) == 0
    out, err = capsys.readouterr()
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "shot frames luma edges flow people mask",
        "1 #0..#3 0.250 0.167 75% 0..2 (0.62) 10..30%",
        "shot 1: pose: no person found on 1 frame (#2)",
    ]
    assert err == "vedit: note: depth is not checked\n"
    assert asked == [(("pose",), None, "0..1")]
    strict = ["controls", "in.mp4", "--check", "--strict", "--json", "--mask-box", "0,0,9,9"]
    assert vedit([*strict, "--kind", "pose"]) == 1, "a warning"
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["shots"][0]["flow_valid"], told["unchecked"]) == (
        False,
        [1.0, 0.5],
        ["depth is not checked"],
    )
    assert told["shots"][0]["warnings"][0]["control"] == "pose"
    assert asked[1][1] == MaskSpec(boxes=(parse_box("0,0,9,9"),))
    assert vedit(strict) == 0, "none"


def test_controls_list_names_every_kind_and_imports_no_torch() -> None:
    program = (
        "import sys; from vedit.cli import main; code = main(['controls', '--list'], standalone_mode=False);"
        "main(['controls', '--help'], standalone_mode=False);"
        "assert code == 0 and not {'torch', 'cv2', 'av', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed, _, text = done.stdout.partition("Usage:")
    for entry in preprocessors():
        assert f"\n{entry.name} " in f"\n{listed}"
        assert all(f"weights {name} " in listed for name in entry.needs.weights)
        assert entry.name in "".join(text.split()), "names are broken over lines"


def test_controls_list_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there: dict[str, Path] = {}
    monkeypatch.setattr("vedit.control_maps.listing.find", there.get)
    assert vedit(["controls", "--list", "--json"]) == 0
    kinds = {kind["name"]: kind for kind in json.loads(capsys.readouterr().out)["kinds"]}
    assert kinds["canny"]["ready"]
    assert not kinds["depth"]["ready"]
    (needed,) = kinds["depth"]["weights"]
    assert (needed["licence"], needed["commercial"], needed["present"]) == ("Apache-2.0", True, False)
    assert kinds["depth"]["commands"] == [f"vedit models pull {needed['name']}"]
    there[needed["name"]] = tmp_path
    assert vedit(["controls", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("depth "))
    assert lines[at].split()[1] == "ready"
    assert lines[at + 1].endswith("Apache-2.0): present")


def test_probe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = VideoMetadata(
        path=Path("/clips/in.mov"),
        container=("mov", "mp4"),
        codec="prores",
        stream_index=0,
        coded_width=1920,
        coded_height=1080,
        width=1080,
        height=1920,
        sample_aspect_ratio=Fraction(4, 3),
        rotation=90,
        mirrored=False,
        time_base=Fraction(1, 24000),
        average_rate=Fraction(24000, 1001),
        start_pts=0,
        declared_frames=48,
        duration=Fraction(2002, 1000),
        pixel_format="yuva444p10le",
        bit_depth=10,
        has_alpha=True,
        color=ColorTags(primaries=1, transfer=1, matrix=1),
        field_order="progressive",
        timecode="01:00:00;00",
        streams=(StreamInfo(index=1, kind="audio", codec="aac", time_base=Fraction(1, 48000), language="eng"),),
    )

    def check_file(path: Path, **_: object) -> FileReport:
        return FileReport(metadata=metadata, frames=0, damaged=0)

    put(monkeypatch, "vedit.media.reading.isolate", check_file=check_file)
    assert vedit(["probe", "in.mov"]) == 0
    text = capsys.readouterr().out
    assert "video      prores, yuva444p10le, 10 bit, alpha\n" in text
    assert "size       1080x1920, coded 1920x1080, turned 90 degrees, pixel aspect 4/3\n" in text
    assert "rate       24000/1001 (23.976) frames/s\n" in text
    assert "stream     #1 audio, aac, eng\n" in text
    assert vedit(["probe", "in.mov", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["average_rate"], told["timecode"]) == ("/clips/in.mov", "24000/1001", "01:00:00;00")
    assert told["streams"][0]["time_base"] == "1/48000"


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(["models", "list"]) == 0
    assert capsys.readouterr().out.startswith("embedded  ")
    assert vedit(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "embedded"
    assert vedit(["models", "info", "embedded"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out
    assert vedit(["models", "info", "embeded"]) == 2
    assert "did you mean 'embedded'?" in capsys.readouterr().err
    assert vedit(["models", "info", "depth-anything-v2-smal"]) == 2
    assert "did you mean 'depth-anything-v2-small'?" in capsys.readouterr().err


def test_sample_keeps_a_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[Path, int]] = []

    def write_sample(path: Path, *, frames: int) -> None:
        made.append((path, frames))
        path.write_bytes(b"clip")

    put(monkeypatch, "vedit.sample_clip.clip", write_sample=write_sample)
    path = tmp_path / "my clip.mp4"
    assert vedit(["sample", "-o", str(path), "--frames", "12"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert vedit(["sample", "-o", str(path)]) == 2
    assert "use --overwrite" in capsys.readouterr().err
    assert vedit(["sample", "-o", str(path), "--overwrite"]) == 0
    assert made == [(path, 12), (path, 48)]


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit(["--version"]) == 0
    assert capsys.readouterr().out == "vedit 0.1.0\n"
    assert vedit([]) == 2, "no command is a usage error, and shows the help"
    assert "Examples:" in capsys.readouterr().err


def commands(command: click.Command, name: str = "") -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    return [(name, command)] + [
        found for key, inner in command.commands.items() for found in commands(inner, f"{name} {key}".strip())
    ]


def test_every_command_has_examples_and_every_option_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name, command in commands(main):
        assert vedit([*name.split(), "--help"]) == 0
        text = capsys.readouterr().out
        if name not in ("models list", "models info"):
            assert text.index("Examples:") < text.index("Options:")
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """(second, step) of each step -> the lines that are said without a terminal."""

    def said(steps: Iterable[tuple[float, Progress]]) -> list[str]:
        now = [0.0]
        monkeypatch.setattr("vedit.cli.progress.time.monotonic", lambda: now[0])
        report = PlainLines()
        for moment, step in steps:
            now[0] = moment
            report(step)
        return capsys.readouterr().err.splitlines()

    return said


def test_a_long_command_says_little_without_a_terminal(plainly: Callable[..., list[str]]) -> None:
    steps = [
        (
            40.0 * n,
            Progress(stage="sample", done=n, total=100, shot=2, shots=3, share=n / 100, seconds_left=4000 - 40 * n),
        )
        for n in range(101)
    ]
    lines = plainly(steps)
    assert len(lines) == 20
    assert lines[0] == "vedit: 5 %, sampling, frame 5 of 100, shot 2 of 3, 1 h 03 min left"
    assert lines[-1] == "vedit: 100 %, sampling, frame 100 of 100, shot 2 of 3"


def test_a_short_command_says_nothing_and_a_fast_one_a_line_a_minute(plainly: Callable[..., list[str]]) -> None:
    def steps(seconds: float) -> list[tuple[float, Progress]]:
        return [(seconds * n / 100, Progress(stage="load", done=0, total=1, share=n / 100)) for n in range(101)]

    assert plainly(steps(59)) == []
    assert plainly(steps(150)) == ["vedit: 40 %, loading the model", "vedit: 80 %, loading the model"]


def test_a_stage_without_a_share_is_said_in_words_once_a_minute(plainly: Callable[..., list[str]]) -> None:
    steps = [(10.0 * n, Progress(stage="other", done=n, total=24)) for n in range(25)]
    assert plainly(steps) == [f"vedit: other, frame {n} of 24" for n in (6, 12, 18, 24)]
