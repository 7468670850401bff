"""The times of every frame that the decoder presents, found by one pass over the file."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from av.error import FFmpegError

from vedit.errors import MediaError
from vedit.media.color.convert import is_float
from vedit.media.color.planes import plane_of
from vedit.media.rates import exact_rate
from vedit.media.reading.decode import Decoder, fingerprint
from vedit.media.reading.limits import check_total
from vedit.media.reading.sequence import DEFAULT_RATE
from vedit.media.reading.source import open_input
from vedit.media.reading.times import NO_PTS, Times, mend, spelled
from vedit.types import FrameIndex, VideoMetadata

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@dataclass(frozen=True, kw_only=True)
class ScannedIndex:
    """A frame index with what reading by number needs beside it."""

    frames: FrameIndex
    keys: Sequence[int]
    """Frames from which decoding can begin."""
    fingerprints: Sequence[int]
    """Of each frame, to prove that a frame reached by seeking is the one that was asked for."""
    seekable: bool
    """The timestamps are the file's own and name each frame once."""
    threads: bool
    """Whether the decoder ran with frame threads; a damaged file is decoded without."""
    interlaced: int
    """Frames that say of themselves that they are made of two fields."""
    warnings: tuple[str, ...]
    predicted: bool = False
    """Told by the packets, and true only if a decode from the first frame to the last presents what they say."""


