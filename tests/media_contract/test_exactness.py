"""How near the pictures of an identity render are to the source's, for each way of coding them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from tests.media_contract.conftest import Results
from vedit.media.contract.identity import identity
from vedit.media.output import CodecName, OutputOptions, PresetName
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

pytestmark = pytest.mark.media

Planes = list[npt.NDArray[np.uint8]]
SIZE = (320, 184)
LARGE = (1280, 720)
FORMATS = ("yuv420p", "yuv422p", "yuv444p")


@dataclass(frozen=True, kw_only=True)
class Coded:
    """How the source's pictures are coded."""

    pixel_format: str
    matrix: Literal["bt601", "bt709"]
    full: bool

    @property
    def name(self) -> str:
        return f"{self.pixel_format} {self.matrix} {'full' if self.full else 'limited'}"


WAYS = [
    Coded(pixel_format=form, matrix=matrix, full=full)
    for form in FORMATS
    for matrix in ("bt601", "bt709")
    for full in (False, True)
]


def scene(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3): smooth colours all over the cube, edges, a moving disc, and grain, as a camera's pictures."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / (23 + 9 * c) + y / (31 - 5 * c) + 0.2 * number + c) for c in range(3)]
    image = 128 + 100 * np.stack(waves, axis=-1)
    disc = (x - width / 2 - 6 * number) ** 2 + (y - height / 2) ** 2 < (height / 5) ** 2
    image[disc] = (220, 60, 40)
    image[height // 8 : height // 6, :, :] = (16, 200, 90)
    grain = np.random.default_rng(number).normal(0, 2, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def write_source(path: Path, coded: Coded, frames: int, size: tuple[int, int], crf: int = 12) -> Path:
    """H.264 with the coding stated in its tags, converted from RGB with the same matrix and range."""
    code = 1 if coded.matrix == "bt709" else 6
    with av.open(f"file:{path}", "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(25), options={"crf": str(crf), "bf": "2"})
        stream.width, stream.height = size
        stream.pix_fmt = coded.pixel_format
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = code
        context.color_range = 2 if coded.full else 1
        for number in range(frames):
            rgb = VideoFrame.from_ndarray(scene(number, *size), format="rgb24")
            frame = rgb.reformat(
                format=coded.pixel_format,
                src_color_range=ColorRange.JPEG,
                dst_colorspace=Colorspace.ITU709 if code == 1 else Colorspace.ITU601,
                dst_color_range=ColorRange.JPEG if coded.full else ColorRange.MPEG,
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def rgb(path: Path) -> IntFrames:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def planes(path: Path) -> list[Planes]:
    """The samples of every frame as the decoder gives them, without any conversion."""
    found: list[Planes] = []
    with av.open(f"file:{path}") as container:
        for frame in container.decode(video=0):
            sides = [np.frombuffer(cast("bytes", memoryview(cast("bytes", p))), np.uint8) for p in frame.planes]
            shaped = zip(sides, frame.planes, strict=True)
            found.append([side.reshape(p.height, -1)[:, : p.width].copy() for side, p in shaped])
    return found


def worst(a: list[Planes], b: list[Planes]) -> list[int]:
    """The largest difference in each plane."""
    pairs = [zip(before, after, strict=True) for before, after in zip(a, b, strict=True)]
    differences = [[int(np.abs(x.astype(int) - y).max()) for x, y in pair] for pair in pairs]
    return [max(column) for column in zip(*differences, strict=True)]


def passed(source: Path, output: Path, codec: CodecName, preset: PresetName = "edit") -> Path:
    assert identity(source, output, options=OutputOptions(codec=codec, preset=preset)).report.ok
    return output


@pytest.fixture(params=WAYS, ids=lambda coded: coded.name)
def coded(request: pytest.FixtureRequest) -> Coded:
    return request.param


@pytest.fixture
def source(coded: Coded, tmp_path: Path, full: bool) -> Path:
    return write_source(tmp_path / "source.mp4", coded, 25 if full else 4, LARGE if full else SIZE)


def test_pictures_are_kept(source: Path, coded: Coded, results: Results) -> None:
    """FFV1 and PNG hold the RGB that was read, to the bit; lossless H.264 the source's samples, near enough."""
    read = rgb(source)
    ffv1 = rgb(passed(source, source.with_name("out.mkv"), "ffv1"))
    assert np.array_equal(read, ffv1)
    passed(source, source.with_name("out_%03d.png"), "png")
    assert np.array_equal(read, rgb(source.with_name("out_%03d.png")))

    x264 = passed(source, source.with_name("out.mp4"), "h264", "archive")
    before, after = planes(source), planes(x264)
    luma = [np.abs(a[0].astype(int) - b[0]) for a, b in zip(before, after, strict=True)]
    near = float(np.mean([(d <= 2).mean() for d in luma]))
    again = rgb(x264)
    difference = again.astype(int) - read
    mean, shift = float(np.abs(difference).mean()), float(np.abs(difference.mean(axis=(0, 2, 3))).max())
    results.add(
        "exactness",
        source=coded.name,
        **{
            "FFV1, PNG": "equal",
            "x264 crf 0, largest RGB difference": int(np.abs(difference).max()),
            "in Y, Cb, Cr": ", ".join(map(str, worst(before, after))),
            "luma within 2": f"{100 * near:.3f} %",
            "mean RGB difference": f"{mean:.3f}",
            "mean shift": f"{shift:.3f}",
        },
    )
    assert probe(x264).pixel_format == probe(source).pixel_format
    if coded.pixel_format == "yuv444p":
        # Of what was read: a sample that no RGB colour has, which a lossy source may hold, was clipped before.
        assert np.abs(difference).max() <= 2
    assert near >= 0.998
    assert mean <= 1.5
    assert shift <= 0.25
