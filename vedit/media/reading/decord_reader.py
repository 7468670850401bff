"""decord as a second reader, for files where it was shown to present the same frames; an optional extra.

decord 0.6 seeks fast, but it is built on an FFmpeg of 2019: no AV1, edit lists ignored, start offsets lost, frames
behind damage lost, 10 bits and transparency squeezed to 8-bit RGB, rotation applied or not without a word, colours
converted with other rounding. So a file is judged before decord may read it, and only `Agreement.SAME` counts as exact.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from vedit.errors import MediaError, MissingExtraError, VeditError
from vedit.media.color.convert import is_rgb
from vedit.media.reading.deinterlace import is_interlaced
from vedit.media.reading.reader import VideoReader
from vedit.types import Clip, FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames, VideoMetadata

CODECS = ("h264", "hevc", "mpeg4", "vp8", "vp9")
CONTAINERS = ("mov", "matroska", "avi")
SAMPLES = 8
FAR = 6.0
"""Mean difference, in 8-bit code values, that other rounding and chroma filters stay well below."""


class Agreement(Enum):
    """How decord's frames of a file relate to those of the exact reader."""

    SAME = "same"
    """Every frame is there, in order, at its time, bit for bit."""
    CLOSE = "close"
    """Every frame is there, in order, at its time; pixels differ by rounding and chroma filter."""
    NO = "no"
    """decord must not read this file."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether decord may read a file, and why."""

    agreement: Agreement
    reason: str


def available() -> bool:
    """Whether decord is installed."""
    return importlib.util.find_spec("decord") is not None


def may_be_same(metadata: VideoMetadata) -> bool:
    """Whether bit-identical frames are possible at all: not where chroma is filtered up, each library in its way."""
    name = metadata.pixel_format
    return metadata.bit_depth == 8 and (is_rgb(name) or "444" in name) and _barred(metadata) is None


def judge(reader: VideoReader, *, every_frame: bool = False) -> Verdict:
    """Compare decord with `reader` on its file.

    Args:
        reader: the exact one.
        every_frame: compare all frames; else some spread over the clip. Seeks must not change them. `Agreement.SAME` is
            only given where all frames were compared.

    Raises:
        MissingExtraError: decord is not installed.
        MediaError: `reader` cannot read the file.
    """
    metadata = reader.metadata
    reason = _barred(metadata) or _unsound(reader)
    if reason is not None:
        return Verdict(agreement=Agreement.NO, reason=reason)
    index = reader.index()
    try:
        theirs = _opened(metadata.path)
        if len(theirs) != len(index):
            return Verdict(agreement=Agreement.NO, reason=f"{len(theirs)} frames instead of {len(index)}")
        told = np.asarray(theirs.get_frame_timestamp(list(range(len(index)))))[:, 0]
        own = np.array([float(index.seconds(number)) for number in range(len(index))])
        # float32 seconds; a tick of the file where that is coarser.
        slack = max(1e-3, float(index.time_base), float(own[-1]) * 2e-7)
        if float(np.abs(told - told[0] - own).max()) > slack:
            return Verdict(agreement=Agreement.NO, reason="other frame times")
        return _compared(reader, theirs, every_frame)
    except VeditError:
        raise
    except Exception as error:  # decord raises errors of many kinds, some of its own
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return Verdict(agreement=Agreement.NO, reason=f"decord fails: {line[:80]}")


