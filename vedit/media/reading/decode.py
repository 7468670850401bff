"""One run of the decoder over a stream: every frame it presents, in order, past packets that it cannot decode."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zlib import crc32

import numpy as np
from av.error import FFmpegError

from vedit.media.reading.source import decoder_of, open_input

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Decoder:
    """Frames of one video stream; the decoder is flushed at the end, so frames held for reordering are not lost.

    Args:
        path: a file that `probe` accepted.
        stream_index: the stream to decode.
        threads: decode with frame threads. A damaged file is decoded without, as threads lose frames behind an error.
        rate: frames per second of an image sequence.
    """

    def __init__(self, path: Path, stream_index: int, *, threads: bool = True, rate: Fraction | None = None) -> None:
        self.errors = 0
        """Packets that could not be read or decoded so far."""
        self._container = open_input(path, rate=rate)
        self.stream: VideoStream = self._container.streams.video[0]
        for stream in self._container.streams.video:
            if stream.index == stream_index:
                self.stream = stream
        self._context = decoder_of(self.stream, threads=threads)
        self._frames = self._run()
        self._held: VideoFrame | None = None

    def __iter__(self) -> Decoder:
        return self

    def __next__(self) -> VideoFrame:
        if self._held is not None:
            frame, self._held = self._held, None
            return frame
        return next(self._frames)

    def push_back(self, frame: VideoFrame) -> None:
        """Present `frame` again, next."""
        self._held = frame

    def seek(self, pts: int) -> bool:
        """Go to the key frame at or before `pts`; False where the file cannot seek."""
        try:
            self._container.seek(pts, stream=self.stream, backward=True)
        except (FFmpegError, OverflowError):
            return False
        self._context.flush_buffers()
        self._frames = self._run()
        self._held = None
        return True

    def close(self) -> None:
        self._frames.close()
        self._container.close()

    def _run(self) -> Generator[VideoFrame]:
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                # The container is cut or damaged from here on: what the decoder still holds is kept.
                self.errors += 1
                packet = None
            try:
                frames = self._context.decode(packet)
            except (FFmpegError, EOFError):
                self.errors += 1
                frames = []
            yield from frames
            if packet is None:
                return


def fingerprint(frame: VideoFrame) -> int:
    """A checksum over every 16th row of the first plane: cheap, and different for frames that differ visibly."""
    plane = frame.planes[0]
    data = np.frombuffer(cast("bytes", plane), dtype=np.uint8)  # a plane is a buffer, though it is not declared as one
    rows = data[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
    form = frame.format
    # Of packed formats a plane holds all channels, else one.
    bits = form.padded_bits_per_pixel if len(frame.planes) == 1 else max(part.bits for part in form.components)
    return crc32(rows[::16, : plane.width * ((bits + 7) // 8)].tobytes())
