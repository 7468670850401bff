"""Pictures that declare more than their bytes can mean are refused before one is decoded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from click.testing import CliRunner

from tests.support.resolved import made_job
from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.reading import limits
from vedit.media.reading.limits import check_declared
from vedit.media.reading.probe import probe
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import Progress


def gif(path: Path, side: int, frames: int) -> Path:
    """Frames of one pixel each on a large canvas."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\x04\x04\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    path.write_bytes(head + frame * frames + b"\x3b")
    return path


def apng(path: Path, side: int, frames: int) -> Path:
    """The same as PNG: the first frame fills the canvas, and packs to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def control(number: int, width: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, width, 0, 0, 1, 25, 0, 0))

    packer = zlib.compressobj(9)
    row = b"\0" * (side + 1)
    whole = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        chunk(b"acTL", struct.pack(">II", frames, 0)),
    ]
    parts += [control(0, side), chunk(b"IDAT", whole)]
    for n in range(1, frames):
        parts += [control(2 * n - 1, 1), chunk(b"fdAT", struct.pack(">I", 2 * n) + zlib.compress(b"\0\0"))]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


def test_a_gif_of_a_few_bytes_and_terabytes_of_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gif(tmp_path / "in.gif", 16000, 2000)
    assert path.stat().st_size < 60_000
    monkeypatch.setattr("vedit.media.reading.probe.decoder_of", None)  # nothing is decoded
    with pytest.raises(MediaError, match=r"2000 frames of 16000x16000 in \d+ bytes .* --allow-huge"):
        probe(path)
    done = CliRunner().invoke(main, ["restyle", str(path), "--prompt", "night", "--dry-run"])
    assert done.exit_code == 2 and "--allow-huge" in done.output
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [gif, apng])
def test_the_canvas_times_the_frames_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object) -> None:
    path = make(tmp_path / f"in.{'gif' if make is gif else 'apng'}", 400, 12)  # type: ignore[operator]
    assert probe(path).width == 400
    monkeypatch.setattr(limits, "MAX_CHEAP_PIXELS", 400 * 400 * 12 - 1)
    monkeypatch.setattr(limits, "CHEAP", 100)
    with pytest.raises(MediaError, match="12 frames of 400x400"):
        probe(path)
    assert probe(path, allow_huge=True).width == 400
    monkeypatch.setattr(limits, "CHEAP", 10**6)
    assert probe(path).width == 400


def test_the_frames_of_a_sequence_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        flat = VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        flat.to_image().save(tmp_path / f"s_{number:02d}.png")
    monkeypatch.setattr(limits, "MAX_CHEAP_PIXELS", 64 * 64 * 6 - 1)
    monkeypatch.setattr(limits, "CHEAP", 1)
    with pytest.raises(MediaError, match="6 frames of 64x64"):
        probe(tmp_path / "s_%02d.png")


def test_what_has_its_bytes_passes() -> None:
    # An hour of 4K pictures of half a megabyte; a drawing of 1,000 frames in few bytes.
    check_declared(86400, 3840, 2160, 86400 * 500_000, "x")
    check_declared(1000, 1920, 1080, 20_000, "x")


def test_the_index_is_told_of_from_its_first_frame(tmp_path: Path) -> None:
    path = gif(tmp_path / "in.gif", 128, 12)
    told: list[Progress] = []
    request = RenderRequest(source=path, options=RestyleOptions(prompt="night"), output=tmp_path / "out.mp4")
    made_job(request, on_progress=told.append)
    index = [(step.done, step.done < step.total) for step in told if step.stage == "index"]
    assert told[0].stage == "index" and index == [*((n, True) for n in range(13)), (12, False)]
