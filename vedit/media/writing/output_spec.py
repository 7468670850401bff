"""What will be written: one file, as it was planned and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vedit.media.contract.watch import Watch
from vedit.media.output import OutputOptions
from vedit.media.writing.containers import Container
from vedit.media.writing.encode import Encoding
from vedit.media.writing.numbered import NumberedFiles
from vedit.types import FrameIndex, FrameRange, VideoMetadata

DEFAULTS = OutputOptions()


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """One file to write. `notes` are what the user should be told, one line each."""

    path: Path
    """Of the file, or the pattern of an image sequence."""
    temporary: Path
    """On the same file system, so that it can be renamed into place; a folder for an image sequence."""
    source: VideoMetadata
    watch: Watch
    """Of the source's files, since it was planned."""
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
    """Streams of the source that are copied packet by packet."""
    covers: tuple[int, ...] = ()
    """Cover pictures of the source that are copied."""
    dropped: tuple[int, ...]
    audio_rates: tuple[int, ...]
    """Samples per second of the copied sound tracks."""
    timecode: str | None
    """In the file itself."""
    first_timecode: str | None = None
    """Of the first written frame, whether the file can say it or not."""
    pictures: NumberedFiles | None = None
    """The files of an image sequence."""
    beside: Path | None = None
    """The Matroska file of the sound, where the pictures' format holds none."""
    sidecar: Path | None = None
    orphans: tuple[Path, ...] = ()
    """Of those two, what a run left that was killed before the pictures had their name; they are replaced."""
    recipe: Mapping[str, object] | None = None
    data: bool = False
    """What is written are measurements: what source pictures say of their colours and making is not true of them."""
    options: OutputOptions = DEFAULTS
    overwrite: bool
    notes: tuple[str, ...]
    lost: tuple[str, ...] = ()
    """What of the source is not kept; `notes` says it in one line."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the source, as the pictures' own file takes them where it is no container that keeps tags of itself."""

    @property
    def whole(self) -> bool:
        """The result holds the whole source."""
        return len(self.frames) == len(self.index)

    @property
    def unnamed(self) -> Path:
        """What is written, before it gets its name: the file, or the pattern of an image sequence."""
        return self.temporary if self.pictures is None else self.temporary / self.path.name

    @property
    def unnamed_sound(self) -> Path | None:
        """The same of the sound beside it; None where there is none."""
        return self.temporary.with_suffix(".mka") if self.beside is not None else None

    @property
    def finals(self) -> tuple[Path, ...]:
        """Names that the result takes; of its pictures the first, which stands for all."""
        pictures = [self.pictures.folder / self.pictures.names[0]] if self.pictures is not None else []
        return (self.path, *pictures, *filter(None, (self.beside, self.sidecar)))

    def takes(self, path: Path) -> bool:
        """Whether a file has a name that the result takes or clears: its own, or any number of its pictures."""
        place = path.absolute()
        if self.pictures is not None and place.parent == self.pictures.folder and self.pictures.holds(place.name):
            return True
        return place in self.finals

    @property
    def pts(self) -> tuple[int, ...]:
        """Presentation times of the frames to write, in ticks of the source's time base."""
        shift = self.start / self.index.time_base
        return tuple(round(pts - shift) for pts in self.index.pts[self.frames.start : self.frames.stop])
