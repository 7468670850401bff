"""Opening a file for reading: regular files only, no network protocol, no playlist format, errors in one line."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from vedit.errors import MediaError
from vedit.media.reading.addresses import check_address
from vedit.media.reading.sequence import DEFAULT_RATE, SUFFIXES, find_pictures, find_sequence
from vedit.media.reading.webp import SUFFIX, as_film, is_animated

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Playlists (hls, dash, concat, imf) and devices are left out: they reach other files or the network.
FORMATS = (
    "3dostr,aac,ac3,aiff,apng,asf,av1,avi,dirac,dv,flac,flv,gif,gxf,h261,h263,h264,hevc,ivf,lxf,m4v,matroska,mjpeg,"
    "mov,mp3,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,rm,roq,swf,vc1,vivo,vvc,w64,wav,wtv,yuv4mpegpipe"
)

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these drop the transparency that WebM keeps beside the picture."""


STILLS = (*SUFFIXES, ".bmp", ".webp", ".tga", ".avif", ".heic")
"""How the names of pictures end, those of kinds that are not read among them."""


def side_data_of(frame: VideoFrame) -> tuple[SideData, ...] | None:
    """What comes with a frame beside its pixels; None where PyAV cannot tell.

    PyAV 18 knows no side data that is newer than itself (EXIF, of TIFF and JPEG), and then gives none at all.
    """
    try:
        return tuple(cast("Iterable[SideData]", frame.side_data))  # declared as a mapping, iterates over its values
    except ValueError:
        return None


def checked_path(path: Path | str) -> Path:
    """`path` as an absolute path of a regular file that is not empty, or of an image sequence; raises MediaError."""
    check_address(str(path))
    file = Path(path).absolute()
    try:
        sequence = find_sequence(file)
        if sequence is not None:
            return sequence.path
        status = file.stat()
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file", remedy="check the path") from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path}: {told}", remedy="check the path and its permissions") from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{path} is not a regular file", remedy="copy it to a file first")
    if status.st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes)", remedy="copy or export it again")
    return file


def open_input(path: Path | str, *, rate: Fraction | None = None) -> InputContainer:
    """The demuxer of a file, opened with file access only. Raises MediaError.

    Args:
        path: of the file or image sequence.
        rate: frames per second of an image sequence; None is 25.
    """
    file = checked_path(path)
    sequence = find_pictures(file)
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    name = f"file:{file}"
    if sequence is not None:
        told = rate or DEFAULT_RATE
        name = sequence.url
        options = {
            "protocol_whitelist": "file",
            "format_whitelist": "image2",
            "framerate": f"{told.numerator}/{told.denominator}",
        }
        if sequence.still:
            options |= {"pattern_type": "none"}
        else:
            options |= {
                "pattern_type": "sequence",
                "start_number": str(sequence.first),
                "start_number_range": "1",
            }
    elif is_animated(file) and file.suffix.lower() == SUFFIX:
        return av.open(as_film(file), "r", format="mov", metadata_errors="replace")
    elif file.suffix.lower() in STILLS:
        raise MediaError(
            f"{path} is a still image of a kind that is not read", remedy="convert it to .png, .tif or .jpg first"
        )
    try:
        return av.open(
            name,
            "r",
            format="image2" if sequence is not None else None,
            container_options=options,
            metadata_errors="replace",
        )
    except PermissionError as error:
        raise MediaError(f"{path} cannot be read: permission denied", remedy="check its permissions") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path} is not a video that can be read ({_reason(error)})",
            remedy="check that it plays; if a copy or recording was cut short, its index may be missing",
        ) from error


def decoder_of(stream: VideoStream, *, threads: bool = True) -> VideoCodecContext:
    """A decoder for a stream; `threads` = False decodes frame by frame, so that an error loses no good frame."""
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    if name and stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1":
        context = cast("VideoCodecContext", CodecContext.create(name, "r"))
        context.extradata = stream.codec_context.extradata
    else:
        context = stream.codec_context
    context.thread_type = "AUTO" if threads else "SLICE"
    if not threads:
        context.thread_count = 1
    return context


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).split(":")[0].strip().lower() or type(error).__name__
