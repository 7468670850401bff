"""Which frames of which media a cut shows, with handles.

Two uses of one media are one range only where their frames, handles included, and their look are the same. Ranges that
merely overlap stay apart: each clip keeps the handles that it was promised, a change to one clip's look never renders
another's again, and a trim in the editing system stays inside the clip's own media.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vedit.errors import InputError
from vedit.nle.model import MediaReference, TimelineClip
from vedit.types import FrameRange

HANDLES = 8
"""Frames on either side of what is shown, so that the cut can be trimmed afterwards."""
_SEARCHED = 2
"""Seconds of further handles that an exact place in the cut is worth."""


@dataclass(frozen=True, kw_only=True)
class MediaFacts:
    """What a media file itself says."""

    frames: int
    rate: Fraction
    """Frames per second."""
    start: Fraction = Fraction(0)
    """Its start timecode in seconds; 0 where it has none."""
    timecode: str | None = None
    """That of its first frame; None where it has none."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels, as it is displayed."""
    has_sound: bool = False
    written_as: str = ""
    """The ending of a file that holds its pictures and its sound; empty is its own."""


@dataclass(frozen=True, kw_only=True)
class UsedRange:
    """The frames of a media file that a clip needs, counted from the file's first."""

    path: Path
    frames: FrameRange
    """With handles."""
    used: FrameRange
    """What the clip shows, transitions included."""
    rate: Fraction
    origin: Fraction
    """The media's own time at frame 0, in seconds, on the clock that the timeline uses for it."""

    @property
    def handles(self) -> tuple[int, int]:
        """Frames before and behind what is shown; fewer than asked for where the media ends."""
        return self.used.start - self.frames.start, self.frames.stop - self.used.stop

    @property
    def start(self) -> Fraction:
        """The media's own time at the first frame of the range, in seconds."""
        return self.origin + self.frames.start / self.rate


def first_frame(media: MediaReference, facts: MediaFacts | None = None) -> Fraction:
    """The time of a file's first frame on the clock that a timeline uses for it, in seconds.

    Some systems describe one file by several references, each of which tells only of the part that a cut shows
    (DaVinci Resolve: one asset for each cut). The file's own timecode, or 0 where it has none, is its first frame's
    time if all that is told of it then lies inside the file. Where it does not, the system counts by another timecode
    than the file's own, and what is told first is the first frame.
    """
    told = media.start
    if facts is None:
        return told if told is not None else Fraction(0)
    if told is None:
        return facts.start
    # Systems round the length of a file to frames of their own.
    stop = facts.start + (facts.frames + 1) / facts.rate
    inside = facts.start <= told and told + (media.duration or 0) <= stop
    return facts.start if media.of_part and inside else told


def used_range(clip: TimelineClip, facts: MediaFacts | None = None, *, handles: int = HANDLES) -> UsedRange:
    """The frames that a clip needs.

    Args:
        clip: editable, its media found.
        facts: what the media file says; without it only the length that the timeline tells cuts the range off.
        handles: frames to add on either side.

    Raises:
        InputError: the clip shows nothing of its media, or the media is not known well enough.
    """
    if clip.media is None or clip.source is None or clip.refusal:
        raise InputError(f"clip {clip.number} ({clip.name}) cannot be restyled: {clip.refusal or 'it names no media'}")
    if clip.media.path is None:
        raise InputError(
            f"the media of clip {clip.number} ({clip.name}) was not found: {clip.media.problem or 'offline'}",
            remedy="name the folder that it lies in: --media FOLDER",
        )
    rate = facts.rate if facts is not None else clip.media.rate
    if rate is None:
        raise InputError(f"nothing tells the frame rate of {clip.media.path.name}")
    origin = first_frame(clip.media, facts)
    length = facts.frames if facts is not None else None
    if length is None and clip.media.duration:
        length = math.ceil(clip.media.duration * rate)
    first = math.floor((clip.source.start - clip.head - origin) * rate)
    last = max(math.ceil((clip.source.stop + clip.tail - origin) * rate), first + 1)
    limit = length if length is not None else last + handles
    if last <= 0 or first >= limit:
        raise InputError(
            f"clip {clip.number} ({clip.name}) shows frames {first} to {last} of {clip.media.path.name}, "
            f"which has {limit if length is not None else 'none of them'}",
            remedy="is it the media of that clip, and its timecode the same?",
        )
    used = FrameRange(start=max(first, 0), stop=min(last, limit))
    begin = max(used.start - handles, 0)
    if clip.grid is not None:
        begin = _on_grid(begin, rate, clip.grid)
    frames = FrameRange(start=begin, stop=min(used.stop + handles, limit))
    return UsedRange(path=clip.media.path, frames=frames, used=used, rate=rate, origin=origin)


def _on_grid(frame: int, rate: Fraction, grid: Fraction) -> int:
    """The last frame not behind `frame` at whose time a frame of another grid begins, too.

    Media that begins there can be shown at exactly the same time as before. Where the rates meet too seldom (23.976
    and 25: every 40 s), it is the frame of the last second that comes nearest: off by a fiftieth of a frame there.
    """
    apart = rate * grid
    together = apart.numerator
    if together <= _SEARCHED * rate:
        return frame - frame % together
    first = max(frame - math.floor(rate), 0)
    return min(range(frame, first - 1, -1), key=lambda number: abs(number / apart - round(number / apart)))
