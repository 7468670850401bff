"""What of a source is carried over beside its pictures: streams, the clock they share, and the start timecode."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from vedit.errors import InputError, MediaError
from vedit.media.output import OutputOptions
from vedit.media.reading.tracks import is_picture
from vedit.media.timecode import add_frames, nominal_rate
from vedit.media.writing.containers import Container, holder, holds
from vedit.media.writing.languages import canonical, written_as
from vedit.media.writing.order import Order, order_notes
from vedit.media.writing.roles import lost_roles
from vedit.media.writing.stream_copy import in_part, source_packets, span
from vedit.types import FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer
    from av.stream import Stream

COUNTED = (24, 25, 30, 48, 50, 60, 100, 120)
"""Rates for which the muxers write a timecode track."""

MXF_RATES = tuple(Fraction(n) for n in (24, 25, 30, 48, 50, 60)) + tuple(
    Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)
)
"""Edit rates of SMPTE ST 377-1 that the muxer takes."""


@dataclass(frozen=True, kw_only=True)
class CopiedStreams:
    """Numbers of the source's streams, by what becomes of them."""

    copied: list[int] = field(default_factory=list[int])
    covers: list[int] = field(default_factory=list[int])
    dropped: list[int] = field(default_factory=list[int])
    rates: list[int] = field(default_factory=list[int])


def streams_to_copy(
    source: InputContainer,
    metadata: VideoMetadata,
    container: Container,
    options: OutputOptions,
    *,
    whole: bool,
    lost: list[str],
) -> CopiedStreams:
    """Which streams are copied and which are not; sound and subtitles must be, unless `drop_unsupported`."""
    found = CopiedStreams()
    refused: list[Stream] = []
    wanted = [stream for stream in source.streams if stream.index != metadata.stream_index]
    for stream in wanted:
        if stream.type in ("audio", "subtitle"):
            if not holds(container, stream):
                refused.append(stream)
                continue
            found.copied.append(stream.index)
            if stream.type == "audio":
                found.rates.append(cast("AudioStream", stream).codec_context.sample_rate)
            language = stream.language or "und"
            if canonical(language) != "none" and written_as(container.stream_muxer, language) is None:
                lost.append(f"the language tag of {_describe(stream)} ({container.suffix} does not know it)")
            roles = lost_roles(container.stream_muxer, stream.type, stream.disposition)
            if roles:
                flags = f"the flag{'s' if len(roles) > 1 else ''} {' and '.join(roles)}"
                lost.append(f"{flags} of {_describe(stream)} ({container.suffix} has no place for it)")
        elif _timecode_track(stream):
            continue  # written anew, from the start timecode
        elif stream.type == "video" and is_picture(stream):
            # QuickTime has no place for a cover that FFmpeg writes; MP4 and Matroska have.
            where = found.covers if container.muxer in ("mp4", "matroska") else found.dropped
            where.append(stream.index)
        elif stream.type == "video":
            # A part would begin between two key frames of this track, and could not be decoded.
            kept = whole and container.muxer in ("mp4", "mov", "matroska") and holds(container, stream)
            (found.copied if kept else found.dropped).append(stream.index)
        elif stream.type in ("data", "attachment") and not container.beside and holds(container, stream):
            found.copied.append(stream.index)
        else:
            found.dropped.append(stream.index)
        if stream.index in found.dropped:
            lost.append(_describe(stream))
    if refused and not options.drop_unsupported:
        kept = [stream for stream in wanted if stream.type in ("audio", "subtitle")]
        better = holder(kept)
        other = f"write a {better.suffix} file, or " if better else ""
        raise MediaError(
            f"{container.suffix} cannot hold {', '.join(_describe(stream) for stream in refused)}",
            remedy=f"{other}use --drop-unsupported to leave it out",
        )
    for stream in refused:
        found.dropped.append(stream.index)
        lost.append(f"{_describe(stream)} (left out: {container.suffix} cannot hold it)")
    if container.beside and metadata.chapters:
        lost.append("chapters")
    return found


def check_order(
    source: InputContainer, container: Container, copied: list[int], notes: list[str], lost: list[str]
) -> None:
    """Read all packets that will be copied, and tell of those whose times step back.

    Args:
        source: read from its beginning to its end.
        container: to write.
        copied: numbers of the streams.
        notes: is told of what is left out that nobody hears.
        lost: is told of times that are not kept as they are.

    Raises:
        MediaError: the container cannot say when the sound is heard.
    """
    order = Order()
    streams = [stream for stream in source.streams if stream.index in copied and stream.type != "attachment"]
    for _ in source_packets(source, streams, order):
        pass
    names = {stream.index: _describe(stream) for stream in streams}
    told, changed = order_notes(order.steps, names)
    notes += told
    lost += changed
    # There a sample lies behind the one before, whatever its packet says.
    for number, second in order.pauses.items() if container.stream_muxer in ("mp4", "mov") else ():
        raise MediaError(
            f"{names[number]} has a pause or an overlap at {float(second):.3f} s, which {container.suffix} cannot hold",
            remedy="write a .mkv file",
        )


