"""Exact frames by number, streamed, in display orientation and as integer RGB at the source's depth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from vedit.errors import InputError, MediaError
from vedit.media.color import ToRgb
from vedit.media.decode import Decoder, fingerprint
from vedit.media.index import ScannedIndex, scan
from vedit.media.probe import probe
from vedit.types import Clip, FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vedit.types import IntFrames


def open_video(path: Path | str, *, seek: bool = True) -> VideoReader:
    """Open a video for reading; use it as a context manager. Raises MediaError as `probe` does.

    Args:
        path: of the file.
        seek: reach frames by seeking; False always decodes from the first frame on.
    """
    return VideoReader(probe(path), seek=seek)


class VideoReader:
    """Reads frames of one file by number.

    A read seeks to the key frame before its first frame and proves by checksum that what it decodes is what a decode
    from the start presents; where a file does not seek exactly, it is decoded from the start instead. A read that
    goes on where the last one ended does not seek.

    Args:
        metadata: of the file.
        seek: reach frames by seeking; False always decodes from the first frame on.
        scanned: `scanned` of another reader of the same file, so that it is not decoded for its index again.
    """

    def __init__(self, metadata: VideoMetadata, *, seek: bool = True, scanned: ScannedIndex | None = None) -> None:
        self._metadata = metadata
        self._scan = scanned
        self._decoder: Decoder | None = None
        self._position = 0
        """The frame that the decoder presents next."""
        self._proven = True
        """The decoder ran from the start, so what it presents needs no proof."""
        self._exact = seek
        """Seeking is allowed, and has not missed yet."""
        color, depth = metadata.color, metadata.bit_depth
        self._to_rgb = ToRgb(color, metadata.coded_height, depth, metadata.has_alpha)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the index stays."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    @property
    def metadata(self) -> VideoMetadata:
        return self._metadata

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the file: frames lost to damage, timestamps that had to be replaced."""
        return self.scanned().warnings

    def index(self) -> FrameIndex:
        """The times of all frames; the first call decodes the whole file. Raises MediaError where nothing decodes."""
        return self.scanned().frames

    def read(self, frames: FrameRange) -> Clip:
        """The frames of `frames`, (T, 3 or 4, H, W): uint8, or uint16 with `bit_depth` bits used.

        Raises:
            InputError: the range is empty or goes past the end.
            MediaError: the file changed or its frames change size.
        """
        scanned = self.scanned()
        count = len(scanned.frames)
        if not frames or frames.stop > count:
            raise InputError(
                f"frames {frames.start}..{frames.stop} are not in the clip", remedy=f"it has frames 0..{count}"
            )
        meta = self._metadata
        shape = (len(frames), 4 if meta.has_alpha else 3, meta.height, meta.width)
        out: IntFrames = np.empty(shape, dtype=np.uint8) if meta.bit_depth == 8 else np.empty(shape, dtype=np.uint16)
        for number, frame in self._decoded(frames, scanned):
            out[number - frames.start] = self._picture(frame, number)
        return Clip(
            frames=out,
            bit_depth=meta.bit_depth,
            pts=scanned.frames.pts[frames.start : frames.stop],
            time_base=scanned.frames.time_base,
            start=frames.start,
            color=meta.color,
        )

    def chunks(self, frames: FrameRange, size: int) -> Iterator[Clip]:
        """`frames` in clips of at most `size`, in order. Raises ValueError where `size` is below 1."""
        if size < 1:
            raise ValueError(f"a chunk holds at least 1 frame, got {size}")
        for start in range(frames.start, frames.stop, size):
            yield self.read(FrameRange(start=start, stop=min(start + size, frames.stop)))

    def scanned(self) -> ScannedIndex:
        """The index with what reading by number needs beside it; found once."""
        if self._scan is None:
            self._scan = scan(self._metadata.path, self._metadata)
        return self._scan

    def _picture(self, frame: VideoFrame, number: int) -> IntFrames:
        meta = self._metadata
        if (frame.width, frame.height) != (meta.coded_width, meta.coded_height):
            raise MediaError(
                f"{meta.path.name}: frame {number} is {frame.width}x{frame.height}, the clip is "
                f"{meta.coded_width}x{meta.coded_height}",
                remedy="split the clip where its size changes",
            )
        picture = np.rot90(self._to_rgb(frame), k=-(meta.rotation // 90))
        if meta.mirrored:
            picture = picture[:, ::-1]
        return picture.transpose(2, 0, 1)

    def _decoded(self, frames: FrameRange, scanned: ScannedIndex) -> Iterator[tuple[int, VideoFrame]]:
        """Each frame of the range with its number; starts over from the first frame where a seek proves inexact."""
        wanted = frames.start
        while wanted < frames.stop:
            decoder = self._go_to(wanted, scanned)
            missed = False
            while self._position < frames.stop:
                frame = next(decoder, None)
                if frame is None:
                    missed = True
                    break
                number = self._position
                if not self._proven and fingerprint(frame) != scanned.fingerprints[number]:
                    missed = True
                    break
                self._position += 1
                if number >= wanted:
                    yield number, frame
                    wanted = number + 1
            if missed:
                if self._proven:
                    raise MediaError(
                        f"{self._metadata.path.name}: frame {wanted} could not be decoded again",
                        remedy="the file changed while it was read; start over",
                    )
                self._exact = False
                self._restart(scanned)

    def _go_to(self, target: int, scanned: ScannedIndex) -> Decoder:
        """A decoder that presents `self._position` next, at or before `target`."""
        key = bisect_right(scanned.keys, target) - 1
        start = scanned.keys[key] if key >= 0 else 0
        if self._decoder is not None and start <= self._position <= target:
            return self._decoder
        if not (scanned.seekable and self._exact) or start == 0:
            return self._restart(scanned) if self._decoder is None or self._position > target else self._decoder
        decoder = self._decoder or self._restart(scanned)
        if self._land(decoder, start, scanned):
            return decoder
        return self._restart(scanned)

    def _land(self, decoder: Decoder, start: int, scanned: ScannedIndex) -> bool:
        """Seek to key frame `start` and decode up to it; False where the file does not arrive there."""
        self._proven = False
        if not decoder.seek(scanned.frames.pts[start]):
            return False
        numbers = {pts: number for number, pts in enumerate(scanned.frames.pts[: start + 1])}
        for frame in decoder:
            number = numbers.get(frame.pts) if frame.pts is not None else None
            if number == start:
                decoder.push_back(frame)
                self._position = start
                return True
            if number is None:
                # Beyond the key frame, or a frame the index does not know.
                return False
        return False

    def _restart(self, scanned: ScannedIndex) -> Decoder:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = Decoder(self._metadata.path, self._metadata.stream_index, threads=scanned.threads)
        self._position = 0
        self._proven = True
        return self._decoder
