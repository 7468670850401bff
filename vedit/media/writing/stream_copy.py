"""Streams that are copied from the source as they are: sound, subtitles, data, fonts; read a second time, lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition

from vedit.media.reading.source import open_input
from vedit.media.writing.languages import written_as
from vedit.media.writing.order import Order

if TYPE_CHECKING:
    from av.container.core import Chapter
    from av.container.input import InputContainer
    from av.container.output import OutputContainer
    from av.stream import Stream

    from vedit.media.writing.output_spec import OutputSpec
    from vedit.types import FrameIndex, FrameRange

COVER_FILES = {"mjpeg": ("jpg", "jpeg"), "png": ("png", "png"), "bmp": ("bmp", "bmp"), "webp": ("webp", "webp")}
"""Extension and MIME subtype of a cover picture, by its codec."""

# What a file says about its own making, not about the film.
STALE = frozenset(
    [
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "timecode",
        "duration",
        "bps",
        "number_of_frames",
        "number_of_bytes",
        "rotate",
        "vendor_id",
        "filename",
        "mimetype",
        "alpha_mode",
        "vedit",
    ]
)


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata without what described the source file itself (brands, encoder, statistics)."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in STALE and not key.startswith("_STATISTICS")
    }


def span(index: FrameIndex, part: FrameRange) -> tuple[Fraction, Fraction]:
    """When the frames of a part are shown, [begin, end) in seconds on the source's clock."""
    after = part.stop < len(index)
    end = index.pts[part.stop] if after else index.pts[part.stop - 1] + index.last_duration
    return index.pts[part.start] * index.time_base, end * index.time_base


def in_part(packet: Packet[Stream], begin: Fraction, end: Fraction) -> bool:
    """Whether a packet is heard or seen in [begin, end) seconds of the source, however briefly."""
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None:
        return False
    start = pts * packet.time_base
    return start < end and start + (packet.duration or 1) * packet.time_base > begin


def source_packets(
    container: InputContainer, streams: list[Stream], order: Callable[[Packet[Stream]], bool] | None = None
) -> Iterator[Packet[Stream]]:
    """All packets of the streams, in file order, without the empty ones that end a demux; stops at damage.

    Args:
        container: at its beginning.
        streams: to read.
        order: which packets are taken, changed where they must be; None is a new `Order`, whose times increase.
    """
    if not streams:
        return
    in_order = order or Order()
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        if packet.size and (packet.pts is not None or packet.dts is not None) and in_order(packet):
            yield packet


class StreamCopy:
    """Copies the planned streams into an output, keeping pace with the picture so that little is held in memory."""

    def __init__(self, plan: OutputSpec, output: OutputContainer) -> None:
        self._plan = plan
        self._source = open_input(plan.source.path)
        self._output = output
        chosen = [stream for stream in self._source.streams if stream.index in plan.copied]
        self._targets: dict[int, Stream] = {}
        for stream in chosen:
            target = output.add_stream_from_template(stream)
            target.metadata.update(kept_tags(stream.metadata))
            if stream.language is not None:
                muxer = plan.container.stream_muxer
                target.metadata["language"] = written_as(muxer, stream.language) or "und"
            target.disposition = stream.disposition
            self._targets[stream.index] = target
        self._covers = [stream for stream in self._source.streams if stream.index in plan.covers]
        self._pictures = self._add_covers()
        timed = [stream for stream in chosen if stream.type != "attachment"]
        self._packets = source_packets(self._source, timed)
        self._held: Packet[Stream] | None = None
        self._begin, self._end = span(plan.index, plan.frames)

    def describe(self, target: Stream) -> None:
        """Give the new picture's track what the source says of its own: its language, name and role."""
        for stream in self._source.streams:
            if stream.index != self._plan.source.stream_index:
                continue
            target.metadata.update(kept_tags(stream.metadata))
            if stream.language is not None:
                muxer = self._plan.container.stream_muxer
                target.metadata["language"] = written_as(muxer, stream.language) or "und"
            target.disposition = stream.disposition & ~Disposition.attached_pic

    def _add_covers(self) -> list[tuple[Stream, Packet[Stream]]]:
        """Cover pictures: a track of one packet in MP4, an attachment in Matroska."""
        found: list[tuple[Stream, Packet[Stream]]] = []
        for number, stream in enumerate(self._covers):
            with open_input(self._plan.source.path) as source:
                same = next(other for other in source.streams if other.index == stream.index)
                packet = next((packet for packet in source.demux(same) if packet.size), None)  # it may have no time
                if packet is None:
                    continue
                if self._plan.container.stream_muxer == "matroska":
                    codec = stream.codec_context.codec.canonical_name
                    suffix, kind = COVER_FILES.get(codec, (codec, codec))
                    name = stream.metadata.get("filename") or f"cover{number or ''}.{suffix}"
                    self._output.add_attachment(name, f"image/{kind}", bytes(packet))
                    continue
                target = self._output.add_stream_from_template(stream)
                target.metadata.update(kept_tags(stream.metadata))
                target.disposition = Disposition.attached_pic
                copy = Packet(bytes(packet))
                copy.time_base, copy.pts, copy.dts, copy.is_keyframe = Fraction(1, 1000), 0, 0, True
                copy.stream = target
                found.append((target, copy))
        return found

    def chapters(self) -> list[Chapter]:
        """The source's chapters on the result's clock, cut to the part that is written."""
        found: list[Chapter] = []
        plan = self._plan
        for chapter in self._source.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            start, end = chapter["start"] * base, chapter["end"] * base
            if not plan.whole:
                start, end = max(start, self._begin), min(end, self._end)
                if start >= end:
                    continue
            moved = chapter.copy()
            moved["start"] = round((start - plan.start) / base)
            moved["end"] = round((end - plan.start) / base)
            moved["time_base"] = base
            found.append(moved)
        return found

    def copy_until(self, seconds: Fraction | None) -> None:
        """Mux every packet that starts before `seconds` of the source; None copies the rest."""
        while self._pictures:
            self._output.mux(self._pictures.pop()[1])
        while True:
            packet = self._held or next(self._packets, None)
            self._held = None
            if packet is None:
                return
            dts = packet.dts if packet.dts is not None else packet.pts
            if seconds is not None and dts is not None and dts * packet.time_base > seconds:
                self._held = packet
                return
            if self._plan.whole or in_part(packet, self._begin, self._end):
                self._mux(packet)

    def close(self) -> None:
        self._source.close()

    def _mux(self, packet: Packet[Stream]) -> None:
        # A constant whole number of ticks for the stream, so that no spacing changes.
        shift = round(self._plan.start / packet.time_base)
        target = self._targets[packet.stream.index]
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        if target.type == "subtitle" and not self._plan.whole and packet.pts is not None and packet.pts < 0:
            # Already on screen when the part begins: shown from its first frame, for what is left of it.
            packet.duration = max(1, (packet.duration or 0) + packet.pts)
            packet.pts = packet.dts = 0
        packet.stream = target
        self._output.mux(packet)
