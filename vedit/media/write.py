"""Frames to a file: encoded with the source's times and colour, its other streams copied, checked, then renamed."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import av
import numpy as np
from av.error import FFmpegError

from vedit.errors import ContractError, MediaError, VeditError
from vedit.media.color import FromRgb
from vedit.media.containers import timescale_options
from vedit.media.passthrough import Passthrough, kept_tags, span
from vedit.media.plan import OutputPlan
from vedit.media.verify import ContractReport, verify

if TYPE_CHECKING:
    import numpy.typing as npt
    from av.container.output import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from vedit.types import IntFrames


class VideoWriter:
    """Writes one planned file; use it as a context manager.

    Frames are appended in order with `write`; `finish` closes the file, checks it against the source and gives it its
    name. Leaving the block without `finish`, or by an error, removes the temporary file.

    Raises:
        MediaError: the encoder or the disk refuses.
        ContractError: the written file breaks the timing or sound contract.
    """

    def __init__(self, plan: OutputPlan) -> None:
        self._plan = plan
        self._pts = plan.pts
        self._end = round((span(plan.index, plan.frames)[1] - plan.start) / plan.index.time_base)
        self._sent = 0
        self._muxed = 0
        self._output: OutputContainer | None = None
        encoding = plan.encoding
        self._convert = FromRgb(
            encoding.pixel_format,
            matrix=encoding.matrix,
            full_range=encoding.full_range,
            bit_depth=plan.source.bit_depth,
        )
        # At a constant rate the encoder counts frames, which puts the exact rate in the stream itself.
        rate = plan.index.rate
        self._encoder_base = 1 / rate if rate is not None else plan.index.time_base
        self._passthrough: Passthrough | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except (FFmpegError, OSError, ValueError) as error:
            self._abandon()
            raise MediaError(f"{self._plan.path.name} cannot be written: {error}", remedy="try .mkv") from error
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    @property
    def written(self) -> int:
        """Frames appended so far."""
        return self._sent

    def write(self, frames: npt.NDArray[np.unsignedinteger]) -> None:
        """Append frames (T, 3 or 4, H, W) at the source's bit depth, in display orientation.

        Raises:
            ValueError: the shape or type is not that of the source, or more frames come than were planned.
            MediaError: the encoder or the disk refuses.
        """
        plan = self._plan
        size = (plan.source.height, plan.source.width)
        expected = np.uint8 if plan.source.bit_depth == 8 else np.uint16
        if frames.ndim != 4 or frames.shape[1] not in (3, 4) or frames.shape[2:] != size or frames.dtype != expected:
            raise ValueError(
                f"expected (T, 3 or 4, {size[0]}, {size[1]}) {expected.__name__}, got {frames.shape} {frames.dtype}"
            )
        if self._sent + len(frames) > len(plan.frames):
            raise ValueError(f"{len(plan.frames)} frames were planned, {self._sent + len(frames)} came")
        try:
            for picture in frames:
                self._write_one(picture)
        except (FFmpegError, OSError) as error:
            raise _refused(plan, error) from error

    def finish(self) -> ContractReport:
        """Close, check and rename the file. Raises ContractError, and keeps nothing, where a check fails."""
        plan = self._plan
        if self._sent != len(plan.frames):
            raise ContractError(
                f"{self._sent} of {len(plan.frames)} frames were written", remedy="render the clip again"
            )
        output, passthrough = self._output, self._passthrough
        assert output is not None and passthrough is not None
        try:
            self._mux(cast("list[Packet[VideoStream]]", self._stream.encode(None)))
            passthrough.copy_until(None)
            output.close()
            self._output = None
            _sync(plan.temporary)
        except (FFmpegError, OSError) as error:
            raise _refused(plan, error) from error
        report = verify(plan.source, plan.temporary, frames=plan.frames, source_index=plan.index, plan=plan)
        if not report.ok:
            breaches = "; ".join(
                f"{check.name}: expected {check.expected}, found {check.found}"
                for check in report.checks
                if not check.ok
            )
            raise ContractError(f"{plan.path.name} breaks the contract ({breaches})", remedy="please report this file")
        if plan.path.is_symlink() or (plan.path.exists() and not plan.overwrite):
            raise MediaError(f"{plan.path} appeared meanwhile", remedy="use --overwrite, or name another output")
        plan.temporary.replace(plan.path)
        _sync(plan.path.parent)
        return report

    def _open(self) -> None:
        plan, encoding = self._plan, self._plan.encoding
        # The name is reserved before the muxer opens it, so that nothing that is not ours is written over.
        os.close(os.open(plan.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        options = timescale_options(plan.container, plan.time_base, plan.audio_rates)
        output = av.open(f"file:{plan.temporary}", "w", format=plan.container.muxer, container_options=options)
        self._output = output
        rate = plan.index.rate or plan.source.average_rate or Fraction(25)
        stream = cast("VideoStream", output.add_stream(encoding.codec, rate=rate, options=encoding.options))
        self._stream = stream
        stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, encoding.pixel_format
        stream.time_base = plan.time_base
        context = stream.codec_context
        context.time_base = self._encoder_base
        context.sample_aspect_ratio = plan.source.sample_aspect_ratio
        context.color_primaries = encoding.tags.primaries
        context.color_trc = encoding.tags.transfer
        context.colorspace = encoding.tags.matrix
        context.color_range = {None: 0, False: 1, True: 2}[encoding.tags.full_range]
        context.thread_type = "AUTO"
        output.metadata.update(kept_tags(plan.source.metadata))
        self._passthrough = Passthrough(plan, output)
        if plan.timecode is not None:
            stream.metadata["timecode"] = plan.timecode
        chapters = self._passthrough.chapters()
        if chapters:
            output.set_chapters(chapters)

    def _write_one(self, picture: npt.NDArray[np.unsignedinteger]) -> None:
        plan, encoding = self._plan, self._plan.encoding
        if picture.shape[0] == 4 and not encoding.alpha:
            picture = picture[:3]
        image = cast("IntFrames", np.ascontiguousarray(picture.transpose(1, 2, 0)))
        right, bottom = encoding.width - image.shape[1], encoding.height - image.shape[0]
        if right or bottom:
            image = cast("IntFrames", np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="edge"))
        frame = self._convert(image)
        number = self._sent
        frame.time_base = self._encoder_base
        frame.pts = number if plan.index.rate is not None else self._pts[number]
        frame.pict_type = 0
        assert self._passthrough is not None
        self._passthrough.copy_until(plan.index.pts[plan.frames.start + number] * plan.index.time_base)
        self._mux(cast("list[Packet[VideoStream]]", self._stream.encode(frame)))
        self._sent += 1

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        assert self._output is not None
        for packet in packets:
            # One packet is one frame, in order: its time is the source's, not what came through the encoder's clock.
            number = self._muxed
            after = self._pts[number + 1] if number + 1 < len(self._pts) else self._end
            packet.time_base = self._plan.index.time_base
            packet.pts = packet.dts = self._pts[number]
            packet.duration = after - self._pts[number]
            self._output.mux(packet)
            self._muxed += 1

    def _abandon(self) -> None:
        """Close what is open and remove the temporary file, if it is still there."""
        if self._passthrough is not None:
            self._passthrough.close()
        if self._output is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                self._output.close()  # the file is being thrown away
            self._output = None
        self._plan.temporary.unlink(missing_ok=True)


def _refused(plan: OutputPlan, error: Exception) -> VeditError:
    reason = getattr(error, "strerror", None) or str(error)
    return MediaError(
        f"{plan.path.name} could not be written: {reason}", remedy="check the free space, or write to another folder"
    )


def _sync(path: Path) -> None:
    """Force a file or folder to the disk; a system that cannot sync folders is left alone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(handle)
