"""What a user gets for a bad file or a bad wish: exit code 2, one line that names the remedy, and no file left behind.

The whole command line runs here, on files made for the purpose.
"""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from vedit.cli import main

PROMPT = ("--prompt", "watercolor painting")
FRAMES = 6
RATE = 24


def vedit(words: Sequence[str]) -> int:
    """The exit code of `vedit WORDS`."""
    return main(words, standalone_mode=False)


def write_clip(path: Path, *, codec: str = "libx264", side: tuple[int, int] = (96, 64), sound: bool = True) -> Path:
    """A short clip, with AAC sound where wanted; the index (moov) of an mp4 comes last."""
    width, height = side
    with av.open(str(path), "w") as container:
        video = cast("av.VideoStream", container.add_stream(codec, rate=RATE))
        video.width, video.height = width, height
        video.pix_fmt = "yuv420p" if codec == "libx264" else "gray"
        audio = container.add_stream("aac", rate=48000) if sound else None
        for number in range(FRAMES):
            picture = np.full((height, width), 40 * number, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            for number in range(FRAMES * 2):
                tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 48000, number * 1024
                container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """Silence, as wav or as AAC in an m4a."""
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(16000))
        return path
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=48000)
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 4096), dtype=np.float32), format="fltp", layout="mono")
        tone.sample_rate, tone.pts = 48000, 0
        container.mux(audio.encode(tone))
        container.mux(audio.encode(None))
    return path


def cut(path: Path) -> Path:
    """The clip without its last part, so without the moov."""
    data = path.read_bytes()
    assert data.index(b"moov") > len(data) // 3
    path.write_bytes(data[: data.index(b"moov") - 4])
    return path


def text(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


BAD_SOURCES: dict[str, Callable[[Path], Path]] = {
    "no such file": lambda at: at / "absent.mp4",
    "a folder": lambda at: folder(at / "folder.mp4"),
    "not a video": lambda at: text(at / "letter.mp4", b"Dear editor, this is no video. " * 200),
    "zero bytes": lambda at: text(at / "empty.mp4", b""),
    "sound only, wav": lambda at: write_sound(at / "sound.wav"),
    "sound only, m4a": lambda at: write_sound(at / "sound.m4a"),
    "truncated": lambda at: cut(write_clip(at / "cut.mp4")),
    "too large": lambda at: write_clip(at / "wide.mov", codec="png", side=(20000, 16), sound=False),
    "a network address": lambda _: Path("http:/127.0.0.1:9/clip.mp4"),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "restyle": PROMPT,
    "probe": (),
    "shots": (),
    "controls": ("--kind", "softedge"),
}


def run(capfd: pytest.CaptureFixture[str], words: list[str | Path], *, at: Path) -> str:
    """Run a command that has to fail as bad input; returns its line."""
    before = {path: path.stat().st_size for path in at.rglob("*")}
    capfd.readouterr()
    code = vedit([str(word) for word in words])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith("vedit: error: ")
    assert "; " in line, "the line names no remedy"
    assert {path: path.stat().st_size for path in at.rglob("*")} == before, "files were left behind or changed"
    return line


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize("kind", list(BAD_SOURCES))
def test_bad_source(capfd: pytest.CaptureFixture[str], tmp_path: Path, command: str, kind: str) -> None:
    source = BAD_SOURCES[kind](tmp_path)
    words = [command, source, *COMMANDS[command]]
    if command == "controls":
        words += ["-o", tmp_path / "maps.mp4"]
    line = run(capfd, words, at=tmp_path)
    assert source.name in line


def test_folder_of_the_output_is_a_file(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    blocker = text(tmp_path / "blocker", b"x")
    run(capfd, ["restyle", clip, *PROMPT, "-o", blocker / "out.mp4"], at=tmp_path)
    run(capfd, ["restyle", clip, *PROMPT, "--side-by-side", blocker / "out.mp4"], at=tmp_path)
    run(capfd, ["controls", clip, "--kind", "tile", "-o", blocker / "out.mp4"], at=tmp_path)
    run(capfd, ["sample", "-o", blocker / "out.mp4"], at=tmp_path)


def test_folder_of_the_output_is_absent(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "out.mp4"
    assert "absent" in run(capfd, ["restyle", clip, *PROMPT, "-o", absent], at=tmp_path)
    assert "absent" in run(capfd, ["controls", clip, "--kind", "tile", "-o", absent], at=tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_output_is_the_source(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, overwrite: bool) -> None:
    flags = ["--overwrite"] if overwrite else []
    run(capfd, ["restyle", clip, *PROMPT, "-o", clip, *flags], at=tmp_path)
    run(capfd, ["restyle", clip, *PROMPT, "--side-by-side", clip, *flags], at=tmp_path)
    run(capfd, ["controls", clip, "--kind", "tile", "-o", clip, *flags], at=tmp_path)
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    run(capfd, ["restyle", clip, *PROMPT, "-o", link, *flags], at=tmp_path)


def test_a_file_is_in_the_way(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    taken = text(tmp_path / "taken.mp4", b"mine")
    for words in (["restyle", clip, *PROMPT, "-o", taken], ["controls", clip, "--kind", "tile", "-o", taken]):
        assert "--overwrite" in run(capfd, words, at=tmp_path)


def test_unknown_container(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    run(capfd, ["restyle", clip, *PROMPT, "-o", tmp_path / "out.xyz"], at=tmp_path)


def test_container_that_cannot_hold_the_sound(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    line = run(capfd, ["restyle", clip, *PROMPT, "-o", tmp_path / "out.webm"], at=tmp_path)
    assert "aac" in line
    assert "--drop-unsupported" in line
    assert any(container in line for container in ("mkv", "mov", "mp4")), "names a container that can"


def test_unknown_model(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    line = run(capfd, ["restyle", clip, *PROMPT, "--model", "embeded"], at=tmp_path)
    assert "'embedded'" in line


def test_model_that_could_run_code(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    pickled = text(tmp_path / "model.ckpt", b"\x80\x04K\x00.")
    assert "safetensors" in run(capfd, ["restyle", clip, *PROMPT, "--model", pickled], at=tmp_path)


@pytest.mark.parametrize("prompt", ["", "  \t"])
def test_empty_prompt(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, prompt: str) -> None:
    assert "prompt" in run(capfd, ["restyle", clip, "--prompt", prompt], at=tmp_path)


@pytest.mark.parametrize("frames", ["", "5", "3..1", "#4..#4", "#0..#99", "100..200", "a..b", "-1..2", "nan..2"])
def test_bad_range(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, frames: str) -> None:
    run(capfd, ["restyle", clip, *PROMPT, "--range", frames], at=tmp_path)


@pytest.mark.parametrize("control", ["", "soft edge", "softege", "tile:x", "tile:-1", "tile:1@0.6-0.2", "tile:1@0-2"])
def test_bad_control(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, control: str) -> None:
    run(capfd, ["restyle", clip, *PROMPT, "--control", control], at=tmp_path)


def test_unknown_kind_of_control_map(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    words = ["controls", clip, "--kind", "softege", "-o", tmp_path / "maps.mp4"]
    assert "softedge" in run(capfd, words, at=tmp_path)
