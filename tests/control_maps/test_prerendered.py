"""Control maps made elsewhere, read back on the source's timing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from vedit.control_maps.prerendered import open_control
from vedit.errors import MediaError
from vedit.media.exr import encode_exr, read_exr
from vedit.media.reading.read import open_video
from vedit.types import FrameIndex, FrameRange, VideoMetadata

SIZE = (64, 48)


def film(
    path: Path,
    values: list[int],
    *,
    size: tuple[int, int] = SIZE,
    pts: list[int] | None = None,
    base: Fraction = Fraction(1, 24000),
) -> Path:
    """A lossless video of flat grey frames, at 1001 ticks a frame unless told."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "bgr0"
        stream.time_base = stream.codec_context.time_base = base
        for number, value in enumerate(values):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), value, np.uint8), format="rgb24")
            frame.pts, frame.time_base = (pts or range(0, 10**6, 1001))[number], base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture
def source(tmp_path: Path) -> tuple[VideoMetadata, FrameIndex]:
    with open_video(film(tmp_path / "source.mkv", [9] * 8)) as reader:
        return reader.metadata, reader.index()


Source = tuple[VideoMetadata, FrameIndex]


def levels(path: Path, source: Source, read: FrameRange, part: FrameRange | None = None) -> list[int]:
    with open_control(path, *source, frames=part) as control:
        frames = control.read(read)
    assert frames.shape[:2] == (len(read), 3)
    assert frames.dtype == torch.float32
    return [round(float(frame.mean()) * 255) for frame in frames]


ALL = FrameRange(start=0, stop=8)
PART = FrameRange(start=3, stop=6)


def test_frames_by_time(tmp_path: Path, source: Source) -> None:
    control = film(tmp_path / "map.mkv", [10, 20, 30, 40, 50, 60, 70, 80])
    assert levels(control, source, ALL) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert levels(control, source, FrameRange(start=5, stop=7)) == [60, 70]
    late = film(
        tmp_path / "late.mkv",
        [10, 20, 30, 40, 50, 60, 70, 80],
        pts=[500 + round(n * 41.7) for n in range(8)],
        base=Fraction(1, 1000),
    )
    assert levels(late, source, ALL) == [10, 20, 30, 40, 50, 60, 70, 80]


def test_twice_the_rate(tmp_path: Path, source: Source) -> None:
    double = film(tmp_path / "double.mkv", list(range(16)), pts=[round(n * 500.5) for n in range(16)])
    assert levels(double, source, ALL) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_a_part(tmp_path: Path, source: Source) -> None:
    assert levels(film(tmp_path / "part.mkv", [1, 2, 3]), source, PART, PART) == [1, 2, 3]
    whole = film(tmp_path / "whole.mkv", list(range(8)))
    assert levels(whole, source, PART, PART) == [3, 4, 5]
    with open_control(whole, *source, frames=PART) as control, pytest.raises(ValueError, match="not in"):
        control.read(ALL)


@pytest.mark.parametrize("count", [7, 9, 1])
def test_another_length(tmp_path: Path, source: Source, count: int) -> None:
    path = film(tmp_path / "map.mkv", [0] * count)
    with pytest.raises(MediaError, match=rf"^map\.mkv has {count} frames? .*, the source 8 frames"):
        open_control(path, *source)


def test_sizes(tmp_path: Path, source: Source) -> None:
    for size in ((128, 96), (32, 24), (62, 48)):
        with open_control(film(tmp_path / f"{size[0]}.mkv", [0] * 8, size=size), *source) as control:
            assert control.read(PART).shape == (3, 3, size[1], size[0])
    metadata, index = source
    squeezed = replace(metadata, width=48, sample_aspect_ratio=Fraction(4, 3))
    for path in (tmp_path / "128.mkv", film(tmp_path / "48.mkv", [0] * 8, size=(48, 48))):
        with open_control(path, squeezed, index) as control:
            assert len(control.read(PART)) == 3, "square pixels or the source's"
    with pytest.raises(MediaError, match=r"square\.mkv is 48x48, the source 64x48: another aspect"):
        open_control(film(tmp_path / "square.mkv", [0] * 8, size=(48, 48)), *source)


def test_pictures_go_by_number(tmp_path: Path, source: Source) -> None:
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"map_{number:03d}.png"), np.full((48, 64), 9000 * number, np.uint16))
    expected = [round(9000 * n / 257) for n in range(8)]
    assert levels(tmp_path / "map_%03d.png", source, ALL) == expected
    (tmp_path / "map_007.png").unlink()
    with pytest.raises(MediaError, match=r"map_%03d\.png has 7 frames, the source 8 frames"):
        open_control(tmp_path / "map_%03d.png", *source)


def test_one_picture_holds_throughout(tmp_path: Path, source: Source) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((24, 32, 3), (30, 20, 10), np.uint8))
    with open_control(tmp_path / "still.png", *source) as control:
        assert torch.equal(control.read(PART), torch.tensor([10, 20, 30]).view(1, 3, 1, 1).expand(3, 3, 24, 32) / 255)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        open_control(tmp_path / "bad.png", *source)


def exrs(folder: Path, make: Callable[[int], npt.NDArray[np.float32]]) -> Path:
    for number in range(8):
        (folder / f"d.{number + 1:04d}.exr").write_bytes(encode_exr(make(number)))
    return folder / "d.%04d.exr"


def test_exr_is_data_with_one_range(tmp_path: Path, source: Source) -> None:
    raw = exrs(tmp_path, lambda n: np.full((1, 48, 64), 5 * n - 7, np.float32))
    with open_control(raw, *source) as control:
        values = control.read(ALL).mean((1, 2, 3))
    assert torch.allclose(values, torch.arange(8) / 7, atol=1e-6)


def test_exr_within_the_unit_range_is_taken_as_it_is(tmp_path: Path, source: Source) -> None:
    dark = exrs(tmp_path, lambda n: np.full((3, 48, 64), 0.001 * n, np.float32))
    with open_control(dark, *source) as control:
        values = control.read(ALL)
    assert torch.allclose(values.mean((1, 2, 3)), 0.001 * torch.arange(8), atol=1e-7), "neither stretched nor curved"
    (tmp_path / "d.0004.exr").write_bytes(encode_exr(np.zeros((1, 24, 32), np.float32)))
    with pytest.raises(MediaError, match=r"d\.0004\.exr is 32x24, the sequence 64x48"):
        open_control(dark, *source)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("half", [False, True])
def test_exr_round_trip(tmp_path: Path, channels: int, half: bool) -> None:
    values = np.random.default_rng(0).normal(0, 50, (channels, 17, 33)).astype(np.float32)
    values[0, 2, 3] = np.nan
    (tmp_path / "x.exr").write_bytes(encode_exr(values, half=half))
    expected = values.astype(np.float16).astype(np.float32) if half else values
    assert np.array_equal(read_exr(tmp_path / "x.exr"), expected, equal_nan=True)


def test_what_is_no_exr(tmp_path: Path) -> None:
    path = tmp_path / "x.exr"
    path.write_bytes(b"\x76\x2f\x31\x01" + bytes(200))
    with pytest.raises(MediaError, match=r"x\.exr cannot be read as an EXR picture \([^)]*\); export"):
        read_exr(path)
    with pytest.raises(ValueError, match="half floats"):
        encode_exr(np.full((1, 4, 4), 1e6, np.float32), half=True)
    with pytest.raises(ValueError, match="takes"):
        encode_exr(np.zeros((2, 4, 4), np.float32))
