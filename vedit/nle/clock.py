"""Seconds as timecodes, to be read."""

from __future__ import annotations

import math
from fractions import Fraction

from vedit.media.timecode import can_drop, format_timecode
from vedit.nle.model import TimeSpan


def timecode_at(seconds: Fraction, rate: Fraction, *, drop: bool) -> str:
    """The timecode of the frame that is shown at a time; drop-frame only where the rate has it."""
    return format_timecode(math.floor(seconds * rate), rate, drop=drop and can_drop(rate))


def span_timecodes(span: TimeSpan, rate: Fraction, *, drop: bool, offset: Fraction | int = 0) -> str:
    """A span as START..END, END exclusive; `offset` is added to both, in seconds."""
    end = math.ceil((span.stop + offset) * rate)
    last = format_timecode(end, rate, drop=drop and can_drop(rate))
    return f"{timecode_at(span.start + offset, rate, drop=drop)}..{last}"
