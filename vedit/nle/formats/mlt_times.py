"""MLT's times: frames, 00:00:03.440 or 00:00:03:11, each at the profile's rate."""

from __future__ import annotations

import re
from fractions import Fraction

from vedit.checks.rationals import is_whole, rational, whole
from vedit.media.timecode import can_drop, format_timecode, is_drop, parse_timecode

_CLOCK = re.compile(r"^(\d+):(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)$")


def parse_frames(text: str, rate: Fraction) -> int:
    """A time -> frames. Raises ValueError or InputError where it is none."""
    text = text.strip()
    if is_whole(text):
        return whole(text)
    clock = _CLOCK.match(text)
    if clock is None:
        return parse_timecode(text, rate, drop=is_drop(text) and can_drop(rate))
    seconds = whole(clock[1]) * 3600 + int(clock[2]) * 60 + rational(clock[3].replace(",", "."))
    # MLT rounds a clock time to the nearest frame.
    return int(seconds * rate + Fraction(1, 2))


def format_frames(frames: int, rate: Fraction, *, like: str) -> str:
    """Frames -> a time written the way that `like` is."""
    if not like.strip() or like.strip().isdecimal():
        return str(frames)
    if _CLOCK.match(like.strip()) is None:
        return format_timecode(frames, rate, drop=is_drop(like) and can_drop(rate))
    milliseconds = round(frames / rate * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    separator = "," if "," in like else "."
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{rest:03d}"
