"""What a cut is, whatever the file format. All times are exact fractions of a second."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

ClipKind = Literal[
    "clip", "still", "compound", "multicam", "sync", "audition", "nested", "title", "generator", "sequence", "audio"
]


@dataclass(frozen=True, kw_only=True)
class TimeSpan:
    """From `start` on, `duration` seconds long; the end does not belong to it."""

    start: Fraction
    duration: Fraction

    @property
    def stop(self) -> Fraction:
        """Where it is over, in seconds."""
        return self.start + self.duration


@dataclass(frozen=True, kw_only=True)
class MediaReference:
    """The media that a clip shows, as the timeline tells it."""

    written: str
    """Its address as it stands in the file; empty where the file gives none."""
    name: str
    path: Path | None = None
    """The file, where it was found and may be read."""
    problem: str = ""
    """Why there is no `path`."""
    start: Fraction | None = None
    """The media's own time at its first frame, in seconds: its start timecode. None: the file does not tell."""
    duration: Fraction | None = None
    of_part: bool = False
    """`start` and `duration` may be those of a part of the file only; see `vedit.nle.ranges.first_frame`."""
    rate: Fraction | None = None
    """Frames per second."""
    drop: bool = False
    size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    reel: str = ""


@dataclass(frozen=True, kw_only=True)
class Marker:
    """A marker on a clip."""

    name: str
    note: str = ""
    color: str = ""
    start: Fraction | None = None
    """In the clip's media time, in seconds."""


@dataclass(frozen=True, kw_only=True)
class TimelineClip:
    """One clip of the cut."""

    number: int
    """From 1, in the order of the document: what `TimelineDocument.relink` is given."""
    name: str
    kind: ClipKind
    track: str
    """V1 is the lowest video track of its sequence."""
    sequence: str
    """The sequence, project or compound clip that it lies in."""
    record: TimeSpan
    """Where it lies, in seconds from the start of its sequence."""
    sequence_rate: Fraction | None = None
    """Frames per second of its sequence; None is the timeline's."""
    source: TimeSpan | None = None
    """What it shows, in the media's own time (its start timecode included), whole however it is retimed."""
    grid: Fraction | None = None
    """Seconds of a frame that its place in the media is counted by, where those are not the media's own frames."""
    head: Fraction = Fraction(0)
    """Seconds of media that a transition shows before `source`."""
    tail: Fraction = Fraction(0)
    """Seconds of media that a transition shows behind `source`."""
    media: MediaReference | None = None
    speed: Fraction | None = Fraction(1)
    """2 is twice as fast, negative is backwards, 0 a freeze frame, None a speed that varies."""
    markers: tuple[Marker, ...] = ()
    notes: tuple[str, ...] = ()
    color: str = ""
    """The colour label."""
    enabled: bool = True
    with_sound: bool = False
    """The reference that is changed serves the sound too: the new media must hold it."""
    refusal: str = ""
    """Why it cannot be restyled; empty where it can."""
    line: int = 0
    """Where it stands in the file, from 1; 0 where that says nothing."""

    @property
    def editable(self) -> bool:
        """Whether its media can be replaced."""
        return not self.refusal


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A cut: its sequences' first rate and timecode, and all clips of all of its sequences."""

    name: str
    rate: Fraction
    """Frames per second."""
    start: Fraction
    """The timecode of its first frame, in seconds."""
    drop: bool
    clips: tuple[TimelineClip, ...]
    format: str
    notes: tuple[str, ...] = ()
    """What a reader of the list should know."""


@dataclass(frozen=True, kw_only=True)
class NewMedia:
    """A file that takes the place of a stretch of a clip's media."""

    path: Path
    name: str
    start: Fraction
    """Its own time at its first frame, in seconds, on the clock of the media that it replaces."""
    frames: int
    rate: Fraction
    """Frames per second: that of the media that it replaces."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels; None is that of the media that it replaces."""
    has_sound: bool = True

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return self.frames / self.rate


class TimelineDocument(Protocol):
    """A timeline file, held whole; only what `relink` is asked for is ever changed."""

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        ...

    def relink(self, number: int, media: NewMedia) -> None:
        """Make a clip show other media, and leave all other clips as they are.

        Args:
            number: `TimelineClip.number`.
            media: covers at least what the clip shows.

        Raises:
            InputError: the clip cannot be edited, or the new media does not cover it or lacks its sound.
        """
        ...

    def serialise(self) -> bytes:
        """The file's content with the changes in it."""
        ...
