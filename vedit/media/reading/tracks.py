"""Which of a file's video streams is the film: not a cover, not a still before it, not a strip of thumbnails."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from av.error import FFmpegError
from av.stream import Disposition

from vedit.errors import MediaError
from vedit.media.reading.limits import check_size, check_total
from vedit.media.reading.source import open_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container.input import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

    from vedit.types import StreamInfo, VideoMetadata

PICTURE_CODECS = frozenset(["mjpeg", "mjpegb", "png", "apng", "bmp", "tiff", "webp", "gif", "jpeg2000", "ljpeg"])
FEW = 10
"""A stream of single pictures with a tenth of the film's frames, or less, is its thumbnails."""
LOOKED_AT = 4000
"""Packets of a file that are read where its headers do not tell how many pictures a stream holds."""


def main_video(
    container: InputContainer, path: Path | str, *, track: int | None = None, allow_huge: bool = False
) -> VideoStream:
    """The video stream to edit: the one asked for, else the film.

    Of several it is the default one, else the one with most frames, else the first; never a cover picture, nor one that
    holds a single picture or thumbnails where another holds more. Raises MediaError where there is none, no such track,
    or it is larger than is decoded.
    """
    chosen = _film(container, path, track)
    width, height = chosen.codec_context.width, chosen.codec_context.height
    check_size(width, height, path, allow_huge=allow_huge)
    check_total(chosen.frames, width, height, path, allow_huge=allow_huge)
    return chosen


def _film(container: InputContainer, path: Path | str, track: int | None) -> VideoStream:
    videos = container.streams.video
    if track is not None:
        return _asked_for(videos, path, track)
    films = [stream for stream in videos if not is_picture(stream)]
    if not films:
        if videos:
            raise MediaError(f"{path} has a cover picture but no video", remedy="name a video file")
        if container.streams.audio:
            raise MediaError(f"{path} has sound but no video", remedy="name a video file")
        raise MediaError(f"{path} has no video stream", remedy="name a video file")
    known = [stream for stream in films if is_known(stream)]
    if not known:
        raise MediaError(f"{path}: its video codec is not known", remedy="convert it to H.264, ProRes or VP9 first")
    if len(known) == 1:
        return known[0]
    counts = _counts(path, known)
    most = max(counts.values())

    def rank(stream: VideoStream) -> tuple[bool, bool, int]:
        frames = counts[stream.index]
        return _aside(stream, frames, most), not stream.disposition & Disposition.default, -frames

    return min(known, key=rank)  # of equals, the first


def first_video(path: Path) -> int | None:
    """The first video stream of a file that is no cover: where new pictures are written. Raises MediaError."""
    with open_input(path) as container:
        return next((stream.index for stream in container.streams.video if not is_picture(stream)), None)


def is_picture(stream: Stream) -> bool:
    """Whether a video stream is a still beside the film: cover art or thumbnails."""
    stills = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & stills)


def is_known(stream: Stream) -> bool:
    """Whether there is a decoder for a stream."""
    return cast("object | None", stream.codec_context) is not None


def choice_note(metadata: VideoMetadata) -> str | None:
    """Which track was taken, where there was a choice; None where there was none."""
    others = [stream for stream in metadata.streams if stream.kind == "video" and not stream.picture]
    if not others:
        return None
    size = (metadata.coded_width, metadata.coded_height)
    taken = _told(metadata.stream_index, metadata.codec, size, metadata.declared_frames)
    rest = ", ".join(described(stream) for stream in others)
    return f"{metadata.path.name}: {taken} is the film; it also holds {rest} (--track takes another)"


def described(stream: StreamInfo) -> str:
    """Track 0 (mjpeg, 320x180, 1 frame)."""
    return _told(stream.index, stream.codec, stream.size, stream.frames)


def _asked_for(videos: Sequence[VideoStream], path: Path | str, track: int) -> VideoStream:
    found = next((stream for stream in videos if stream.index == track), None)
    if found is not None and is_known(found):
        return found
    listed = [_told(stream.index, _codec(stream), _size(stream), stream.frames) for stream in videos]
    wrong = f"{path}: track {track} is {'of a codec that is not known' if found is not None else 'no video track'}"
    raise MediaError(wrong, remedy=f"it has {', '.join(listed)}" if listed else "it has no video track")


def _aside(stream: VideoStream, frames: int, most: int) -> bool:
    """Whether a stream is a still or a strip of thumbnails beside the film."""
    return frames <= 1 < most or (_codec(stream) in PICTURE_CODECS and frames * FEW <= most)


def _counts(path: Path | str, streams: Sequence[VideoStream]) -> dict[int, int]:
    """Frames of each stream by the header; where one is silent, packets at the beginning of the file are counted."""
    told = {stream.index: stream.frames for stream in streams}
    if all(told.values()):
        return told
    seen = dict.fromkeys(told, 0)
    with open_input(path) as container, suppress(FFmpegError):  # what comes before damage counts
        wanted = [stream for stream in container.streams.video if stream.index in told]
        for packet in islice(container.demux(wanted), LOOKED_AT):
            seen[packet.stream.index] += bool(packet.size)
    return {index: frames or seen[index] for index, frames in told.items()}


def _codec(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name if is_known(stream) else "unknown format"


def _size(stream: VideoStream) -> tuple[int, int] | None:
    return (stream.codec_context.width, stream.codec_context.height) if is_known(stream) else None


def _told(index: int, codec: str, size: tuple[int, int] | None, frames: int | None) -> str:
    facts = [codec]
    if size is not None:
        facts.append(f"{size[0]}x{size[1]}")
    if frames:
        facts.append(f"{frames} frame{'' if frames == 1 else 's'}")
    return f"track {index} ({', '.join(facts)})"