def _describe(stream: Stream) -> str:
    context = cast("object | None", stream.codec_context)
    codec = stream.codec_context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    if stream.type == "video":
        kind = "the cover picture" if is_picture(stream) else "another video"
    else:
        kind = {"subtitle": "the subtitles", "audio": "the sound"}.get(stream.type, f"the {stream.type} track")
    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    return f"{kind} (stream {stream.index}, {codec or 'unknown format'}{language})"


def _timecode_track(stream: Stream) -> bool:
    return stream.type == "data" and any(key.lower() == "timecode" for key in stream.metadata)


def start_of(
    source: InputContainer,
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    container: Container,
    copied: list[int],
    *,
    whole: bool,
) -> Fraction:
    """The second of the source that becomes 0.

    A part begins with its first frame. A whole clip keeps its times as they are where the container means them (mov,
    Matroska); a broadcast stream, whose clock starts anywhere, begins at its own start. A frame is never put before 0,
    where mov would hide it. Where pictures have no clock (MXF, GIF, files) the first frame is 0; the sound beside
    them may then begin before it, and is shifted by as much as it does.
    """
    first = index.pts[part.start] * index.time_base
    if container.beside:
        begin, end = span(index, part)
        sounds = [stream for stream in source.streams.audio if stream.index in copied]
        starts: dict[int, Fraction] = {}
        for packet in source_packets(source, list(sounds)):
            if not whole and not in_part(packet, begin, end):
                continue
            # Not the stream's own start, which leaves out the priming packets of AAC.
            starts.setdefault(
                packet.stream.index, (packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base
            )
            if len(starts) == len(sounds):
                break
        return min([first, *starts.values()])
    if not whole:
        return first
    kept = any(name in metadata.container for name in ("mov", "matroska"))
    clock = cast("int | None", source.start_time)
    start = Fraction(0) if kept or clock is None else Fraction(clock, 1_000_000)
    # On the video's grid, so that no frame's time is rounded.
    on_grid = round(start / index.time_base) * index.time_base
    return min(on_grid, first)


def check_timing(container: Container, index: FrameIndex) -> None:
    """Raises MediaError where a container cannot say when the frames are shown."""
    if container.muxer == "mxf" and index.rate not in MXF_RATES:
        raise MediaError(
            f".mxf holds {', '.join(map(str, MXF_RATES))} frames/s, the source has {index.rate or 'a variable rate'}",
            remedy="write a .mov or .mkv file",
        )
    if container.tick is not None:
        steps = [(b - a) * index.time_base for a, b in pairwise(index.pts)]
        if steps and min(steps) < container.tick:
            number = steps.index(min(steps))
            raise MediaError(
                f"{container.suffix} shows a picture for at least {container.tick} s, the source's frame {number} is "
                f"shown for {float(steps[number]):.6f} s",
                remedy="write a .mp4 or .mov file",
            )


def first_timecode(metadata: VideoMetadata, index: FrameIndex, part: FrameRange) -> str | None:
    if metadata.timecode is None:
        return None
    if index.rate is None:
        return metadata.timecode if part.start == 0 else None
    try:
        return add_frames(metadata.timecode, part.start, index.rate)
    except InputError:
        return None


def written_timecode(
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    container: Container,
    first: str | None,
    options: OutputOptions,
    lost: list[str],
    notes: list[str],
) -> str | None:
    """The timecode to write in the file."""
    if metadata.timecode is None:
        # Every MXF has a timecode track; the muxer's starts at 0.
        return "00:00:00:00" if container.muxer == "mxf" else None
    why = None
    if first is None:
        why = "it cannot be counted on to this part"
    elif not container.clock:
        why = f"{container.suffix} has none"
    elif index.rate is None and container.tick is None:
        why = "the clip has a variable frame rate"
    elif container.tick is None and index.rate is not None and nominal_rate(index.rate) not in COUNTED:
        why = f"{container.suffix} has none at {index.rate} frames/s"
    if why is None:
        return first
    if first is not None and options.sidecar:
        notes.append(f"the timecode {first} is in the sidecar only: {why}")
    else:
        lost.append(f"the timecode {metadata.timecode} ({why})")
    return None
