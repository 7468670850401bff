"""How much an identity render changes code values, by codec: nothing in RGB codecs, a rounding in YUV ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame

from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

SIZE = (192, 128)
FRAMES = 4
SPACES = {
    "bt601": (6, 6, 6, 1),
    "bt601-full": (6, 6, 6, 2),
    "bt709": (1, 1, 1, 1),
    "bt709-full": (1, 1, 1, 2),
    "bt2020": (9, 14, 9, 1),
}


def planes(pixel_format: str, number: int, matrix: int, *, full: bool) -> list[npt.NDArray[np.uint16]]:
    """Y'CbCr of a drawing by the equations of H.273, section 8.3: the reference that swscale is held to.

    Above a grey ramp with noise, then soft colours with noise, below a full turn of fully saturated colours.
    """
    form = av.VideoFormat(pixel_format, *SIZE)
    depth = form.components[0].bits
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]] / np.array(SIZE[::-1]).reshape(2, 1, 1)
    noise = np.random.default_rng(number).normal(0, 0.015, x.shape)
    turn = (x + 0.01 * number)[..., None] * 2 * np.pi - np.array([0, 2, 4]) * np.pi / 3
    wheel = 0.5 + 0.5 * np.cos(turn)
    soft = 0.5 + 0.2 * np.cos(turn + 4 * y[..., None]) + noise[..., None]
    ramp = np.repeat(np.clip(x + noise, 0, 1)[..., None], 3, axis=-1)
    # Soft borders: a hard one between strong colours is more than half the chroma can hold.
    low, high = (1 / (1 + np.exp(-60 * (y[..., None] - edge))) for edge in (0.4, 0.7))
    red, green, blue = np.moveaxis(ramp * (1 - low) + soft * (low - high) + wheel * high, -1, 0)
    kr, kb = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    across, down = SIZE[0] // form.chroma_width(SIZE[0]), SIZE[1] // form.chroma_height(SIZE[1])
    found: list[npt.NDArray[np.uint16]] = []
    for value in (luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)):
        is_luma = value is luma
        if not is_luma:
            # Chroma is sited at the left: a triangle across, a box down.
            wide = np.pad(value, ((0, 0), (1, 1)), mode="edge")
            value = (wide[:, :-2] + 2 * value + wide[:, 2:]) / 4 if across == 2 else value
            value = value.reshape(SIZE[1] // down, down, SIZE[0] // across, across)[..., 0].mean(axis=1)
        unit = (1 << depth) - 1 if full else (219 if is_luma else 224) << (depth - 8)
        zero = (0 if full else 16 << (depth - 8)) if is_luma else 1 << (depth - 1)
        found.append(np.clip(np.rint(value * unit + zero), 0, (1 << depth) - 1).astype(np.uint16))
    return found


def make_source(path: Path, pixel_format: str, tags: tuple[int, int, int, int]) -> Path:
    """A lossless clip of these samples."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=Fraction(25), options={"level": "3"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        for number in range(FRAMES):
            frame = VideoFrame(*SIZE, pixel_format)
            drawn = planes(pixel_format, number, tags[2], full=tags[3] == 2)
            for plane, values in zip(frame.planes, drawn, strict=True):
                wide = frame.format.components[0].bits > 8
                room = np.zeros((plane.height, plane.line_size // (2 if wide else 1)), np.uint16 if wide else np.uint8)
                room[:, : values.shape[1]] = values
                plane.update(room.tobytes())
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def identity(source: Path, name: str, **asked: Any) -> Path:
    with open_video(source) as reader:
        plan = plan_output(
            source.with_name(name), reader.metadata, reader.index(), options=OutputOptions(overwrite=True, **asked)
        )
        with VideoWriter(plan) as writer:
            writer.write(reader.read(plan.frames).frames)
            writer.finish()
        return plan.path


def rgb(path: Path) -> tuple[npt.NDArray[np.int64], int]:
    with open_video(path) as reader:
        clip = reader.read(FrameRange(start=0, stop=len(reader.index())))
        return clip.frames[:, :3].astype(np.int64), clip.bit_depth


def luma(path: Path) -> npt.NDArray[np.int64]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray()[: SIZE[1]].astype(np.int64) for frame in container.decode(video=0)])


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str, str], Path]:
    def make(pixel_format: str, space: str) -> Path:
        return make_source(tmp_path / "source.mkv", pixel_format, SPACES[space])

    return make


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("codec", "name"), [("ffv1", "out.mkv"), ("png", "out_%03d.png")])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_rgb_codecs_are_exact(
    source: Callable[[str, str], Path], pixel_format: str, space: str, codec: Any, name: str
) -> None:
    path = source(pixel_format, space)
    before, _ = rgb(path)
    after, depth = rgb(identity(path, name, codec=codec))
    assert depth == 8 and before.std() > 20
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("pixel_format", "space"), [("yuv420p10le", "bt2020"), ("yuv444p12le", "bt709"), ("yuv444p16le", "bt709")]
)
def test_deep_sources_are_exact(source: Callable[[str, str], Path], pixel_format: str, space: str) -> None:
    path = source(pixel_format, space)
    before, depth = rgb(path)
    after, same = rgb(identity(path, "out.mkv", codec="ffv1"))
    assert same == depth > 8
    assert np.array_equal(before, after)
    # PNG holds 16 bits: the same values at its scale, which lead back exactly.
    wide, sixteen = rgb(identity(path, "out_%03d.png", codec="png"))
    assert sixteen == 16
    assert np.array_equal(np.rint(wide * ((1 << depth) - 1) / 65535).astype(np.int64), before)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv444p12le"])
