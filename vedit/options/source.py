"""How a source is read: its rate and track, the limits on its size, and what becomes of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vedit.checks.arguments import checked
from vedit.media.output import Interlaced


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
