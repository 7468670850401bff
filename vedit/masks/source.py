"""What the masks know of the clip they belong to, and what each kind of mask offers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vedit.errors import InputError
from vedit.media.timecode import parse_moment
from vedit.shots.clip_part import open_source

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from vedit.media.reading.reader import VideoReader
    from vedit.options.source import SourceOptions
    from vedit.shots.clip_part import ClipPart
    from vedit.types import Clip, FrameIndex, FrameRange, Shot, VideoMetadata

    Plane = npt.NDArray[np.floating[Any]]
    """Float32 (H, W) or (T, H, W) in [0, 1]."""

_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class MatteSource:
    """The clip that is masked."""

    metadata: VideoMetadata
    index: FrameIndex
    """Of the whole clip."""
    shots: tuple[Shot, ...]
    """Of `frames`, without gap or overlap."""
    frames: FrameRange
    """The part for which there are mattes."""
    reopen: Callable[[], VideoReader]
    """Opens a further reader of the clip; whoever calls it closes it."""
    allow_huge: bool = False
    """Masks may be larger than `vedit.media.reading.limits`, as the clip is."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the mattes: the clip's display size."""
        return self.metadata.height, self.metadata.width

    @property
    def chunk(self) -> int:
        """Frames of the clip to hold at once."""
        deep = 1 if self.metadata.bit_depth == 8 else 2
        return max(1, _CHUNK_BYTES // (self.metadata.width * self.metadata.height * 4 * deep))

    def frame_at(self, moment: str) -> int:
        """The frame that is shown at a moment. Raises InputError where it is none, or outside the clip."""
        return parse_moment(moment, self.index, self.metadata.timecode)

    def shot_of(self, frame: int) -> Shot | None:
        """The shot that a frame is in; None outside the part that is masked."""
        if frame not in self.frames:
            return None
        starts = [shot.frames.start for shot in self.shots]
        return self.shots[bisect_right(starts, frame) - 1]

    def inside(self, moment: str, what: str) -> int:
        """`frame_at`, for a mask that is needed. Raises InputError where the moment is not in the masked part."""
        frame = self.frame_at(moment)
        if frame not in self.frames:
            raise InputError(
                f"{what} is keyed at {moment} (#{frame}), outside the part #{self.frames.start}..#{self.frames.stop}",
                remedy="give a moment inside the part, or widen --range",
            )
        return frame


def masked_clip(clip: ClipPart, source: Path, reading: SourceOptions) -> MatteSource:
    """An open part of a clip as masks see it."""
    return MatteSource(
        metadata=clip.metadata,
        index=clip.index,
        shots=clip.shots,
        frames=clip.frames,
        reopen=lambda: open_source(source, reading),
        allow_huge=reading.allow_huge,
    )


class Layer(Protocol):
    """One mask of those that are united: any range inside the masked part, in any order, always the same."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of it, one line each."""
        ...

    def __call__(self, frames: FrameRange) -> Plane:
        """Float32 (T, H, W) in [0, 1] at the clip's display size."""
        ...

    def close(self) -> None:
        """Release files and readers."""
        ...


def backwards(reader: VideoReader, frames: FrameRange, size: int) -> Iterator[Clip]:
    """Single frames of a range from the last to the first; `size` of them are held at once."""
    from dataclasses import replace

    from vedit.types import FrameRange

    for stop in range(frames.stop, frames.start, -size):
        clip = reader.read(FrameRange(start=max(frames.start, stop - size), stop=stop))
        for number in range(len(clip) - 1, -1, -1):
            yield replace(
                clip,
                frames=clip.frames[number : number + 1],
                pts=clip.pts[number : number + 1],
                start=clip.start + number,
            )
