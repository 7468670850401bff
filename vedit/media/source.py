"""Opening a file for reading: regular files only, no network protocol, no playlist format, errors in one line."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext

from vedit.errors import MediaError

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

MAX_SIDE = 16384
MAX_PIXELS = 2**28

# Playlists (hls, dash, concat, imf) and devices are left out: they reach other files or the network.
FORMATS = (
    "3dostr,aac,ac3,aiff,apng,asf,av1,avi,dirac,dv,flac,flv,gif,gxf,h261,h263,h264,hevc,ivf,lxf,m4v,matroska,mjpeg,"
    "mov,mp3,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,rm,roq,swf,vc1,vivo,vvc,w64,wav,wtv,yuv4mpegpipe"
)

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these drop the transparency that WebM keeps beside the picture."""


def checked_path(path: Path | str) -> Path:
    """`path` as an absolute path of a regular file that is not empty; raises MediaError."""
    file = Path(path).absolute()
    try:
        status = file.stat()
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file", remedy="check the path") from None
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}", remedy="check the path and its permissions") from error
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(f"{path} is a folder", remedy="name a video file")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{path} is not a regular file", remedy="copy it to a file first")
    if status.st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes)", remedy="copy or export it again")
    return file


def open_input(path: Path | str) -> InputContainer:
    """The demuxer of a file, opened with file access only. Raises MediaError."""
    file = checked_path(path)
    try:
        return av.open(
            f"file:{file}",
            "r",
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            metadata_errors="replace",
        )
    except PermissionError as error:
        raise MediaError(f"{path} cannot be read: permission denied", remedy="check its permissions") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path} is not a video that can be read ({_reason(error)})",
            remedy="check that it plays; if a copy or recording was cut short, its index may be missing",
        ) from error


def main_video(container: InputContainer, path: Path | str) -> VideoStream:
    """The video stream that is edited: the default one, else the first, never a cover picture. Raises MediaError."""
    videos = [stream for stream in container.streams.video if not is_picture(stream)]
    if not videos:
        if container.streams.video:
            raise MediaError(f"{path} has a cover picture but no video", remedy="name a video file")
        if container.streams.audio:
            raise MediaError(f"{path} has sound but no video", remedy="name a video file")
        raise MediaError(f"{path} has no video stream", remedy="name a video file")
    known = [stream for stream in videos if cast("object", stream.codec_context) is not None]
    if not known:
        raise MediaError(f"{path}: its video codec is not known", remedy="convert it to H.264, ProRes or VP9 first")
    chosen = next((stream for stream in known if stream.disposition & Disposition.default), known[0])
    check_size(chosen.codec_context.width, chosen.codec_context.height, path)
    return chosen


def is_picture(stream: Stream) -> bool:
    """Whether a video stream is a still beside the film: cover art or thumbnails."""
    stills = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & stills)


def check_size(width: int, height: int, path: Path | str) -> None:
    """Raises MediaError where a frame is larger than is decoded."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise MediaError(
            f"{path}: {width}x{height} is larger than {MAX_SIDE} on a side or {MAX_PIXELS} pixels",
            remedy="scale it down first",
        )


def decoder_of(stream: VideoStream, *, threads: bool = True) -> VideoCodecContext:
    """A decoder for a stream; `threads` = False decodes frame by frame, so that an error loses no good frame."""
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    if name and stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1":
        context = cast("VideoCodecContext", CodecContext.create(name, "r"))
        context.extradata = stream.codec_context.extradata
    else:
        context = stream.codec_context
    context.thread_type = "AUTO" if threads else "SLICE"
    return context


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).split(":")[0].strip().lower() or type(error).__name__
