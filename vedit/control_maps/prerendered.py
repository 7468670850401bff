"""Control maps made elsewhere, read back by the source's frame numbers: videos, image sequences, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, cast

import cv2
import numpy as np
import torch

from vedit.errors import MediaError
from vedit.media.aligned import align, goes_by_part
from vedit.media.exr import read_exr
from vedit.media.reading.limits import check_size
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import SUFFIXES, ImageSequence, find_sequence
from vedit.ranges import to_unit
from vedit.types import FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import IntFrames

_ASPECT_SLACK = 0.01
"""Relative difference of the aspects: sides are rounded to what codecs and models take."""
_PIXEL_SLACK = 2


class ControlVideo:
    """Frames of a control by the source's frame numbers; use it as a context manager. `open_control` makes one.

    Args:
        frames: what is read.
        numbers: for each frame of `covered`, its frame there.
        covered: frames of the source.
    """

    def __init__(self, frames: ControlFrames, numbers: tuple[int, ...], covered: FrameRange) -> None:
        self._frames, self._numbers, self._covered = frames, numbers, covered
        self.by_part = goes_by_part(numbers, covered)
        """The file goes with the part, not with the whole source."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.close()

    def read(self, frames: FrameRange) -> torch.Tensor:
        """The control of these frames of the source: float (T, 3, h, w) in [0, 1] at the control's own size.

        Raises:
            ValueError: frames that were not asked for when it was opened.
            MediaError: the file changed.
        """
        first, last = frames.start - self._covered.start, frames.stop - self._covered.start
        if not frames or first < 0 or last > len(self._numbers):
            raise ValueError(f"frames {frames.start}..{frames.stop} are not in {self._covered}")
        return torch.cat([self._frames.read(run) for run in runs(self._numbers[first:last])])


class ControlFrames(Protocol):
    """Frames of a file by their own numbers: float (T, 3, h, w) in [0, 1]."""

    def read(self, frames: FrameRange) -> torch.Tensor: ...

    def close(self) -> None: ...


def open_control(
    path: Path,
    metadata: VideoMetadata,
    index: FrameIndex,
    *,
    frames: FrameRange | None = None,
    allow_huge: bool = False,
) -> ControlVideo:
    """Open a control made elsewhere and check that it fits the source.

    A video is aligned by time since its first frame, an image sequence by number, either with the whole source or with
    the part `frames`; a picture holds for every frame. It may be of another size, not of another aspect. 8 to 16 bits
    are taken as they are. OpenEXR is data here: values are taken as they are where all lie in [0, 1], else the range
    of the whole sequence becomes [0, 1].

    Args:
        path: of the video, the picture, or the sequence (`depth_%04d.png`, or its folder).
        metadata: of the source.
        index: of the source.
        frames: the part that will be read; None is all.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.

    Raises:
        MediaError: it cannot be read, or its length or aspect is not the source's, with both.
    """
    covered = frames if frames is not None else FrameRange(start=0, stop=len(index))
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        still = _Still(path, allow_huge=allow_huge)
        _check_aspect(path, still.size, Fraction(1), metadata)
        return ControlVideo(still, (0,) * len(covered), covered)
    sequence = find_sequence(path)
    if sequence is not None and sequence.suffix.lower() == ".exr":
        data = _DataSequence(sequence)
        _check_aspect(path, data.size, Fraction(1), metadata)
        own = FrameIndex(
            pts=tuple(range(sequence.count)), time_base=Fraction(1, 25), last_duration=1, rate=Fraction(25)
        )
        return ControlVideo(data, align(index, own, part=covered, timed=False, name=path.name), covered)
    reader = open_video(path, rate=Fraction(25) if sequence is not None else None, allow_huge=allow_huge)
    try:
        own = reader.metadata
        _check_aspect(path, (own.height, own.width), own.sample_aspect_ratio, metadata)
        numbers = align(index, reader.index(), part=covered, timed=sequence is None, name=path.name)
    except BaseException:
        reader.close()
        raise
    return ControlVideo(_Film(reader), numbers, covered)


