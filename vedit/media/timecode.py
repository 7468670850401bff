"""SMPTE timecode (ST 12-1) and frame ranges as users write them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from fractions import Fraction

from vedit.checks.rationals import is_whole, rational, shown, whole
from vedit.errors import InputError
from vedit.types import FrameIndex, FrameRange

_TIMECODE = re.compile(r"^(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})$")

FORGIVEN = Fraction(1, 2000)
"""Seconds typed to three decimals are up to this far off the frame that is meant."""


def nominal_rate(rate: Fraction) -> int:
    """The whole number of frames a timecode counts to in a second: 24 for 24000/1001."""
    return max(1, round(rate))


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame counting exists at a rate: multiples of 30000/1001 only."""
    return rate.denominator == 1001 and nominal_rate(rate) % 30 == 0


def is_drop(timecode: str) -> bool:
    """Whether a timecode is written as drop-frame: `;` (or `.` or `,`) before the frames."""
    match = _TIMECODE.match(timecode.strip())
    return match is not None and match[4] != ":"


def parse_timecode(text: str, rate: Fraction, *, drop: bool | None = None) -> int:
    """A timecode -> the number of frames since 00:00:00:00.

    Args:
        text: HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame.
        rate: frames per second, exact.
        drop: count as drop-frame or not, whatever the separator says; None goes by the separator.

    Raises:
        InputError: it is not a timecode, a field is out of range, drop-frame does not exist at this rate, or the number
            is one that drop-frame leaves out.
    """
    match = _TIMECODE.match(text.strip())
    if match is None:
        raise InputError(
            f"{shown(text)} is not a timecode", remedy="write it as HH:MM:SS:FF, drop-frame as HH:MM:SS;FF"
        )
    hours, minutes, seconds, frames = int(match[1]), int(match[2]), int(match[3]), int(match[5])
    nominal = nominal_rate(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= nominal:
        raise InputError(
            f"timecode {text} is out of range",
            remedy=f"at {nominal} frames a second the last is 23:59:59:{nominal - 1}",
        )
    dropping = match[4] != ":" if drop is None else drop
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if not dropping:
        return count
    if not can_drop(rate):
        raise InputError(f"{text} is drop-frame, the clip runs at {rate}", remedy="write it with a colon: HH:MM:SS:FF")
    dropped = nominal // 15
    if seconds == 0 and frames < dropped and minutes % 10:
        raise InputError(
            f"timecode {text} does not exist: drop-frame leaves it out", remedy=f"the next one ends in {dropped:02d}"
        )
    total_minutes = hours * 60 + minutes
    return count - dropped * (total_minutes - total_minutes // 10)


def format_timecode(frame: int, rate: Fraction, *, drop: bool) -> str:
    """Frames since 00:00:00:00 -> timecode; wraps at 24 hours. Raises InputError where the rate has no drop-frame."""
    nominal = nominal_rate(rate)
    if drop and not can_drop(rate):
        raise InputError(f"there is no drop-frame timecode at {rate} frames a second", remedy="use non-drop timecode")
    if drop:
        dropped = nominal // 15
        per_minute = nominal * 60 - dropped
        per_ten = per_minute * 10 + dropped
        frame %= per_ten * 6 * 24
        tens, rest = divmod(frame, per_ten)
        # The first minute of ten is whole; each further one lacks its first numbers.
        further = 0 if rest < nominal * 60 else 1 + (rest - nominal * 60) // per_minute
        frame += dropped * (9 * tens + further)
    else:
        frame %= nominal * 86400
    seconds, frames = divmod(frame, nominal)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    width = 3 if nominal > 100 else 2
    return f"{hours:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{frames:0{width}d}"


def add_frames(timecode: str, frames: int, rate: Fraction) -> str:
    """The timecode `frames` later (or earlier, if negative), counted the same way. Raises InputError."""
    return format_timecode(parse_timecode(timecode, rate) + frames, rate, drop=is_drop(timecode))


def parse_range(text: str, index: FrameIndex, timecode: str | None = None) -> FrameRange:
    """START..END -> the frames shown at START or later and before END.

    Each side is seconds ("1.5"), a timecode ("01:00:02:00", counted from the clip's start timecode, and drop-frame
    where that is) or a frame number ("#10", from 0); an empty side is the clip's start or end.

    Args:
        text: the range.
        index: the clip's frames.
        timecode: of the clip's first frame; None counts from 00:00:00:00.

    Raises:
        InputError: it is not a range, it is empty, or a side lies outside the clip.
    """
    left, dots, right = text.strip().partition("..")
    if not dots:
        raise InputError(
            f"{shown(text)} is not a range",
            remedy="write START..END, for instance 1.5..3, #36..#72 or 01:00:00:00..01:00:02:00",
        )
    start = _frame(left.strip(), index, timecode) if left.strip() else 0
    stop = _frame(right.strip(), index, timecode) if right.strip() else len(index)
    if start >= stop:
        raise InputError(f"the range {text} holds no frame", remedy=f"the clip is {_extent(index, timecode)}")
    return FrameRange(start=start, stop=stop)


def parse_moment(text: str, index: FrameIndex, timecode: str | None = None) -> int:
    """A moment, written as a side of a range -> the frame that is shown then.

    Args:
        text: seconds, a timecode or #frame.
        index: the clip's frames.
        timecode: of the clip's first frame; None counts from 00:00:00:00.

    Raises:
        InputError: it is no moment, or outside the clip.
    """
    side = text.strip()
    number = _frame(side, index, timecode)
    if not side.startswith("#") and ":" not in side:
        # A side of a range is the first frame from then on; between two frames the earlier one is on screen.
        seconds = rational(side) + FORGIVEN
        number = bisect_right(index.pts, seconds, key=lambda pts: (pts - index.pts[0]) * index.time_base) - 1
    if number >= len(index):
        raise InputError(f"{text} is outside the clip", remedy=f"it is {_extent(index, timecode)}")
    return number


def _frame(side: str, index: FrameIndex, timecode: str | None) -> int:
    count = len(index)
    if side.startswith("#"):
        if not is_whole(side[1:]):
            raise InputError(f"{shown(side)} is not a frame number", remedy=f"write #0 to #{count}")
        number = whole(side[1:])
    elif ":" in side:
        number = _from_timecode(side, index, timecode)
    else:
        return _from_seconds(side, index, timecode)
    if not 0 <= number <= count:
        raise InputError(f"{side} is outside the clip", remedy=f"it is {_extent(index, timecode)}")
    return number


def _from_timecode(side: str, index: FrameIndex, timecode: str | None) -> int:
    if index.rate is None:
        raise InputError(
            f"{side}: the clip has a variable frame rate, timecode does not name its frames",
            remedy="give seconds or #frame numbers",
        )
    if timecode is None:
        return parse_timecode(side, index.rate)
    drop = is_drop(timecode)
    if is_drop(side) and not drop:
        raise InputError(
            f"{side} is drop-frame, the clip's timecode {timecode} is not", remedy="write it with a colon: HH:MM:SS:FF"
        )
    number = parse_timecode(side, index.rate, drop=drop) - parse_timecode(timecode, index.rate)
    day = parse_timecode("23:59:59:00", index.rate, drop=drop) + nominal_rate(index.rate)
    # A clip may run over midnight.
    return number + day if number < 0 and number + day <= len(index) else number


def _from_seconds(side: str, index: FrameIndex, timecode: str | None) -> int:
    try:
        seconds = rational(side)
    except ValueError:
        raise InputError(
            f"{shown(side)} is neither seconds, a timecode nor a frame number", remedy="write 1.5, 01:00:02:00 or #36"
        ) from None
    end = index.seconds(len(index) - 1) + index.last_duration * index.time_base
    if seconds < 0 or seconds > end + FORGIVEN:
        raise InputError(f"{side} s is outside the clip", remedy=f"it is {_extent(index, timecode)}")
    first = index.pts[0]
    return bisect_left(index.pts, seconds - FORGIVEN, key=lambda pts: (pts - first) * index.time_base)


def _extent(index: FrameIndex, timecode: str | None) -> str:
    end = index.seconds(len(index) - 1) + index.last_duration * index.time_base
    text = f"0..{float(end):.3f} s, #0..#{len(index)}"
    if index.rate is not None and timecode is not None:
        text += f", {timecode}..{add_frames(timecode, len(index), index.rate)}"
    return text
