"""SMPTE timecode, and ranges as users write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedit.errors import InputError
from vedit.media.timecode import (
    add_frames,
    format_timecode,
    is_drop,
    nominal_rate,
    parse_moment,
    parse_range,
    parse_timecode,
)
from vedit.types import FrameIndex, FrameRange

NTSC, NTSC60, FILM = Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001)
WHOLE = (FILM, Fraction(24), Fraction(25), NTSC, Fraction(50), NTSC60, Fraction(120))
RATES = [*((rate, False) for rate in WHOLE), (NTSC, True), (NTSC60, True)]


def index(count: int = 100, rate: Fraction = Fraction(25)) -> FrameIndex:
    step = int(1000 / rate)
    return FrameIndex(
        pts=tuple(n * step for n in range(count)), time_base=Fraction(1, 1000), last_duration=step, rate=rate
    )


@given(mode=st.sampled_from(RATES), frame=st.integers(0, 2_500_000))
def test_every_frame_has_one_timecode(mode: tuple[Fraction, bool], frame: int) -> None:
    rate, drop = mode
    text = format_timecode(frame, rate, drop=drop)
    assert is_drop(text) == drop
    day = parse_timecode(f"23:59:59:{nominal_rate(rate) - 1}", rate, drop=drop) + 1
    assert parse_timecode(text, rate) == frame % day
    assert add_frames(text, 1, rate) == format_timecode(frame + 1, rate, drop=drop)


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (17981, NTSC, "00:09:59;29"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (3600, NTSC60, "00:01:00;04"),
        (215784, NTSC60, "01:00:00;00"),
    ],
)
def test_drop_frame_by_the_standard(frame: int, rate: Fraction, text: str) -> None:
    assert format_timecode(frame, rate, drop=True) == text
    assert parse_timecode(text, rate) == frame


def test_midnight() -> None:
    assert add_frames("23:59:59:23", 1, FILM) == "00:00:00:00"
    assert add_frames("23:59:59;29", 1, NTSC) == "00:00:00;00"
    assert add_frames("00:00:00:00", -1, Fraction(25)) == "23:59:59:24"


@pytest.mark.parametrize(
    "text", ["", "1:2", "01:00:00", "24:00:00:00", "00:60:00:00", "00:00:00:25", "00:01:00;00", "a:b:c:d"]
)
def test_what_is_not_a_timecode(text: str) -> None:
    with pytest.raises(InputError):
        parse_timecode(text, NTSC if ";" in text else Fraction(25))


def test_no_drop_frame_at_25() -> None:
    with pytest.raises(InputError, match="drop-frame"):
        parse_timecode("00:00:01;00", Fraction(25))
    with pytest.raises(InputError, match="drop-frame"):
        format_timecode(5, FILM, drop=True)


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("1..3", 25, 75),
        ("1.5..3", 38, 75),
        ("0.04..0.08", 1, 2),
        ("..1", 0, 25),
        ("3..", 75, 100),
        ("..", 0, 100),
        ("#10..#58", 10, 58),
        (" #10 .. #58 ", 10, 58),
        ("00:00:01:00..00:00:02:00", 25, 50),
        ("#10..1", 10, 25),
        ("..4", 0, 100),
    ],
)
def test_ranges(text: str, start: int, stop: int) -> None:
    assert parse_range(text, index()) == FrameRange(start=start, stop=stop)


def test_timecode_range_counts_from_the_start_timecode() -> None:
    assert parse_range("10:00:01:00..10:00:02:00", index(), "10:00:00:00") == FrameRange(start=25, stop=50)
    assert parse_range("00:00:00:00..", index(), "23:59:59:00") == FrameRange(start=25, stop=100)


def test_colons_are_read_as_drop_frame_where_the_clip_is() -> None:
    clip = FrameIndex(
        pts=tuple(range(0, 4000 * 1001, 1001)), time_base=Fraction(1, 30000), last_duration=1001, rate=NTSC
    )
    assert parse_range("00:01:00:02..", clip, "00:00:00;00").start == 1800
    assert parse_range("00:01:00;02..", clip, "00:00:00;00").start == 1800
    with pytest.raises(InputError, match="drop-frame"):
        parse_range("00:01:00;02..", clip, "00:00:00:00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5", "not a range"),
        ("1..1", "holds no frame"),
        ("3..1", "holds no frame"),
        ("0..9", "outside"),
        ("-1..2", "outside"),
        ("#5..#101", "outside"),
        ("#x..", "not a frame number"),
        ("abc..", "neither"),
        ("1/0..", "neither"),
        ("00:00:00:00..00:01:00:00", "outside"),
    ],
)
def test_bad_ranges_say_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_range(text, index())


@pytest.mark.parametrize(
    "text", ["1e99999999", "1e-9999", "1E+9_9_9_9_9_9_9", "#" + "9" * 5000, "9" * 5000, "00:" * 2000, "1e" + "9" * 29]
)
def test_a_moment_beyond_all_clips_is_refused_at_once(text: str) -> None:
    """Not after minutes of arithmetic, not with a traceback, and not with all that was typed."""
    for ask in (lambda: parse_moment(text, index()), lambda: parse_range(f"{text}..", index())):
        with pytest.raises(InputError, match=r"is neither seconds|is not a (frame number|timecode)") as told:
            ask()
        assert len(str(told.value)) < 200
    with pytest.raises(InputError, match="not a range") as told:
        parse_range("9" * 5000, index())
    assert len(str(told.value)) < 200


def test_a_moment_may_have_an_exponent() -> None:
    assert parse_moment("12e-1", index()) == 30
    assert parse_moment("1.200000000000000000000000000000", index()) == 30


def test_variable_rate_has_no_timecode() -> None:
    clip = FrameIndex(pts=(0, 40, 100), time_base=Fraction(1, 1000), last_duration=50, rate=None)
    with pytest.raises(InputError, match="variable"):
        parse_range("00:00:00:00..", clip)
    assert parse_range("0.04..0.1", clip) == FrameRange(start=1, stop=2)


@given(a=st.integers(0, 100), b=st.integers(0, 100), c=st.integers(0, 100))
def test_neighbouring_ranges_neither_overlap_nor_leave_a_gap(a: int, b: int, c: int) -> None:
    low, middle, high = sorted((a, b, c))
    if low < middle < high:
        left, right = (parse_range(f"{x / 25:.3f}..{y / 25:.3f}", index()) for x, y in ((low, middle), (middle, high)))
        assert left.stop == right.start
        assert (left.start, right.stop) == (low, high)