class _Film:
    """Frames of a video or an image sequence, alpha left out."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader

    def read(self, frames: FrameRange) -> torch.Tensor:
        clip = self._reader.read(frames)
        return to_unit(clip.frames[:, :3], clip.bit_depth)

    def close(self) -> None:
        self._reader.close()


class _Still:
    """One picture."""

    def __init__(self, path: Path, *, allow_huge: bool) -> None:
        if path.suffix.lower() == ".exr":
            self._image = _unit(read_exr(path), None)
        else:
            self._image = _picture(path, allow_huge=allow_huge)
        self.size = (int(self._image.shape[-2]), int(self._image.shape[-1]))

    def read(self, frames: FrameRange) -> torch.Tensor:
        return self._image.expand(len(frames), -1, -1, -1)

    def close(self) -> None:
        """Nothing is open."""


class _DataSequence:
    """OpenEXR files as data; their range is found in one pass, which also finds files that cannot be read."""

    def __init__(self, sequence: ImageSequence) -> None:
        self._files = sequence.files
        ranges: list[tuple[float, float]] = []
        self.size = (0, 0)
        for file in self._files:
            values = read_exr(file)
            size = (int(values.shape[-2]), int(values.shape[-1]))
            if self.size not in ((0, 0), size):
                raise MediaError(f"{file} is {_text(size)}, the sequence {_text(self.size)}", remedy="export it again")
            self.size = size
            known = values[np.isfinite(values)]
            if known.size:
                ranges.append((float(known.min()), float(known.max())))
        low, high = min((r[0] for r in ranges), default=0.0), max((r[1] for r in ranges), default=1.0)
        self._range = None if low >= 0 and high <= 1 else (low, high)

    def read(self, frames: FrameRange) -> torch.Tensor:
        return torch.cat([_unit(read_exr(self._files[n]), self._range) for n in range(frames.start, frames.stop)])

    def close(self) -> None:
        """Nothing is open."""


def _unit(values: npt.NDArray[np.float32], told: tuple[float, float] | None) -> torch.Tensor:
    """Data (1 or 3, H, W) as (1, 3, H, W) in [0, 1]; unknown values (nan) are 0."""
    data = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    if told is not None:
        low, high = told
        data = (data - low) / max(high - low, 1e-12)
    return data.nan_to_num(0.0, posinf=1.0, neginf=0.0).clamp(0, 1).expand(3, -1, -1)[None]


def _picture(path: Path, *, allow_huge: bool) -> torch.Tensor:
    """(1, 3, H, W) in [0, 1] of a picture of 8 or 16 bits, alpha left out."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cast("npt.NDArray[np.generic] | None", cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH))
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}", remedy="check the path") from error
    except cv2.error:  # an empty file
        image = None
    if image is None or image.dtype.name not in ("uint8", "uint16"):
        raise MediaError(f"{path} cannot be read as a picture", remedy="save it as PNG")
    check_size(image.shape[1], image.shape[0], path, allow_huge=allow_huge)
    colours = cast("IntFrames", np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))[None])
    return to_unit(colours, 8 if image.dtype.name == "uint8" else 16)


def _check_aspect(path: Path, size: tuple[int, int], pixel: Fraction, source: VideoMetadata) -> None:
    """Raises MediaError where neither the pixels nor the picture as it is shown have the source's aspect."""
    height, width = size
    squeezed = Fraction(source.width, source.height)
    for wanted in (squeezed, squeezed * source.sample_aspect_ratio):
        for aspect in (Fraction(width, height), Fraction(width, height) * pixel):
            off = abs(float(aspect / wanted) - 1)
            if off <= _ASPECT_SLACK or off * min(size) <= _PIXEL_SLACK:
                return
    raise MediaError(
        f"{path.name} is {_text(size)}, the source {source.width}x{source.height}: another aspect",
        remedy="export it at the source's size, or a smaller one of the same aspect",
    )


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def runs(numbers: Sequence[int]) -> list[FrameRange]:
    """Numbers in order as ranges of consecutive ones."""
    found: list[FrameRange] = []
    for number in numbers:
        if found and found[-1].stop == number:
            found[-1] = FrameRange(start=found[-1].start, stop=number + 1)
        else:
            found.append(FrameRange(start=number, stop=number + 1))
    return found