class DecordReader(VideoReader):
    """`VideoReader` whose frames come from decord; index, times and warnings stay those of the exact reader.

    Args:
        judged: an open reader of the file, whose index is taken over.
        verdict: of `judge` on it.

    Raises:
        MediaError: decord must not read the file.
    """

    def __init__(self, judged: VideoReader, verdict: Verdict) -> None:
        if verdict.agreement is Agreement.NO:
            raise MediaError(
                f"{judged.metadata.path.name} cannot be read by decord exactly: {verdict.reason}",
                remedy="use the backend pyav, or auto",
            )
        super().__init__(judged.metadata, scanned=judged.scanned(), notes=judged.notes)
        self.verdict = verdict
        self._source: Any = _opened(judged.metadata.path)

    def read(self, frames: FrameRange) -> Clip:
        """As `VideoReader.read`; MediaError also where decord gives up."""
        index = self.index()
        self.check_range(frames)
        try:
            pictures = self._source.get_batch(list(range(frames.start, frames.stop))).asnumpy()
        except Exception as error:
            raise MediaError(f"{self.metadata.path.name}: decord gave up", remedy="use the backend pyav") from error
        out: IntFrames = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        return Clip(
            frames=out,
            bit_depth=8,
            pts=index.pts[frames.start : frames.stop],
            time_base=index.time_base,
            start=frames.start,
            color=self.metadata.color,
        )

    def close(self) -> None:
        """Close the file; the index stays."""
        self._source = None
        super().close()


def _barred(metadata: VideoMetadata) -> str | None:
    """What the headers already rule out."""
    barred = {
        f"codec {metadata.codec}": metadata.codec not in CODECS,
        f"container {metadata.container[0]}": not set(CONTAINERS) & set(metadata.container),
        f"{metadata.bit_depth} bits": metadata.bit_depth != 8,
        "transparency": metadata.has_alpha,
        "rotation or mirroring": metadata.rotation != 0 or metadata.mirrored,
        "a start offset": metadata.start_pts not in (0, None),
        "width below 16 pixels": metadata.coded_width < 16,
    }
    return next((reason for reason, holds in barred.items() if holds), None)


def _unsound(reader: VideoReader) -> str | None:
    """What only a decode of the file tells."""
    scanned = reader.scanned()
    if not scanned.threads:
        return "damaged packets"
    if not scanned.seekable:
        return "timestamps had to be replaced"
    if is_interlaced(reader.metadata.field_order, scanned.interlaced):
        return "interlaced"
    if scanned.frames.pts[0] != 0:
        return "a start offset"
    return None


def _compared(reader: VideoReader, theirs: Any, every_frame: bool) -> Verdict:
    count = len(reader.index())
    numbers = list(range(count)) if every_frame else _spread(count)
    exact, worst = True, 0.0
    seen: dict[int, int] = {}
    for number in numbers:
        around = reader.read(FrameRange(start=max(0, number - 1), stop=min(count, number + 2)))
        found = theirs[number].asnumpy()
        seen[number] = crc32(found)
        found = found.transpose(2, 0, 1).astype(np.int16)
        if found.shape != around.frames.shape[1:]:
            return Verdict(agreement=Agreement.NO, reason="another frame size")
        far = [float(np.abs(found - frame).mean()) for frame in around.frames]
        own = far[number - around.start]
        if own > min(far):
            return Verdict(agreement=Agreement.NO, reason=f"frame {number} is another one")
        exact = exact and own == 0
        worst = max(worst, own)
    for number in _from_both_ends(_spread(count)):
        if crc32(theirs[number].asnumpy()) != seen[number]:
            return Verdict(agreement=Agreement.NO, reason=f"frame {number} is another one after a seek")
    if worst > FAR:
        return Verdict(agreement=Agreement.NO, reason=f"other pixels, {worst:.1f} code values on average")
    if exact and every_frame:
        return Verdict(agreement=Agreement.SAME, reason=f"all {count} frames bit for bit")
    told = f"{len(numbers)} of {count} frames compared"
    return Verdict(agreement=Agreement.CLOSE, reason=f"{told}, pixels differ by up to {worst:.2f} on average")


def _spread(count: int) -> list[int]:
    """First, last and some between."""
    return sorted({round(step * (count - 1) / (SAMPLES - 1)) for step in range(SAMPLES)})


def _from_both_ends(numbers: list[int]) -> list[int]:
    """Last, first, last but one, ...: each one takes a long seek."""
    return [numbers[-1 - step // 2] if step % 2 == 0 else numbers[step // 2] for step in range(len(numbers))]


def _opened(path: Path) -> Any:
    return _decord().VideoReader(str(path), num_threads=1)


def _decord() -> ModuleType:
    if not available():
        raise MissingExtraError("decord", extra="decord")
    return importlib.import_module("decord")
