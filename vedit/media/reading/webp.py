"""Animated WebP, which FFmpeg does not read: decoded by Pillow, and handed on as a film in memory, nothing lost.

Every picture becomes a PNG in a QuickTime film that counts milliseconds, as the file does, so that all that reads films
reads this one too.
"""

from __future__ import annotations

import io
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from vedit.errors import MediaError
from vedit.media.reading.limits import check_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from av.packet import Packet
    from av.video.stream import VideoStream

SUFFIX = ".webp"
MAX_HELD = 2**29
"""Pixels of all pictures, which are held in memory, packed: 2,000 of 512x512."""
UNTOLD = 100
"""Milliseconds for a picture that says none, as browsers show it."""

_ANIMATED = 0x02
"""The flag in a VP8X header: RFC 9649, section 2.7.1."""


def is_animated(path: Path) -> bool:
    """Whether a file is an animated WebP, by its header."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:21]) and bool(head[20] & _ANIMATED)


def as_film(path: Path) -> io.BytesIO:
    """The film of an animated WebP, to be opened as QuickTime. Raises MediaError where it cannot be read."""
    status = path.stat()
    return io.BytesIO(_film(path, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=2)
def _film(path: Path, _changed: int, _size: int) -> bytes:
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            width, height = image.size
            count = int(getattr(image, "n_frames", 1))
            check_size(width, height, path)
            if count * width * height > MAX_HELD:
                raise MediaError(
                    f"{path}: {count} pictures of {width}x{height} are more than {MAX_HELD} pixels, which is what is "
                    "read of an animated WebP",
                    remedy="convert it to a video first",
                )
            clear = image.mode == "RGBA" and any(picture[..., 3].min() < 255 for picture, _ in _pictures(image, "RGBA"))
            return _written(_pictures(image, "RGBA" if clear else "RGB"), (width, height), clear=clear)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise MediaError(
            f"{path} is not an animated WebP that can be read ({' '.join(str(error).split())})",
            remedy="check that it plays; copy or export it again",
        ) from error


def _pictures(image: Image.Image, mode: str) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    """Each picture, (H, W, 3 or 4), whole, and the milliseconds that it is shown."""
    for number in range(int(getattr(image, "n_frames", 1))):
        image.seek(number)
        picture = np.asarray(image.convert(mode))
        yield picture, int(image.info.get("duration", 0)) or UNTOLD


def _written(pictures: Iterator[tuple[npt.NDArray[np.uint8], int]], size: tuple[int, int], *, clear: bool) -> bytes:
    form = "rgba" if clear else "rgb24"
    file = io.BytesIO()
    options = {"video_track_timescale": "1000", "movie_timescale": "1000"}
    with av.open(file, "w", format="mov", container_options=options) as output:
        stream = output.add_stream("png", rate=Fraction(1000), options={"compression_level": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, form
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        times: list[tuple[int, int]] = []
        muxed = shown = 0

        def mux(packets: list[Packet[VideoStream]]) -> None:
            nonlocal muxed
            for packet in packets:  # one for each picture, in order
                packet.time_base = Fraction(1, 1000)
                packet.pts, packet.duration = times[muxed]
                packet.dts = packet.pts
                output.mux(packet)
                muxed += 1

        for picture, duration in pictures:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=form)
            frame.pts, frame.time_base = shown, Fraction(1, 1000)
            times.append((shown, duration))
            shown += duration
            mux(stream.encode(frame))
        mux(stream.encode(None))
    return file.getvalue()
