"""Image sequences in: every way to name one, every kind of image, gaps, rates, and what they must never reach."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from vedit.errors import MediaError
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.types import Clip, FrameRange

Draw = Callable[[int, int, int], npt.NDArray[np.uint8]]


def image(path: Path, frame: VideoFrame, codec: str, pixel_format: str) -> None:
    """Write one frame as the packets of an image codec."""
    context = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixel_format
    context.time_base = Fraction(1, 25)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))


def pngs(folder: Path, draw: Draw, numbers: range, name: str = "shot_{:04d}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        frame = VideoFrame.from_ndarray(draw(number, 34, 21), format="rgb24")
        image(folder / name.format(number), frame, "png", "rgb24")
    return folder


def whole(path: Path | str, rate: Fraction | None = None) -> Clip:
    with open_video(path, rate=rate) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index())))


@pytest.mark.parametrize("first", [0, 1, 98, 9998])
@pytest.mark.parametrize("name", ["shot_%04d.png", "shot_####.png", ""])
def test_every_way_to_name_a_sequence(tmp_path: Path, draw: Draw, first: int, name: str) -> None:
    folder = pngs(tmp_path / "100%d frames: a", draw, range(first, first + 5))
    clip = whole(folder / name if name else folder)
    assert [np.array_equal(f.transpose(1, 2, 0), draw(first + n, 34, 21)) for n, f in enumerate(clip.frames)] == [
        True
    ] * 5
    assert (clip.pts, clip.time_base, clip.bit_depth) == ((0, 1, 2, 3, 4), Fraction(1, 25), 8)


def test_any_image_by_number(tmp_path: Path, draw: Draw) -> None:
    folder = pngs(tmp_path / "a", draw, range(5, 25))
    with open_video(folder) as reader:
        for number in (19, 0, 7, 18):
            found = reader.read(FrameRange(start=number, stop=number + 1)).frames[0]
            assert np.array_equal(found.transpose(1, 2, 0), draw(5 + number, 34, 21))


def test_numbers_without_leading_zeros(tmp_path: Path, draw: Draw) -> None:
    folder = pngs(tmp_path / "a", draw, range(8, 12), "{}.png")
    for path in (folder, folder / "%d.png", folder / "#.png"):
        assert len(whole(path)) == 4


def test_the_rate_is_told_or_assumed_aloud(tmp_path: Path, draw: Draw) -> None:
    path = pngs(tmp_path / "a", draw, range(3)) / "shot_%04d.png"
    with open_video(path) as reader:
        assert reader.index().rate == 25
        assert "25 frames/s" in reader.warnings[0] and "--rate" in reader.warnings[0]
    rate = Fraction(24000, 1001)
    with open_video(path, rate=rate) as reader:
        index = reader.index()
        assert (index.rate, index.seconds(2), index.last_duration * index.time_base) == (rate, 2 / rate, 1 / rate)
        assert reader.metadata.average_rate == rate and not reader.warnings
    assert probe(path, rate=Fraction(2997, 100)).average_rate == Fraction(2997, 100)


def test_a_rate_for_a_film_is_refused(make: Callable[..., Path]) -> None:
    with pytest.raises(MediaError, match="own frame times"):
        probe(make(frames=1), rate=Fraction(24))


def test_a_gap_names_the_missing_file(tmp_path: Path, draw: Draw) -> None:
    folder = pngs(tmp_path / "a", draw, range(10))
    (folder / "shot_0004.png").unlink()
    for path in (folder, folder / "shot_%04d.png"):
        with pytest.raises(MediaError, match=r"shot_0004\.png is missing"):
            probe(path)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix", "depth"),
    [
        ("png", "rgb24", ".png", 8),
        ("png", "rgb48be", ".png", 16),
        ("png", "rgba64be", ".png", 16),
        ("png", "gray", ".png", 8),
        ("tiff", "rgb48le", ".tiff", 16),
        ("tiff", "rgb24", ".tif", 8),
        ("dpx", "gbrp10le", ".dpx", 10),
        ("dpx", "rgb48le", ".dpx", 16),
        ("mjpeg", "yuvj444p", ".jpg", 8),
    ],
)
def test_kinds_of_images(tmp_path: Path, draw: Draw, codec: str, pixel_format: str, suffix: str, depth: int) -> None:
    pictures = [draw(n, 34, 21).astype(np.uint16) * 257 for n in range(3)]
    if pixel_format == "gray":
        pictures = [np.repeat(picture[..., :1], 3, axis=-1) for picture in pictures]
    for number, picture in enumerate(pictures):
        frame = VideoFrame.from_ndarray(picture, format="rgb48le").reformat(
            format=pixel_format, dst_color_range=2, src_color_range=2
        )
        frame.color_range = 2
        image(tmp_path / f"a{number:02d}{suffix}", frame, codec, pixel_format)
    clip = whole(tmp_path / f"a%02d{suffix}")
    assert clip.bit_depth == depth
    assert clip.frames.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert clip.frames.shape[1] == (4 if "a" in pixel_format.replace("gray", "") else 3)
    scaled = clip.frames[:, :3].astype(float) / ((1 << depth) - 1) * 255
    error = np.abs(scaled - np.stack(pictures).transpose(0, 3, 1, 2) / 257)
    assert error.max() <= (20 if codec == "mjpeg" else 0.6 if depth > 8 else 1)
    assert error.mean() <= (3 if codec == "mjpeg" else 0.5)


def test_linear_light_is_read_on_the_srgb_curve(tmp_path: Path) -> None:
    linear = np.zeros((16, 24, 3), dtype=np.float32)
    linear[:8] = (0.18, 0.5, 0.0025)
    linear[8:] = (7.5, -0.25, 1.0)
    for number in range(2):
        frame = VideoFrame.from_ndarray(linear, format="gbrpf32le")
        image(tmp_path / f"a{number}.exr", frame, "exr", "gbrpf32le")
    with open_video(tmp_path / "a%d.exr") as reader:
        clip = reader.read(FrameRange(start=0, stop=2))
        assert any("sRGB" in line and "7.5" in line for line in reader.warnings)
    assert clip.bit_depth == 16
    assert clip.color.transfer == 13
    coded = clip.frames[1].astype(float) / 65535
    curve = [1.055 * 0.18 ** (1 / 2.4) - 0.055, 1.055 * 0.5 ** (1 / 2.4) - 0.055, 12.92 * 0.0025]
    assert coded[:, 0, 0] == pytest.approx(curve, abs=2e-5)
    assert coded[:, 12, 0] == pytest.approx([1, 0, 1])


def test_half_floats_that_are_clipped_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a0.exr"
    frame = VideoFrame.from_ndarray(np.full((16, 24, 3), 7.5, dtype=np.float32), format="gbrpf32le")
    context: Any = CodecContext.create("exr", "w")
    context.width, context.height, context.pix_fmt = 24, 16, "gbrpf32le"
    context.time_base, context.options = Fraction(1, 25), {"format": "half"}
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))
    with open_video(tmp_path / "a%d.exr") as reader:
        assert reader.metadata.pixel_format.endswith("f16le")
        assert any("7.5" in line for line in reader.warnings)


def test_bad_sequences(tmp_path: Path, draw: Draw, make: Callable[..., Path]) -> None:
    folder = pngs(tmp_path / "a", draw, range(3))
    with open_video(folder / "shot_0001.png") as reader:
        assert any("shot_%04d.png names the 3 it is one of" in line for line in reader.warnings)
    with pytest.raises(MediaError, match="no file matches"):
        probe(folder / "shot_%05d.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="without a numbered image sequence"):
        probe(tmp_path / "empty")
    pngs(folder, draw, range(2), "other.{:03d}.png")
    with pytest.raises(MediaError, match=r"2 image sequences \(other\.#\.png, shot_#\.png\)"):
        probe(folder)
    (folder / "shot_0001.png").write_bytes(b"")
    with pytest.raises(MediaError, match=r"shot_0001\.png is empty"):
        probe(folder / "shot_%04d.png")


def test_images_reach_no_other_format(tmp_path: Path, draw: Draw, make: Callable[..., Path]) -> None:
    film = make(frames=2)
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "a1.png").symlink_to(film)
    (folder / "a2.png").write_text("ffconcat version 1.0\nfile ../clip.mp4\n")
    with pytest.raises(MediaError, match=r"no frame that can be decoded|not a video"):
        probe(folder)
    (folder / "a1.png").unlink()
    (folder / "a1.png").symlink_to("/dev/zero")
    with pytest.raises(MediaError, match="not a regular file"):
        probe(folder)


def test_images_of_two_sizes_are_refused(tmp_path: Path, draw: Draw) -> None:
    folder = pngs(tmp_path / "a", draw, range(4))
    frame = VideoFrame.from_ndarray(draw(0, 20, 20), format="rgb24")
    image(folder / "shot_0002.png", frame, "png", "rgb24")
    with open_video(folder) as reader, pytest.raises(MediaError, match="frame 2 is 20x20, the clip is 34x21"):
        reader.index()


def test_a_damaged_image_is_told(tmp_path: Path, draw: Draw) -> None:
    folder = pngs(tmp_path / "a", draw, range(4))
    (folder / "shot_0002.png").write_bytes(b"\x89PNG nothing of use")
    with open_video(folder) as reader:
        assert len(reader.index()) == 3
        assert any("4 frames, 3 could be decoded" in line for line in reader.warnings)


def test_gif_times_are_exact(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "a.gif"
    times = [0, 7, 9, 40, 41]
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("gif", rate=100)
        stream.width, stream.height, stream.pix_fmt = 32, 20, "rgb8"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
        for number, pts in enumerate(times):
            frame = VideoFrame.from_ndarray(draw(number, 32, 20), format="rgb24").reformat(format="rgb8")
            frame.pts, frame.time_base = pts, Fraction(1, 100)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        index = reader.index()
        assert [index.seconds(n) for n in range(5)] == [Fraction(t, 100) for t in times]
        assert not reader.metadata.has_alpha


def test_a_gif_has_alpha_where_it_shows_through(tmp_path: Path, draw: Draw) -> None:
    for name, hole in (("a.gif", 0), ("b.gif", 99)):
        path = tmp_path / name
        with av.open(str(path), "w") as output:
            stream: Any = output.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = 16, 8, "pal8"
            for number in range(5):
                frame = VideoFrame(16, 8, "pal8")
                codes = np.full((8, frame.planes[0].line_size), number, np.uint8)
                colors = np.arange(256, dtype=np.uint32) * 0x010101 + 0xFF000000
                if number == hole:
                    codes[:, :4] = 255
                    colors[255] = 0
                frame.planes[0].update(codes.tobytes())
                frame.planes[1].update(colors.astype("<u4").tobytes())
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        with open_video(path) as reader:
            clip = reader.read(FrameRange(start=0, stop=5))
            assert reader.metadata.has_alpha == (hole < 5)
        assert clip.frames.shape[1] == (4 if hole < 5 else 3)