class Mispredicted(MediaError):  # noqa: N818 - it is not a fault of the file
    """The stream is not as its packets told; a decode finds its index."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name}: its packets do not tell its frames", remedy="scan the file")


class _Pass:
    """What one run over the file found; arrays, as a clip may have 100,000s of frames."""

    def __init__(self, end: int | None) -> None:
        self.pts = array("q")
        self.durations = array("q")
        self.keys = array("L")
        self.fingerprints = array("L")
        self.interlaced = 0
        self.errors = 0
        self.end = end
        self.brightest = 0.0
        """The largest sample of floating point material."""


def ignore_frames(count: int) -> None:
    """The caller that does not want to know."""


def ignore_picture(number: int, frame: VideoFrame) -> None:
    """The caller that does not want to see."""


def scan(
    path: Path,
    metadata: VideoMetadata,
    *,
    allow_huge: bool = False,
    on_frames: Callable[[int], None] = ignore_frames,
    on_picture: Callable[[int, VideoFrame], None] = ignore_picture,
) -> ScannedIndex:
    """Decode the whole stream once.

    Args:
        path: of the file.
        metadata: of the file.
        allow_huge: decode clips beyond the limits of `vedit.media.reading.limits`.
        on_frames: told how many frames are decoded, after each.
        on_picture: shown each frame with its number; from 0 again where the file is decoded again.

    Raises:
        MediaError: no frame can be decoded, the frames change size, or there are more than `vedit.media.reading.limits`
            lets through without `allow_huge`.

    Edit lists are applied by the demuxer and decoder (frames outside them are not presented). A file with damaged
    packets is scanned again without frame threads, which would lose good frames behind an error.
    """
    threads = True
    run = partial(_pass, path, metadata, allow_huge=allow_huge, on_frames=on_frames, on_picture=on_picture)
    found = run(threads=True)
    if found.errors:
        again = run(threads=False)
        if len(again.pts) >= len(found.pts):
            found, threads = again, False
    if not found.pts:
        raise MediaError(
            f"{path} holds no frame that can be decoded", remedy="check that it plays; copy or export it again"
        )
    warnings: list[str] = []
    declared = metadata.declared_frames
    if found.errors or (declared is not None and len(found.pts) < declared - _hidden(metadata)):
        told = f"the header says {declared} frames, " if declared else ""
        broken = f"; {found.errors} packets are damaged" if found.errors else ""
        warnings.append(f"{path.name}: {told}{len(found.pts)} could be decoded{broken}")
    times = _times(found, metadata)
    pts = times.pts
    if times.moved:
        warnings.append(f"{path.name}: {_told(times, found, metadata)}")
    if is_float(metadata.pixel_format):
        clipped = f"; its brightest sample, {found.brightest:.4g}, is clipped" if found.brightest > 1 else ""
        warnings.append(f"{path.name}: linear light is read as 16 bits on the sRGB curve, 0 to 1{clipped}")
    hints = (metadata.average_rate,)
    index = FrameIndex(
        pts=pts,
        time_base=metadata.time_base,
        last_duration=_last_duration(found, pts, metadata),
        rate=exact_rate(pts, metadata.time_base, hints),
        moved=times.moved,
    )
    return ScannedIndex(
        frames=index,
        keys=found.keys,
        fingerprints=found.fingerprints,
        seekable=not times.moved,
        threads=threads,
        interlaced=found.interlaced,
        warnings=tuple(warnings),
    )


def predict(path: Path, metadata: VideoMetadata, *, allow_huge: bool = False) -> ScannedIndex | None:
    """The index that the packets tell, without decoding; None where they cannot be trusted to.

    Whether it is true shows when the whole stream has been decoded in order: every frame must come with the time that
    is told, none interlaced, none damaged, and none more. `VideoReader` checks this and raises `Mispredicted`.

    Raises:
        MediaError: as `scan` where there are too many frames.
    """
    tracks = {"mov", "matroska"}
    if not tracks & set(metadata.container) or metadata.field_order not in ("progressive", "unknown"):
        return None
    if is_float(metadata.pixel_format):
        return None
    timed: list[tuple[int, int]] = []
    count = 0
    with open_input(path) as container:
        stream = next(stream for stream in container.streams.video if stream.index == metadata.stream_index)
        found = _Pass(_end(stream))
        try:
            for packet in container.demux(stream):
                if packet.pts is None and not packet.size:
                    continue  # the empty one that ends a demux
                if packet.pts is None or packet.is_corrupt:
                    return None
                count += 1
                if not packet.is_discard:
                    timed.append((packet.pts, packet.duration or 0))
                    check_total(len(timed), metadata.coded_width, metadata.coded_height, path, allow_huge=allow_huge)
        except FFmpegError:
            return None
    if not timed or metadata.declared_frames not in (None, count):
        return None
    timed.sort()
    found.pts = array("q", (pts for pts, _ in timed))
    found.durations = array("q", (duration for _, duration in timed))
    times = _times(found, metadata)
    if times.moved:
        return None
    pts = times.pts
    index = FrameIndex(
        pts=pts,
        time_base=metadata.time_base,
        last_duration=_last_duration(found, pts, metadata),
        rate=exact_rate(pts, metadata.time_base, (metadata.average_rate,)),
    )
    return ScannedIndex(
        frames=index,
        keys=(),
        fingerprints=(),
        seekable=False,
        threads=True,
        interlaced=0,
        warnings=(),
        predicted=True,
    )


def _pass(
    path: Path,
    metadata: VideoMetadata,
    *,
    threads: bool,
    allow_huge: bool,
    on_frames: Callable[[int], None],
    on_picture: Callable[[int, VideoFrame], None],
) -> _Pass:
    decoder = Decoder(path, metadata.stream_index, threads=threads, rate=metadata.average_rate)
    width, height = metadata.coded_width, metadata.coded_height
    linear = is_float(metadata.pixel_format)
    try:
        found = _Pass(_end(decoder.stream))
        for number, frame in enumerate(decoder):
            check_total(number + 1, width, height, path, allow_huge=allow_huge)
            check_same_size(frame, number, metadata)
            if frame.key_frame:
                found.keys.append(number)
            found.pts.append(NO_PTS if frame.pts is None else frame.pts)
            found.durations.append(frame.duration)
            found.fingerprints.append(fingerprint(frame))
            found.interlaced += frame.interlaced_frame
            on_picture(number, frame)
            on_frames(number + 1)
            if linear:
                found.brightest = max(found.brightest, _brightest(frame))
        found.errors = decoder.errors
        return found
    finally:
        decoder.close()


def _brightest(frame: VideoFrame) -> float:
    """The largest sample of a frame of floats, transparency aside; nan is none."""
    half = frame.format.name.endswith("f16le")
    planes = [
        plane_of(frame, index, np.float16) if half else plane_of(frame, index, np.float32)
        for index in range(min(3, len(frame.planes)))
    ]
    return max(float(np.fmax.reduce(plane, axis=None)) for plane in planes)


def check_same_size(frame: VideoFrame, number: int, metadata: VideoMetadata) -> None:
    """Raises MediaError where a frame has another size than the clip."""
    if (frame.width, frame.height) != (metadata.coded_width, metadata.coded_height):
        raise MediaError(
            f"{metadata.path.name}: frame {number} is {frame.width}x{frame.height}, the clip is "
            f"{metadata.coded_width}x{metadata.coded_height}",
            remedy="split the clip where its size changes",
        )


def _end(stream: VideoStream) -> int | None:
    if stream.duration is None or stream.start_time is None:
        return None
    return stream.start_time + stream.duration


def _hidden(metadata: VideoMetadata) -> int:
    """Frames that a header may count though an edit list hides them: not a sign of damage in the mov family."""
    if "mov" not in metadata.container or metadata.duration is None or not metadata.average_rate:
        return 0
    if metadata.declared_frames is None:
        return 0
    shown = metadata.duration * metadata.average_rate
    return max(0, metadata.declared_frames - int(shown))


def _times(found: _Pass, metadata: VideoMetadata) -> Times:
    rate = metadata.average_rate or DEFAULT_RATE
    end = found.end if not found.errors else None
    return mend(found.pts, rate=rate, time_base=metadata.time_base, end=end)


def _told(times: Times, found: _Pass, metadata: VideoMetadata) -> str:
    """What was done to the times, for the user."""
    rate = metadata.average_rate or DEFAULT_RATE
    if times.even:
        absent = all(value == NO_PTS for value in found.pts)
        told = "it carries no timestamps: an" if absent else "its timestamps are in no order; they are replaced by an"
        return f"{told} even rate of {rate} frames/s"
    one = len(times.moved) == 1
    what = "1 timestamp repeats, steps back or is" if one else f"{len(times.moved)} timestamps repeat, step back or are"
    where = "it was moved between its neighbours" if one else "they were moved between their neighbours"
    return f"{what} missing; {where} ({spelled(times.moved)}), every other frame stays at its time"


def _last_duration(found: _Pass, pts: tuple[int, ...], metadata: VideoMetadata) -> int:
    """Ticks that the last frame is shown: to the end of the track, else by its packet, else like the others."""
    steps = [b - a for a, b in pairwise(pts)]
    typical = round(statistics.median(steps)) if steps else 0
    remaining = found.end - pts[-1] if found.end is not None and not found.errors else 0
    # Some demuxers (FLV) give each packet a duration of one tick, which says nothing.
    told = found.durations[-1] if 2 * statistics.median(found.durations) >= typical else 0
    for candidate in (remaining, told, typical):
        if candidate > 0:
            return candidate
    rate = metadata.average_rate
    return max(1, round(1 / (rate * metadata.time_base))) if rate else 1
