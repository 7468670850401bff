"""The containers that are written: which extension means which, what each can hold, how it keeps time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.error import FFmpegError

from vedit.errors import MediaError
from vedit.media.output import CodecName
from vedit.media.reading.admitted import admit
from vedit.media.reading.source import open_input
from vedit.media.reading.tracks import main_video

if TYPE_CHECKING:
    from av.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container format, or a way to write pictures as files."""

    suffix: str
    muxer: str
    """FFmpeg's name."""
    codec: CodecName
    """What opaque video is written as where nothing is chosen."""
    alpha_codec: CodecName | None
    """The same for video with transparency; None where it cannot be kept."""
    tick: Fraction | None
    """Its fixed time base; None where the track chooses."""
    sequence: bool = False
    """One file per picture."""
    only: CodecName | None = None
    """The one codec that an image file of this extension is."""

    @property
    def beside(self) -> bool:
        """Whether it holds pictures only: the sound goes into a Matroska file beside it.

        MXF holds sound, but FFmpeg's muxer cuts it to whole frames of the picture and drops what is longer.
        """
        return self.sequence or self.muxer in ("gif", "mxf")

    @property
    def clock(self) -> bool:
        """Whether it says when its pictures are shown."""
        return not self.sequence and self.muxer != "gif"

    @property
    def stream_muxer(self) -> str:
        """The muxer of the sound and subtitles."""
        return "matroska" if self.beside else self.muxer

    @property
    def mov(self) -> bool:
        """MP4 or QuickTime: tracks with a timescale, edit lists, boxes."""
        return self.muxer in ("mp4", "mov")


_MILLISECOND = Fraction(1, 1000)
_HUNDREDTH = Fraction(1, 100)

CONTAINERS: dict[str, Container] = {
    container.suffix: container
    for container in (
        Container(suffix=".mp4", muxer="mp4", codec="h264", alpha_codec=None, tick=None),
        Container(suffix=".m4v", muxer="mp4", codec="h264", alpha_codec=None, tick=None),
        Container(suffix=".mov", muxer="mov", codec="h264", alpha_codec="prores", tick=None),
        Container(suffix=".mkv", muxer="matroska", codec="h264", alpha_codec="vp9", tick=_MILLISECOND),
        Container(suffix=".webm", muxer="webm", codec="vp9", alpha_codec="vp9", tick=_MILLISECOND),
        Container(suffix=".mxf", muxer="mxf", codec="dnxhr", alpha_codec=None, tick=None),
        Container(suffix=".gif", muxer="gif", codec="gif", alpha_codec=None, tick=_HUNDREDTH, only="gif"),
        Container(suffix=".png", muxer="image2", codec="png", alpha_codec="png", tick=None, sequence=True, only="png"),
        *(
            Container(
                suffix=suffix, muxer="image2", codec="jpeg", alpha_codec=None, tick=None, sequence=True, only="jpeg"
            )
            for suffix in (".jpg", ".jpeg")
        ),
        *(
            Container(
                suffix=suffix, muxer="image2", codec="tiff", alpha_codec="tiff", tick=None, sequence=True, only="tiff"
            )
            for suffix in (".tif", ".tiff")
        ),
        Container(suffix=".exr", muxer="image2", codec="exr", alpha_codec="exr", tick=None, sequence=True, only="exr"),
    )
}

PREFERRED = (".mp4", ".mov", ".mkv")
MAX_TIMESCALE = 2**31 - 1


def container_for(path: Path) -> Container:
    """The container that a path's extension asks for. Raises MediaError where it is not one that is written."""
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        given = f"{path.suffix!r} is not a container" if path.suffix else "the output has no extension"
        raise MediaError(f"{path.name}: {given} that can be written", remedy=f"use one of {', '.join(CONTAINERS)}")
    return container


def holds(container: Container, stream: Stream) -> bool:
    """Whether a stream can be copied into a container, found by writing a header with it to memory."""
    if stream.type == "data" and cast("str | None", getattr(stream, "name", None)) is None:
        return False  # the muxer takes unknown data without a word and writes a track that nothing reads
    if stream.type == "attachment":
        return container.muxer == "matroska"
    scratch = av.open(io.BytesIO(), "w", format=container.stream_muxer)
    try:
        scratch.add_stream_from_template(stream)
        scratch.start_encoding()
    except (ValueError, FFmpegError):
        return False
    finally:
        scratch.close()
    return True


def holder(streams: list[Stream]) -> Container | None:
    """The first preferred container that can hold all of the streams, or None."""
    for container in (CONTAINERS[suffix] for suffix in PREFERRED):
        if all(holds(container, stream) for stream in streams):
            return container
    return None


def default_output(source: Path | str, track: int | None = None) -> Path:
    """NAME.vedit.EXT beside the source: its own container where that is written, else mp4, else what holds its sound.

    Raises MediaError as `probe` does.
    """
    path = Path(source)
    own = CONTAINERS.get(path.suffix.lower())
    if own is None:
        admit(path, track=track, allow_huge=True)
        with open_input(path) as container:
            edited = main_video(container, path, track=track, allow_huge=True).index
            kept = [s for s in container.streams if s.type in ("audio", "subtitle") and s.index != edited]
            own = holder(kept) or CONTAINERS[".mkv"]
    return path.with_name(f"{path.stem}.vedit{own.suffix}")


def track_time_base(container: Container, source: Fraction) -> Fraction:
    """The time base of the written video track: the source's where the container lets the track choose."""
    if container.tick is not None:
        return container.tick
    if not container.mov:
        return source
    # A mov track counts whole ticks of 1/timescale; a base like 1001/30000 is held by its denominator.
    return Fraction(1, min(source.denominator, MAX_TIMESCALE))


def timescale_options(container: Container, video: Fraction, audio_rates: Sequence[int]) -> dict[str, str]:
    """Muxer options that keep track times, edit lists and start offsets exact in the mov family."""
    if not container.mov:
        return {}
    movie = lcm(video.denominator, *audio_rates)
    return {
        "video_track_timescale": str(video.denominator),
        # Edit lists count in the movie's ticks: a multiple of every track's timescale rounds none of them.
        "movie_timescale": str(movie if movie <= MAX_TIMESCALE else video.denominator),
    }
