"""Where encoded pictures go: a track of a container, an animated GIF, or one file each."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.filter import Graph
from PIL import Image

from vedit.media.color.planes import plane_of
from vedit.media.reading.picture_data import PictureData, picture_data
from vedit.media.reading.sequence import DEFAULT_RATE, find_pictures
from vedit.media.writing.codecs import PILLOW_JPEG
from vedit.media.writing.containers import timescale_options
from vedit.media.writing.label import own_tags
from vedit.media.writing.picture_parts import encode_jpeg, parts_of, with_parts
from vedit.media.writing.stream_copy import span

if TYPE_CHECKING:
    from av.container.output import OutputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vedit.media.writing.output_spec import OutputSpec

# SVT-AV1 prints its settings on stderr unless its own variable says errors only.
os.environ.setdefault("SVT_LOG", "1")


class TrackSink:
    """A video track of a container that the copied streams share."""

    def __init__(self, plan: OutputSpec) -> None:
        self._plan = plan
        # MXF counts frames from 0; where the others begin is the plan's.
        zero = plan.pts[0] if plan.container.muxer == "mxf" else 0
        self._pts = tuple(pts - zero for pts in plan.pts)
        self._end = round((span(plan.index, plan.frames)[1] - plan.start) / plan.index.time_base) - zero
        self._muxed = 0
        options = timescale_options(plan.container, plan.time_base, plan.audio_rates)
        if plan.container.mov and plan.options.preset == "web":
            options["movflags"] = "faststart"
        self.output: OutputContainer = av.open(
            f"file:{plan.temporary}", "w", format=plan.container.muxer, container_options=options
        )
        encoding = plan.encoding
        # At a constant rate the encoder counts frames, which puts the exact rate in the stream itself.
        rate = plan.index.rate or plan.source.average_rate or DEFAULT_RATE
        self._base = 1 / plan.index.rate if plan.index.rate is not None else plan.index.time_base
        self.stream = cast("VideoStream", self.output.add_stream(encoding.codec, rate=rate, options=encoding.options))
        self.stream.time_base = plan.time_base if plan.container.muxer != "mxf" else self._base
        configure(self.stream.codec_context, plan)
        self.stream.codec_context.time_base = self._base
        if encoding.tag is not None:
            self.stream.codec_context.codec_tag = encoding.tag

    def write(self, frame: VideoFrame, number: int) -> None:
        # ProRes writes the tags of the frame, not the encoder's.
        tags = self._plan.encoding.tags
        frame.color_primaries, frame.color_trc, frame.colorspace = tags.primaries, tags.transfer, tags.matrix
        frame.time_base = self._base
        frame.pts = number if self._plan.index.rate is not None else self._pts[number]
        frame.pict_type = 0
        self._mux(self.stream.encode(frame))

    def flush(self) -> None:
        self._mux(self.stream.encode(None))

    def close(self) -> None:
        self.output.close()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # One packet is one frame, in order: its time is the source's, not what came through the encoder's clock.
            number = self._muxed
            after = self._pts[number + 1] if number + 1 < len(self._pts) else self._end
            packet.time_base = self._plan.index.time_base
            packet.pts = packet.dts = self._pts[number]
            packet.duration = after - self._pts[number]
            self.output.mux(packet)
            self._muxed += 1


class GifSink:
    """An animated GIF: every frame has a palette of its own, of the 256 colours that stand for it best."""

    def __init__(self, plan: OutputSpec) -> None:
        self._plan = plan
        index, part = plan.index, plan.frames
        begin, end = span(index, part)
        # Each time is rounded on its own, so that rounding never adds up.
        self._ticks = [round((index.pts[n] * index.time_base - begin) * 100) for n in range(part.start, part.stop)]
        last = max(1, round((end - begin) * 100) - self._ticks[-1])
        options = {"loop": "0", "final_delay": str(min(last, 65535))}
        self.output: OutputContainer = av.open(f"file:{plan.temporary}", "w", format="gif", container_options=options)
        self._rate = plan.index.rate or plan.source.average_rate or DEFAULT_RATE
        self.stream = self.output.add_stream("gif", rate=self._rate)
        self.stream.width, self.stream.height = plan.encoding.width, plan.encoding.height
        self.stream.pix_fmt = "pal8"
        self._graph: Graph | None = None
        self._muxed = 0

    def write(self, frame: VideoFrame, number: int) -> None:
        if self._graph is None:
            self._graph = _palette_graph(frame)
        frame.pts, frame.time_base = number, 1 / self._rate
        self._graph.vpush(frame)
        self._pull()

    def flush(self) -> None:
        if self._graph is not None:
            self._graph.vpush(None)
            self._pull()
        self._mux(self.stream.encode(None))

    def close(self) -> None:
        self.output.close()

    def _pull(self) -> None:
        assert self._graph is not None
        with contextlib.suppress(BlockingIOError, EOFError):
            while True:
                picture = self._graph.vpull()
                picture.pict_type = 0
                self._mux(self.stream.encode(picture))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.time_base = Fraction(1, 100)
            packet.pts = packet.dts = self._ticks[self._muxed]
            packet.duration = 0
            self.output.mux(packet)
            self._muxed += 1


class FilesSink:
    """One image file per frame, in a folder that the writer moves in place."""

    def __init__(self, plan: OutputSpec) -> None:
        assert plan.pictures is not None
        self._plan = plan
        self._names = plan.pictures.names
        self._tags = {**plan.tags, **own_tags(plan.recipe, label=plan.options.label)}
        sources = None if plan.data else find_pictures(plan.source.path)
        self._sources = sources.files[plan.frames.start : plan.frames.stop] if sources is not None else ()
        self._written = 0
        self._base = 1 / DEFAULT_RATE  # files have no time
        self._context: VideoCodecContext | None = None
        if plan.encoding.codec != PILLOW_JPEG:
            self._context = cast("VideoCodecContext", CodecContext.create(plan.encoding.codec, "w"))
            configure(self._context, plan)
            self._context.time_base = self._base
            self._context.options = dict(plan.encoding.options)

    def write(self, frame: VideoFrame, number: int) -> None:
        if self._context is None:
            rgb = plane_of(frame, 0, np.uint8, samples=3).reshape(frame.height, frame.width, 3)
            self._save(encode_jpeg(Image.fromarray(rgb), self._plan.encoding.options))
            return
        frame.pts, frame.time_base = number, self._base
        self._save_all(self._context.encode(frame))

    def flush(self) -> None:
        if self._context is not None:
            self._save_all(self._context.encode(None))

    def close(self) -> None:
        """Nothing stays open between pictures."""

    def _save_all(self, packets: list[Packet]) -> None:
        for packet in packets:
            self._save(bytes(packet))

    def _save(self, picture: bytes) -> None:
        plan, codec = self._plan, self._plan.encoding.name
        source = picture_data(self._sources[self._written]) if self._sources else PictureData()
        parts = parts_of(
            source,
            codec,
            size=(plan.encoding.width, plan.encoding.height),
            aspect=plan.source.sample_aspect_ratio,
            label=plan.options.label,
            tags=self._tags,
        )
        with (plan.temporary / self._names[self._written]).open("xb") as file:
            file.write(with_parts(picture, codec, parts))
        self._written += 1


def open_sink(plan: OutputSpec) -> TrackSink | GifSink | FilesSink:
    """The sink of a plan. Raises FFmpegError, OSError or ValueError where the encoder or the disk refuses."""
    if plan.pictures is not None:
        return FilesSink(plan)
    return GifSink(plan) if plan.container.muxer == "gif" else TrackSink(plan)


def configure(context: VideoCodecContext, plan: OutputSpec) -> None:
    """Size, format, colour and shape of pixels, as planned."""
    encoding = plan.encoding
    context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pixel_format
    context.sample_aspect_ratio = plan.source.sample_aspect_ratio
    context.color_primaries = encoding.tags.primaries
    context.color_trc = encoding.tags.transfer
    context.colorspace = encoding.tags.matrix
    context.color_range = {None: 0, False: 1, True: 2}[encoding.tags.full_range]
    context.thread_type = "AUTO"


def discard(sink: TrackSink | GifSink | FilesSink) -> None:
    """Close a sink whose file is thrown away."""
    with contextlib.suppress(FFmpegError, OSError, ValueError):
        sink.close()


def _palette_graph(frame: VideoFrame) -> Graph:
    """split -> palettegen -> paletteuse, one palette per frame, so that memory does not grow with the clip."""
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 100))
    split = graph.add("split")
    generate = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    use = graph.add("paletteuse", "new=1:dither=sierra2_4a")
    end = graph.add("buffersink")
    source.link_to(split)
    split.link_to(generate, 0, 0)
    split.link_to(use, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(end)
    graph.configure()
    return graph
