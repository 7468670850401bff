"""What will be written, decided and checked before anything is rendered."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vedit.errors import InputError, MediaError
from vedit.media.containers import Container, container_for, holder, holds, track_time_base
from vedit.media.encode import Encoding, choose_encoding
from vedit.media.languages import written_as
from vedit.media.source import is_picture, open_input
from vedit.media.timecode import add_frames, nominal_rate
from vedit.types import FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.stream import Stream

COUNTED = (24, 25, 30, 48, 50, 60, 100, 120)
"""Rates for which the muxers write a timecode track."""

HDR_TRANSFERS = (16, 18)
"""PQ and HLG, by their H.273 code points."""


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """One file to write. `notes` are what the user should be told, one line each."""

    path: Path
    temporary: Path
    """In the same folder, so that it can be renamed into place."""
    source: VideoMetadata
    index: FrameIndex
    frames: FrameRange
    """Of the source; the file holds these."""
    container: Container
    encoding: Encoding
    time_base: Fraction
    """Of the video track."""
    start: Fraction
    """Seconds of the source that become second 0 of the result."""
    copied: tuple[int, ...]
    """Streams of the source that are copied."""
    dropped: tuple[int, ...]
    audio_rates: tuple[int, ...]
    """Samples per second of the copied sound tracks."""
    timecode: str | None
    overwrite: bool
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """The result holds the whole source."""
        return len(self.frames) == len(self.index)

    @property
    def pts(self) -> tuple[int, ...]:
        """Presentation times of the frames to write, in ticks of the source's time base."""
        shift = self.start / self.index.time_base
        return tuple(round(pts - shift) for pts in self.index.pts[self.frames.start : self.frames.stop])


def plan_output(
    path: Path | str,
    metadata: VideoMetadata,
    index: FrameIndex,
    *,
    frames: FrameRange | None = None,
    overwrite: bool = False,
    drop_unsupported: bool = False,
    even: bool = False,
) -> OutputPlan:
    """Check an output and decide all about it.

    Args:
        path: of the file to write; its extension names the container.
        metadata: of the source.
        index: of the source.
        frames: the part to write; None is the whole clip.
        overwrite: replace a file that exists.
        drop_unsupported: leave out streams that the container cannot hold, with a note, rather than refuse.
        even: pad an odd side by one pixel where 4:2:0 needs an even one.

    Raises:
        MediaError: the output is the source, a link, a folder, exists, or lies where nothing can be written; its
            extension is not a container that is written; or the container cannot hold a stream that must be copied.
    """
    target = _checked_target(Path(path), metadata.path, overwrite=overwrite)
    container = container_for(target)
    part = frames if frames is not None else FrameRange(start=0, stop=len(index))
    if not part or part.stop > len(index):
        raise MediaError(f"frames {part.start}..{part.stop} are not in the clip", remedy=f"it has 0..{len(index)}")
    encoding = choose_encoding(metadata, container, even=even)
    notes = list(encoding.notes)
    whole = len(part) == len(index)
    with open_input(metadata.path) as source:
        copied, dropped = _streams(source, metadata, container, drop_unsupported, notes)
        rates = tuple(s.codec_context.sample_rate for s in source.streams.audio if s.index in copied)
        start = _start(source, metadata, index, part, whole=whole)
    timecode = _timecode(metadata, index, part, container, notes)
    if metadata.color.transfer in HDR_TRANSFERS:
        notes.append("HDR: the colour tags are kept, mastering display and light level data are not")
    if metadata.field_order not in ("progressive", "unknown"):
        notes.append("the source is interlaced: its fields are kept woven and the result is marked progressive")
    return OutputPlan(
        path=target,
        temporary=target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}"),
        source=metadata,
        index=index,
        frames=part,
        container=container,
        encoding=encoding,
        time_base=track_time_base(container, index.time_base),
        start=start,
        copied=tuple(copied),
        dropped=tuple(dropped),
        audio_rates=rates,
        timecode=timecode,
        overwrite=overwrite,
        notes=tuple(notes),
    )


