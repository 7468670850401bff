"""What a file says about itself, from its headers and the first frame."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType

from vedit.checks.arguments import checked
from vedit.checks.rationals import frame_rate
from vedit.errors import MediaError, SettingError
from vedit.media.color.convert import has_alpha, tags_of, working_depth
from vedit.media.color.planes import plane_of
from vedit.media.rates import snap
from vedit.media.reading.limits import check_declared, check_size
from vedit.media.reading.picture_data import check_picture, picture_data
from vedit.media.reading.sequence import DEFAULT_RATE, find_pictures
from vedit.media.reading.source import checked_path, decoder_of, open_input, side_data_of
from vedit.media.reading.tracks import is_picture, main_video
from vedit.media.reading.webp import SUFFIX
from vedit.types import FieldOrder, Rotation, StreamInfo, VideoMetadata

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vedit.media.reading.sequence import ImageSequence

STILL = "still picture"
"""What stands for the container of one."""

DRAWN = ("gif", "apng")
"""Formats, by FFmpeg's names, in which a frame of any size takes a few bytes."""

BARE = ("h264", "hevc", "vvc", "m4v", "mpegvideo", "h261", "h263", "obu")
"""Streams without a container, by FFmpeg's names of their formats."""

GIF_PIXELS = 2**30
"""How far into a GIF transparency is looked for: 500 frames of 1920x1080."""

FIELD_ORDERS: dict[int, FieldOrder] = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}


@checked
def probe(
    path: Path | str, *, rate: Fraction | int | None = None, track: int | None = None, allow_huge: bool = False
) -> VideoMetadata:
    """The metadata of a video file or image sequence, opened here; `vedit.media.reading.read.probe` is for callers.

    The first frame is decoded, because orientation, pixel format and colour are only certain there; no other, except
    of a GIF, which is decoded to see whether it shows anything through. Arguments are as there.

    Raises:
        SettingError: a rate or a number of a track that cannot be.
        MediaError: the file is absent, empty, not a video, has sound only, no such track, frames that are too large, or
            no frame that can be decoded.
    """
    rate = None if rate is None else _frame_rate(rate)
    file = checked_path(path)
    sequence = find_pictures(file)
    still = sequence is not None and sequence.still
    if rate is not None and (sequence is None or still):
        what = "is a still picture" if still else "has its own frame times"
        raise MediaError(f"{path} {what}", remedy="leave --rate out: it is for image sequences")
    if sequence is not None:
        check_picture(sequence.files[0])
    with open_input(file, rate=rate) as container:
        stream = main_video(container, path, track=track, allow_huge=allow_huge)
        if sequence is not None or container.format.name in DRAWN:
            size = sum(picture.stat().st_size for picture in (sequence.files if sequence is not None else (file,)))
            count = sequence.count if sequence is not None else _packets(file)
            shape = stream.codec_context.width, stream.codec_context.height
            check_declared(count, *shape, size, path, allow_huge=allow_huge)
        frame = _first_frame(container, stream)
        if frame is None:
            what, sign = ("picture", "opens") if still else ("frame", "plays")
            raise MediaError(
                f"{path} holds no {what} that can be decoded", remedy=f"check that it {sign}; copy or export it again"
            )
        check_size(frame.width, frame.height, path, allow_huge=allow_huge)
        # PyAV says nothing of a picture that is mirrored.
        rotation, mirrored = orientation(frame) if sequence is None else picture_data(sequence.files[0]).turns
        animation = file.suffix.lower() == SUFFIX and sequence is None
        turned = rotation in (90, 270)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return VideoMetadata(
            path=file,
            container=("webp",) if animation else (STILL,) if still else tuple(container.format.name.split(",")),
            codec="webp" if animation else stream.codec_context.codec.canonical_name,
            stream_index=stream.index,
            coded_width=frame.width,
            coded_height=frame.height,
            width=frame.height if turned else frame.width,
            height=frame.width if turned else frame.height,
            sample_aspect_ratio=1 / aspect if turned else aspect,
            rotation=rotation,
            mirrored=mirrored,
            time_base=cast("Fraction", stream.time_base),
            average_rate=_declared_rate(stream, bare=container.format.name in BARE)
            if sequence is None
            else rate or DEFAULT_RATE,
            start_pts=stream.start_time,
            declared_frames=sequence.count if sequence is not None else stream.frames or None,
            duration=_duration(container, stream),
            pixel_format=frame.format.name,
            bit_depth=working_depth(frame.format.name),
            has_alpha=_has_alpha(stream, frame, file, sequence),
            color=tags_of(frame),
            field_order=_field_order(stream, frame),
            timecode=_timecode(container, stream),
            streams=tuple(_stream_info(other) for other in container.streams if other.index != stream.index),
            chapters=len(container.chapters()),
            metadata=dict(container.metadata),
        )


def _frame_rate(rate: Fraction | int) -> Fraction:
    try:
        return frame_rate(rate)
    except ValueError as error:
        raise SettingError(f"the rate {error}", remedy="give 25, or Fraction(24000, 1001)") from None


