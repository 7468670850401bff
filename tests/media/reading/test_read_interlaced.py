"""Interlaced clips: found, made whole by bwdif whichever frame is asked for, or left woven on request."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from vedit.media.output import Interlaced
from vedit.media.reading.read import open_video
from vedit.types import FrameRange

SIZE = 96, 64
FRAMES = 30
Field = npt.NDArray[np.uint8]


def moment(time: int) -> Field:
    """(H, W, 3): a soft block that moves 2 pixels per field over a ramp."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width]
    block = np.exp(-(((x - 8 - 2 * time % 80) / 5.0) ** 2)) * 150
    return np.repeat((40 + y + block)[..., None], 3, axis=-1).astype(np.uint8)


def woven(number: int, *, top_first: bool) -> Field:
    """Two moments, half a frame apart, on every other line."""
    picture = moment(2 * number + (0 if top_first else 1))
    picture[1::2] = moment(2 * number + (1 if top_first else 0))[1::2]
    return picture


def write(path: Path, codec: str, options: dict[str, str], *, top_first: bool = True, frames: int = FRAMES) -> Path:
    width, height = SIZE
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
        graph = Graph()
        shape = VideoFormat(stream.pix_fmt, width, height)
        source = graph.add_buffer(width=width, height=height, format=shape, time_base=Fraction(1, 25))
        order = graph.add("setfield", "tff" if top_first else "bff")  # marks the frames, for encoders that ask them
        graph.link_nodes(source, order, graph.add("buffersink")).configure()
        for number in range(frames):
            frame = VideoFrame.from_ndarray(woven(number, top_first=top_first), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.vpush(frame)
            output.mux(stream.encode(graph.vpull()))
        output.mux(stream.encode(None))
    return path


KINDS = {
    "h264 tff": ("a.mp4", "libx264", {"x264-params": "tff=1", "crf": "1", "bf": "2", "g": "10"}, True),
    "h264 bff": ("a.ts", "libx264", {"x264-params": "bff=1", "crf": "1", "bf": "0", "g": "10"}, False),
    "mpeg2": ("a.mpg", "mpeg2video", {"flags": "+ilme+ildct", "qscale": "1", "b": "8M", "g": "6"}, True),
    "prores": ("a.mov", "prores_ks", {"flags": "+ilme+ildct"}, True),
}


@pytest.fixture(params=list(KINDS))
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, codec, options, top_first = KINDS[request.param]
    return write(tmp_path / name, codec, options, top_first=top_first)


def frames_of(path: Path, fields: Interlaced = "deinterlace") -> npt.NDArray[Any]:
    with open_video(path, interlaced=fields) as reader:
        found = reader.read(FrameRange(start=0, stop=len(reader.index())))
        return found.frames >> (found.bit_depth - 8)


def combing(frames: npt.NDArray[Any]) -> float:
    """How much lines differ from their neighbours both ways, which a soft picture never does."""
    luma = frames[:, 1].astype(float)
    return float(np.abs(2 * luma[:, 1:-1] - luma[:, :-2] - luma[:, 2:]).mean())


def test_fields_are_made_whole(clip: Path) -> None:
    with open_video(clip) as reader:
        assert reader.deinterlaced
        assert reader.metadata.field_order in ("tt", "bb")
        count = len(reader.index())
        assert [line for line in reader.warnings if line.startswith("interlaced (")] == [
            f"interlaced ({reader.metadata.field_order}): deinterlaced with bwdif; --interlaced weave keeps the fields"
        ]
    assert count == FRAMES
    shown, kept = frames_of(clip), frames_of(clip, "weave")
    assert shown.shape == kept.shape
    assert combing(shown) < combing(kept) / 4
    # The first field shown of each frame stays, and the other is made to fit it.
    top_first = not str(clip).endswith(".ts")
    for number in range(4, FRAMES - 4):
        truth = moment(2 * number).transpose(2, 0, 1).astype(float)
        assert np.abs(shown[number] - truth).mean() < (4 if top_first else 5), number


def test_every_frame_is_the_same_whichever_way_it_is_reached(clip: Path) -> None:
    with open_video(clip) as reader:
        count = len(reader.index())
        reference = reader.read(FrameRange(start=0, stop=count)).frames
        for number in (count - 1, 0, 17, 16, 1, count - 2, 9, 10, 11):
            single = reader.read(FrameRange(start=number, stop=number + 1)).frames[0]
            assert np.array_equal(single, reference[number]), number
        for size in (1, 3, 7, count):
            parts = [part.frames for part in reader.chunks(FrameRange(start=0, stop=count), size)]
            assert np.array_equal(np.concatenate(parts), reference), size
        parts = [part.frames for part in reader.chunks(FrameRange(start=5, stop=count - 1), 4)]
        assert np.array_equal(np.concatenate(parts), reference[5:-1])


def test_reading_on_does_not_go_back(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit.media.reading.decode import Decoder

    def never(*_: object) -> None:
        pytest.fail("this must not be called")

    with open_video(clip) as reader:
        reader.read(FrameRange(start=0, stop=6))
        monkeypatch.setattr(Decoder, "seek", never)
        monkeypatch.setattr(Decoder, "__init__", never)
        for start in (6, 12, 18):
            reader.read(FrameRange(start=start, stop=start + 6))


def test_weaving_keeps_every_line(clip: Path) -> None:
    with open_video(clip, interlaced="weave") as reader:
        assert not reader.deinterlaced and not any("bwdif" in line for line in reader.warnings)
    with av.open(str(clip)) as container:
        decoded = next(container.decode(video=0))
        assert decoded.interlaced_frame
    assert combing(frames_of(clip, "weave")) > 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips(tmp_path: Path, count: int) -> None:
    name, codec, options, top_first = KINDS["h264 tff"]
    path = write(tmp_path / name, codec, options, top_first=top_first, frames=count)
    with open_video(path) as reader:
        assert len(reader.read(FrameRange(start=0, stop=count))) == count == len(reader.index())


def test_progressive_clips_are_left_alone(make: Callable[..., Path]) -> None:
    with open_video(make(frames=3)) as reader:
        assert not reader.deinterlaced
        assert reader.warnings == ()
