"""The commands beside restyle, against fakes of what they call."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest

from vedit.cli import main
from vedit.cli.progress import PlainLines
from vedit.media.isolate import FileReport
from vedit.options import Progress
from vedit.types import ColorTags, FrameIndex, FrameRange, Shot, StreamInfo, VideoMetadata


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
    def write_controls(source: Path, kinds: tuple[str, ...], output: Path, **options: Any) -> list[Path]:
        told = {"frames", "overwrite", "short_side", "rate", "allow_huge", "interlaced", "on_progress"}
        assert set(options) == told
        return [output.with_stem(f"{output.stem}.{kind}") for kind in kinds]

    put(monkeypatch, "vedit.control_video", write_controls=write_controls)
    put(monkeypatch, "vedit.media.isolate", check_file=lambda source, **_: None)  # pyright: ignore[reportUnknownLambdaType]
    words = ["controls", "in.mp4", "--kind", "softedge, tile,softedge", "-o", "maps.mp4"]
    assert vedit(words) == 0
    assert capsys.readouterr().out.splitlines() == ["maps.softedge.mp4", "maps.tile.mp4"]
    assert vedit([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"outputs": ["maps.softedge.mp4", "maps.tile.mp4"]}


class FakeReader:
    """A reader of four frames at 24 a second."""

    warnings = ("one frame is damaged",)

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def index(self) -> FrameIndex:
        return FrameIndex(pts=(0, 1, 2, 3), time_base=Fraction(1, 24), last_duration=1, rate=Fraction(24))


def test_shots(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def open_video(path: Path, **_: object) -> FakeReader:
        return FakeReader()

    def detect_shots(reader: FakeReader) -> tuple[Shot, ...]:
        ranges = (FrameRange(start=0, stop=3), FrameRange(start=3, stop=4))
        return tuple(Shot(number=number, frames=frames) for number, frames in enumerate(ranges, start=1))

    put(monkeypatch, "vedit.media.isolate", check_file=lambda source, **_: None)  # pyright: ignore[reportUnknownLambdaType]
    put(monkeypatch, "vedit.media.read", open_video=open_video)
    put(monkeypatch, "vedit.shots", detect_shots=detect_shots)
    assert vedit(["shots", "in.mp4"]) == 0
    out, err = capsys.readouterr()
    assert err == "vedit: note: one frame is damaged\n"
    assert out.splitlines() == ["   1  #0..#3  0.000..0.125 s", "   2  #3..#4  0.125..0.167 s"]
    assert vedit(["shots", "in.mp4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rate"] == "24/1"
    assert told["shots"][1] == {"number": 2, "start": 3, "stop": 4, "start_seconds": "1/8", "stop_seconds": "1/6"}


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

    put(monkeypatch, "vedit.media.isolate", check_file=check_file)
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
    assert "'embedded'" in capsys.readouterr().err


def test_sample_keeps_a_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[Path, int]] = []

    def write_sample(path: Path, *, frames: int) -> None:
        made.append((path, frames))
        path.write_bytes(b"clip")

    put(monkeypatch, "vedit.sample", write_sample=write_sample)
    path = tmp_path / "my clip.mp4"
    assert vedit(["sample", "-o", str(path), "--frames", "12"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert vedit(["sample", "-o", str(path)]) == 2
    assert "add --overwrite" in capsys.readouterr().err
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


def test_a_long_render_says_little_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("vedit.cli.progress.time.monotonic", lambda: now[0])
    report = PlainLines()
    for done in range(481):
        now[0] = 2.0 * done
        report(Progress(stage="sample", done=done, total=480))
    assert capsys.readouterr().err.splitlines() == [
        "vedit: sample 120/480 frames, 0.5 frames/s, 12 min 00 s left",
        "vedit: sample 240/480 frames, 0.5 frames/s, 8 min 00 s left",
        "vedit: sample 360/480 frames, 0.5 frames/s, 4 min 00 s left",
        "vedit: sample 480/480 frames, 0.5 frames/s, 0.0 s left",
    ]