def _checked_target(path: Path, source: Path, *, overwrite: bool) -> Path:
    target = path.absolute()
    if target.is_symlink():
        raise MediaError(f"{path} is a symbolic link", remedy="name the file itself; links are not written through")
    if target.is_dir():
        raise MediaError(f"{path} is a folder", remedy="name a file in it")
    if target.exists() and target.samefile(source):
        raise MediaError(f"{path} is the source", remedy="name another output; the source is never written")
    container_for(target)
    if target.exists() and not overwrite:
        raise MediaError(f"{path} exists", remedy="use --overwrite, or name another output")
    folder = target.parent
    if not folder.is_dir():
        raise MediaError(f"the folder {folder} does not exist", remedy="make it first")
    trial = folder / f".{secrets.token_hex(8)}.part"
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise MediaError(
            f"{folder} cannot be written to: {error.strerror}", remedy="name an output elsewhere"
        ) from error
    trial.unlink()
    return target


def _streams(
    source: InputContainer, metadata: VideoMetadata, container: Container, drop: bool, notes: list[str]
) -> tuple[list[int], list[int]]:
    """Which streams are copied and which are not; sound and subtitles must be, unless `drop`."""
    copied: list[int] = []
    refused: list[Stream] = []
    dropped: list[int] = []
    wanted = [stream for stream in source.streams if stream.index != metadata.stream_index]
    for stream in wanted:
        if stream.type in ("audio", "subtitle"):
            if not holds(container, stream):
                refused.append(stream)
                continue
            copied.append(stream.index)
            if stream.language is not None and written_as(container.muxer, stream.language) is None:
                notes.append(f"{_describe(stream)} loses its language tag: {container.suffix} does not know it")
        elif _timecode_track(stream):
            continue  # written anew, from the start timecode
        elif stream.type in ("data", "attachment") and holds(container, stream):
            copied.append(stream.index)
        else:
            dropped.append(stream.index)
            notes.append(f"{_describe(stream)} is not kept: it cannot be copied to {container.suffix}")
    if refused and not drop:
        kept = [stream for stream in wanted if stream.type in ("audio", "subtitle")]
        better = holder(kept)
        other = f"write a {better.suffix} file, or " if better else ""
        raise MediaError(
            f"{container.suffix} cannot hold {', '.join(_describe(stream) for stream in refused)}",
            remedy=f"{other}use --drop-unsupported to leave it out",
        )
    for stream in refused:
        dropped.append(stream.index)
        notes.append(f"{_describe(stream)} is left out: {container.suffix} cannot hold it")
    return copied, dropped


def _describe(stream: Stream) -> str:
    context = cast("object | None", stream.codec_context)
    codec = stream.codec_context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    if stream.type == "video":
        kind = "the cover picture" if is_picture(stream) else "the second video"
    else:
        kind = {"subtitle": "the subtitles", "audio": "the sound"}.get(stream.type, f"the {stream.type} track")
    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    return f"{kind} (stream {stream.index}, {codec or 'unknown format'}{language})"


def _timecode_track(stream: Stream) -> bool:
    return stream.type == "data" and any(key.lower() == "timecode" for key in stream.metadata)


def _start(
    source: InputContainer, metadata: VideoMetadata, index: FrameIndex, part: FrameRange, *, whole: bool
) -> Fraction:
    """The second of the source that becomes 0.

    A part begins with its first frame. A whole clip keeps its times as they are where the container means them (mov,
    Matroska); a broadcast stream, whose clock starts anywhere, begins at its own start. A frame is never put before 0,
    where mov would hide it.
    """
    first = index.pts[part.start] * index.time_base
    if not whole:
        return first
    kept = any(name in metadata.container for name in ("mov", "matroska"))
    clock = cast("int | None", source.start_time)
    start = Fraction(0) if kept or clock is None else Fraction(clock, 1_000_000)
    # On the video's grid, so that no frame's time is rounded.
    on_grid = round(start / index.time_base) * index.time_base
    return min(on_grid, first)


def _timecode(
    metadata: VideoMetadata, index: FrameIndex, part: FrameRange, container: Container, notes: list[str]
) -> str | None:
    if metadata.timecode is None:
        return None
    rate = index.rate
    if rate is None:
        if part.start == 0 and container.tick is not None:
            return metadata.timecode
        notes.append(f"the timecode {metadata.timecode} is not kept: the clip has a variable frame rate")
        return None
    if container.tick is None and nominal_rate(rate) not in COUNTED:
        notes.append(f"the timecode {metadata.timecode} is not kept: {container.suffix} has none at {rate} frames/s")
        return None
    try:
        return add_frames(metadata.timecode, part.start, rate)
    except InputError as error:
        notes.append(f"the timecode {metadata.timecode} is not kept: {error.message}")
        return None