def orientation(frame: VideoFrame) -> tuple[Rotation, bool]:
    """The quarter turns clockwise, then the left-right flip, that the display matrix asks for.

    A matrix that turns by another angle is taken to the nearest quarter: nothing else is kept without resampling.
    """
    side_data = side_data_of(frame)
    if side_data is None:
        return cast("Rotation", round(-frame.rotation / 90) % 4 * 90), False
    matrix = next((data for data in side_data if data.type == SideDataType.DISPLAYMATRIX), None)
    if matrix is None:
        return 0, False
    # Rows of (a b u; c d v; x y w): a point (x, y), y down, goes to (a x + c y, b x + d y).
    a, b, _, c, d = struct.unpack("<5i", bytes(matrix)[:20])
    mirrored = a * d - b * c < 0
    if mirrored:
        a = -a
    quarters = round(math.degrees(math.atan2(b, a)) / 90) % 4
    return cast("Rotation", quarters * 90), mirrored


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    decoder = decoder_of(stream, threads=False)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            packet = None
        with suppress(FFmpegError, EOFError):  # a damaged packet; a later one may still hold a picture
            for frame in decoder.decode(packet):
                return frame
        if packet is None:
            return None


def _has_alpha(stream: VideoStream, frame: VideoFrame, file: Path, pictures: ImageSequence | None) -> bool:
    """Whether there is transparency; a palette can always hold it, and the file says whether it does."""
    if stream.codec_context.name == "gif":
        return _shows_through(file)
    if frame.format.name == "pal8" and pictures is not None:
        return any(picture_data(picture).transparent for picture in pictures.files)
    return has_alpha(frame.format.name)


def _packets(file: Path) -> int:
    """How many frames a file declares, without decoding one."""
    count = 0
    with open_input(file) as container, suppress(FFmpegError):
        for packet in container.demux(video=0):
            count += bool(packet.size)
    return count


def _shows_through(file: Path) -> bool:
    """Whether a GIF has a transparent pixel: its decoder always gives an alpha channel, which is seldom used."""
    left = GIF_PIXELS
    with open_input(file) as container, suppress(FFmpegError, EOFError):
        for frame in container.decode(video=0):
            if frame.format.name != "bgra":
                return has_alpha(frame.format.name)
            if plane_of(frame, 0, np.uint8, samples=4)[:, 3::4].min() < 255:
                return True
            left -= frame.width * frame.height
            if left < 0:
                return True  # nothing is known of the rest
    return False


def _declared_rate(stream: VideoStream, *, bare: bool) -> Fraction | None:
    rates = (stream.average_rate, stream.guessed_rate)
    if bare:
        # FFmpeg calls any bare stream 25 frames/s; the guess is what the stream's own headers say.
        rates = rates[::-1]
    # Some containers (FLV) only give their clock, 1000; no camera has that.
    return next((snap(rate) for rate in rates if rate is not None and 0 < rate <= 480), None)


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(container.duration, 1_000_000) if container.duration is not None else None


def _field_order(stream: VideoStream, frame: VideoFrame) -> FieldOrder:
    order = FIELD_ORDERS.get(int(stream.codec_context.field_order), "unknown")
    if frame.interlaced_frame and order in ("progressive", "unknown"):
        return "tt"  # interlaced, and nothing says which field is first: the top one is in all but DV and NTSC SD
    return order


def _timecode(container: InputContainer, stream: VideoStream) -> str | None:
    sources = [stream.metadata, container.metadata, *(other.metadata for other in container.streams.data)]
    for metadata in sources:
        for key, value in metadata.items():
            if key.lower() == "timecode" and value:
                return value
    return None


def _layout(sound: AudioCodecContext) -> str | None:
    """FFmpeg's name of the channels; None where the file says their number alone."""
    name = sound.layout.name
    return None if not sound.channels or name.endswith(" channels") else name


def _stream_info(stream: Stream) -> StreamInfo:
    kind = "data" if stream.type == "unknown" else stream.type
    context = cast("object | None", stream.codec_context)
    codec = stream.codec_context.codec.canonical_name if context is not None else None
    film = cast("VideoStream", stream) if stream.type == "video" and context is not None else None
    sound = cast("AudioStream", stream).codec_context if stream.type == "audio" and context is not None else None
    return StreamInfo(
        index=stream.index,
        kind=kind,
        codec=codec or getattr(stream, "name", None) or "unknown",
        time_base=stream.time_base or Fraction(1, 1000),
        language=stream.language,
        start_pts=stream.start_time,
        size=(film.codec_context.width, film.codec_context.height) if film is not None else None,
        frames=stream.frames or None,
        picture=is_picture(stream),
        channels=(sound.channels or None) if sound is not None else None,
        layout=_layout(sound) if sound is not None else None,
        sample_rate=(sound.sample_rate or None) if sound is not None else None,
    )
