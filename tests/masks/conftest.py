"""Clips in memory and small files with known masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
import numpy as np
import pytest

from tests.masks import shapes
from vedit.masks import MatteSource
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.testing.fakes import FakeReader
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    import numpy.typing as npt
    from av.video.stream import VideoStream

    from vedit.media.reading.reader import VideoReader


@pytest.fixture
def clip_of() -> Callable[..., MatteSource]:
    """Of frames (T, 3, H, W), with cuts before the frames given: what the masks know of such a clip."""

    def make(frames: npt.NDArray[np.uint8], *cuts: int, part: FrameRange | None = None, **more: Any) -> MatteSource:
        reader = FakeReader(frames=frames, **more)
        part = part or FrameRange(start=0, stop=len(frames))
        starts = [part.start, *cuts]
        shots = tuple(
            Shot(number=n, frames=FrameRange(start=a, stop=b))
            for n, (a, b) in enumerate(zip(starts, [*cuts, part.stop], strict=True), 1)
        )
        return MatteSource(
            metadata=reader.metadata,
            index=reader.index(),
            shots=shots,
            frames=part,
            reopen=lambda: cast("VideoReader", reader),
        )

    return make


@pytest.fixture
def blank(clip_of: Callable[..., MatteSource]) -> Callable[..., MatteSource]:
    """`clip_of` for a clip that shows nothing: its length, height and width, then cuts."""

    def make(count: int = 12, height: int = 48, width: int = 64, *cuts: int, **more: Any) -> MatteSource:
        return clip_of(np.zeros((count, 3, height, width), np.uint8), *cuts, **more)

    return make


@pytest.fixture
def save_picture(tmp_path: Path) -> Callable[..., Path]:
    """Writes (H, W) in [0, 1] as a PNG of `depth` bits, or a whole image of integers as it is."""

    def save(picture: npt.NDArray[Any], name: str = "mask.png", *, depth: int = 8) -> Path:
        if picture.dtype.kind == "f":
            picture = np.round(picture * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture)
        return path

    return save


@pytest.fixture
def save_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes grey levels (T, H, W), or RGBA (T, H, W, 4), at times in milliseconds, without loss."""

    def save(frames: npt.NDArray[np.uint8], times: Sequence[int], name: str = "mask.mkv", **more: Any) -> Path:
        path = tmp_path / name
        alpha = frames.ndim == 4
        with av.open(str(path), "w") as output:
            stream = cast("VideoStream", output.add_stream(more.get("codec", "ffv1"), rate=Fraction(25)))
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = more.get("pixels", "bgra" if alpha else "bgr0")
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            for picture, time in zip(frames, times, strict=True):
                rgb = picture if alpha else np.repeat(picture[..., None], 3, -1)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgba" if alpha else "rgb24")
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return save


@pytest.fixture
def truth() -> list[npt.NDArray[np.floating[Any]]]:
    """The masks of `moving`."""
    return [mask for _, mask in _drawn()]


@pytest.fixture
def moving(clip_of: Callable[..., MatteSource]) -> MatteSource:
    """Twelve frames of 120 x 90 of a shape that moves."""
    return clip_of(np.stack([frame for frame, _ in _drawn()]))


@pytest.fixture
def keyed(truth: list[npt.NDArray[np.floating[Any]]], save_picture: Callable[..., Path]) -> MaskSpec:
    """The mask of `moving`, drawn for frame 4."""
    return MaskSpec(files=(KeyedFile(path=save_picture(truth[4], "key.png"), at="#4"),))


def _drawn() -> list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.floating[Any]]]]:
    mask = shapes.ellipse(90, 120, (26, 20))
    return list(shapes.clip(mask, lambda t: shapes.Motion(x=1.2 * t - 6, y=0.5 * t, degrees=2 * t), count=12))
