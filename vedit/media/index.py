"""The times of every frame that the decoder presents, found by one pass over the file."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vedit.errors import MediaError
from vedit.media.decode import Decoder, fingerprint
from vedit.media.rates import exact_rate
from vedit.types import FrameIndex, VideoMetadata

if TYPE_CHECKING:
    from av.video.stream import VideoStream


@dataclass(frozen=True, kw_only=True)
class ScannedIndex:
    """A frame index with what reading by number needs beside it."""

    frames: FrameIndex
    keys: tuple[int, ...]
    """Frames from which decoding can begin."""
    fingerprints: tuple[int, ...]
    """Of each frame, to prove that a frame reached by seeking is the one that was asked for."""
    seekable: bool
    """The timestamps are the file's own and name each frame once."""
    threads: bool
    """Whether the decoder ran with frame threads; a damaged file is decoded without."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Pass:
    pts: list[int | None]
    durations: list[int]
    keys: list[int]
    fingerprints: list[int]
    errors: int
    end: int | None


def scan(path: Path, metadata: VideoMetadata) -> ScannedIndex:
    """Decode the whole stream once. Raises MediaError where no frame can be decoded.

    Edit lists are applied by the demuxer and decoder (frames outside them are not presented). A file with damaged
    packets is scanned again without frame threads, which would lose good frames behind an error.
    """
    threads = True
    found = _pass(path, metadata, threads=True)
    if found.errors:
        again = _pass(path, metadata, threads=False)
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
    pts, own = _strictly_increasing(found, metadata)
    if not own:
        warnings.append(f"{path.name}: its timestamps do not increase; they are replaced by an even rate")
    hints = (metadata.average_rate,)
    index = FrameIndex(
        pts=pts,
        time_base=metadata.time_base,
        last_duration=_last_duration(found, pts, metadata),
        rate=exact_rate(pts, metadata.time_base, hints),
    )
    return ScannedIndex(
        frames=index,
        keys=tuple(found.keys),
        fingerprints=tuple(found.fingerprints),
        seekable=own,
        threads=threads,
        warnings=tuple(warnings),
    )


def _pass(path: Path, metadata: VideoMetadata, *, threads: bool) -> _Pass:
    decoder = Decoder(path, metadata.stream_index, threads=threads)
    try:
        found = _Pass(pts=[], durations=[], keys=[], fingerprints=[], errors=0, end=_end(decoder.stream))
        for frame in decoder:
            if frame.key_frame:
                found.keys.append(len(found.pts))
            found.pts.append(frame.pts)
            found.durations.append(frame.duration)
            found.fingerprints.append(fingerprint(frame))
        return _Pass(
            pts=found.pts,
            durations=found.durations,
            keys=found.keys,
            fingerprints=found.fingerprints,
            errors=decoder.errors,
            end=found.end,
        )
    finally:
        decoder.close()


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


def _strictly_increasing(found: _Pass, metadata: VideoMetadata) -> tuple[tuple[int, ...], bool]:
    """The timestamps, and whether they are the file's own; else an even grid at the rate the container names."""
    pts = found.pts
    if all(value is not None for value in pts):
        own = cast("list[int]", pts)
        if all(a < b for a, b in pairwise(own)):
            return tuple(own), True
    rate = metadata.average_rate or Fraction(25)
    first = next((value for value in pts if value is not None), 0)
    step = 1 / (rate * metadata.time_base)
    return tuple(first + round(number * step) for number in range(len(pts))), False


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
