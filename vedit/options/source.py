"""How a source is read: its rate and track, the limits on its size, and what becomes of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.checks.arguments import checked
from vedit.media.output import Interlaced

if TYPE_CHECKING:
    from vedit.media.reading.reader import VideoReader


@checked
@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """The same for every reader of a source."""

    rate: Fraction | None = None
    """Frames per second of an image sequence; None is 25."""
    track: int | None = None
    """Number of the video stream, as `vedit probe` lists them; None is the film."""
    allow_huge: bool = False
    """Read frames and clips beyond the limits of `vedit.media.reading.limits`."""
    interlaced: Interlaced = "deinterlace"
    """What is done with interlaced material."""

    def admit(self, source: Path) -> None:
        """See that the source can be opened, in a process of its own; see `vedit.media.reading.admitted.admit`.

        Raises:
            MediaError: it cannot.
        """
        from vedit.media.reading.admitted import admit

        admit(source, rate=self.rate, track=self.track, allow_huge=self.allow_huge)

    def open(self, source: Path) -> VideoReader:
        """A reader of the source; use it as a context manager. Raises MediaError where it cannot be opened."""
        from vedit.media.reading.read import open_video

        return open_video(
            source, rate=self.rate, track=self.track, allow_huge=self.allow_huge, interlaced=self.interlaced
        )


AS_IT_IS = SourceOptions()
"""A source without anything that has to be said of it."""