def test_linear_light_leads_back(source: Callable[[str, str], Path], pixel_format: str) -> None:
    path = source(pixel_format, "bt709")
    before, depth = rgb(path)
    after, sixteen = rgb(identity(path, "out_%04d.exr"))
    assert sixteen == 16
    assert np.array_equal(np.rint(after * ((1 << depth) - 1) / 65535).astype(np.int64), before)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_full_chroma_is_within_two(source: Callable[[str, str], Path], codec: Any, space: str) -> None:
    path = source("yuv444p", space)
    before, _ = rgb(path)
    out = identity(path, "out.mkv", codec=codec, preset="archive")
    after, _ = rgb(out)
    with open_video(out) as reader:
        assert reader.metadata.pixel_format.replace("j", "") == "yuv444p"
        color = reader.metadata.color
    assert (color.primaries, color.transfer, color.matrix, 2 if color.full_range else 1) == SPACES[space]
    assert np.abs(before - after).max() <= 2


@pytest.mark.parametrize("space", SPACES)
def test_half_chroma_keeps_luma_and_means(source: Callable[[str, str], Path], space: str) -> None:
    path = source("yuv420p", space)
    out = identity(path, "out.mp4", codec="h264", preset="archive")
    assert np.mean(np.abs(luma(path) - luma(out)) <= 2) >= 0.998
    difference = rgb(out)[0] - rgb(path)[0]
    assert np.abs(difference).mean() <= 1.5
    assert np.abs(difference.mean(axis=(0, 2, 3))).max() <= 0.25


@pytest.mark.parametrize(("codec", "name"), [("h264", "out.mp4"), ("hevc", "out.mp4"), ("vp9", "out.webm")])
def test_archive_loses_nothing_behind_the_conversion(
    source: Callable[[str, str], Path], codec: Any, name: str, tmp_path: Path
) -> None:
    """Two generations: what the first one wrote is what the second one reads and writes."""
    path = source("yuv420p", "bt709")
    exact = rgb(identity(path, "exact.mkv", codec="ffv1"))[0]
    again = rgb(identity(tmp_path / "exact.mkv", "again.mkv", codec="ffv1"))[0]
    assert np.array_equal(exact, again)
    first = luma(identity(path, name, codec=codec, preset="archive"))
    reference = luma(identity(path, "reference.mkv", codec="h264", preset="archive"))
    assert np.array_equal(first, reference)


@pytest.mark.parametrize(
    ("pixel_format", "space"),
    [("yuv420p", "bt601-full"), ("yuv420p", "bt709"), ("yuv422p", "bt709"), ("yuv420p10le", "bt709")],
)
def test_chroma_does_not_drift(source: Callable[[str, str], Path], pixel_format: str, space: str) -> None:
    """H.264 to H.264, three times: chroma is read and written at the same place."""
    path = identity(source(pixel_format, space), "0.mp4", codec="h264", preset="archive")

    def samples(file: Path) -> npt.NDArray[np.int64]:
        with av.open(str(file)) as container:
            return np.stack([frame.to_ndarray().astype(np.int64) for frame in container.decode(video=0)])

    first = last = samples(path)
    for generation in ("1.mp4", "2.mp4", "3.mp4"):
        path = identity(path, generation, codec="h264", preset="archive")
        last = samples(path)
    assert np.abs(first - last).mean() < 0.05
