"""What may be said of a clip that is read, by every command that reads one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from vedit.checks.arguments import checked
from vedit.checks.setting import About, same_as, setting
from vedit.media.output import Interlaced, OutputOptions


@checked
@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How a clip is read; `None` is what the file says."""

    frames: str | None = setting(
        None,
        About(
            "Part of the clip, END exclusive: seconds (1.5..4), timecode (00:00:01:12..00:00:04:00) or frames "
            "(#36..#96).",
            stage="source",
            metavar="START..END",
            option="range",
            key="",
            common=True,
            python="None is the whole clip",
        ),
    )
    rate: Fraction | None = setting(
        None,
        About(
            "Frames per second of an image sequence: 25, 23.976, 30000/1001.",
            stage="source",
            metavar="RATE",
            easier="Fraction | int | None",
            python="above 0 up to 1000; None is 25",
        ),
    )
    track: int | None = setting(
        None,
        About(
            "The video stream to take, by the number that 'vedit probe' lists.",
            stage="source",
            bounds=(0, math.inf),
            metavar="N",
            unset="the film",
        ),
    )
    allow_huge: bool = setting(
        False,
        About(
            "Read sources beyond the limits on frame size and length.",
            stage="source",
            key="",
            once=True,
            shared=True,
        ),
    )
    interlaced: Interlaced = same_as(OutputOptions, "interlaced")
