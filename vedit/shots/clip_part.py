"""A clip that is open as it is asked for, with a part of it and the shots of that."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vedit.media.reading.admitted import admit
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.timecode import parse_range
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import Progress
from vedit.shots.detect import detect_shots
from vedit.types import FrameIndex, FrameRange, Shot, VideoMetadata

AS_IT_IS = SourceOptions()
"""Of a source of which nothing has to be said."""


def admit_source(source: Path, reading: SourceOptions) -> None:
    """See that a source can be opened, in a process of its own. Raises MediaError where it cannot."""
    admit(source, rate=reading.rate, track=reading.track, allow_huge=reading.allow_huge)


def open_source(source: Path, reading: SourceOptions) -> VideoReader:
    """A reader of a source; use it as a context manager. Raises MediaError where it cannot be opened."""
    return open_video(
        source,
        rate=reading.rate,
        track=reading.track,
        allow_huge=reading.allow_huge,
        interlaced=reading.interlaced,
    )


@dataclass(frozen=True, kw_only=True)
class ClipPart:
    """A part of an open clip, cut into shots."""

    reader: VideoReader
    """Of the whole clip."""
    frames: FrameRange

    @cached_property
    def shots(self) -> tuple[Shot, ...]:
        """Of `frames`, without gap or overlap; the part is decoded for them when they are first asked for."""
        return detect_shots(self.reader, frames=self.frames)

    @property
    def metadata(self) -> VideoMetadata:
        """Of the clip."""
        return self.reader.metadata

    @property
    def index(self) -> FrameIndex:
        """Of the whole clip."""
        return self.reader.index()

    def reached(self, stage: str, shot: Shot, stop: int) -> Progress:
        """A stage has done the frames of the part before frame `stop`, which is in a shot or ends it."""
        done, total = stop - self.frames.start, len(self.frames)
        return Progress(stage=stage, done=done, total=total, shot=shot.number, shots=len(self.shots))


@contextmanager
def open_part(source: Path, frames: str | None, reading: SourceOptions) -> Generator[ClipPart]:
    """Open a clip, and find the times of its frames and a part of it; the clip is closed with the context.

    Args:
        source: the clip.
        frames: START..END as `restyle` takes it; None is the whole clip.
        reading: how it is read.

    Raises:
        InputError: the clip cannot be read, or the range is none or beyond it.
    """
    with open_source(source, reading) as reader:
        index = reader.index()
        part = FrameRange(start=0, stop=len(index))
        if frames is not None:
            part = parse_range(frames, index, reader.metadata.timecode)
        yield ClipPart(reader=reader, frames=part)
