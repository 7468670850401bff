"""Which frames a clip needs: exact at every rate, handles clamped where the media ends."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.model import MediaReference, TimelineClip, TimeSpan
from vedit.nle.ranges import MediaFacts, used_range
from vedit.types import FrameRange

RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001))


def clip(rate: Fraction, first: int, count: int, *, origin: int = 0, length: int = 1000) -> TimelineClip:
    media = MediaReference(
        written="a.mov",
        name="a",
        path=Path("/m/a.mov"),
        start=origin / rate,
        duration=length / rate,
        rate=rate,
    )
    source = TimeSpan(start=(origin + first) / rate, duration=count / rate)
    return TimelineClip(
        number=1, name="a", kind="clip", track="V1", sequence="", record=source, source=source, media=media
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("origin", [0, 86400, 107892])
def test_frames_are_exact_at_every_rate(rate: Fraction, origin: int) -> None:
    needed = used_range(clip(rate, 100, 48, origin=origin))
    assert needed.used == FrameRange(start=100, stop=148)
    assert needed.frames == FrameRange(start=92, stop=156)
    assert needed.handles == (8, 8)
    assert needed.start == (origin + 92) / rate


@pytest.mark.parametrize(
    ("first", "count", "handles"), [(0, 10, (0, 8)), (3, 10, (3, 8)), (985, 15, (8, 0)), (0, 1000, (0, 0))]
)
def test_handles_end_where_the_media_does(first: int, count: int, handles: tuple[int, int]) -> None:
    assert used_range(clip(Fraction(25), first, count)).handles == handles


def test_transitions_are_part_of_what_is_used() -> None:
    rate = Fraction(24)
    item = replace(clip(rate, 100, 24), head=Fraction(12, 24), tail=Fraction(6, 24))
    assert used_range(item, handles=2).frames == FrameRange(start=86, stop=132)
    assert used_range(item, handles=2).used == FrameRange(start=88, stop=130)


def test_a_range_between_two_frames_takes_both() -> None:
    item = clip(Fraction(24), 100, 24)
    assert item.source is not None
    moved = replace(item, source=TimeSpan(start=item.source.start + Fraction(1, 100), duration=item.source.duration))
    assert used_range(moved, handles=0).used == FrameRange(start=100, stop=125)


def test_a_freeze_frame_is_one_frame() -> None:
    item = clip(Fraction(24), 100, 0)
    assert used_range(item, handles=0).used == FrameRange(start=100, stop=101)


def test_the_file_knows_better_than_the_timeline() -> None:
    facts = MediaFacts(frames=120, rate=Fraction(25))
    assert used_range(clip(Fraction(25), 100, 15), facts).frames == FrameRange(start=92, stop=120)


def test_without_a_start_in_the_timeline_the_files_timecode_counts() -> None:
    item = clip(Fraction(25), 90100, 10)
    assert item.media is not None
    item = replace(item, media=replace(item.media, start=None, duration=None))
    facts = MediaFacts(frames=500, rate=Fraction(25), start=Fraction(3600))
    assert used_range(item, facts).used == FrameRange(start=100, stop=110)
    with pytest.raises(InputError, match="timecode"):
        used_range(item, replace(facts, start=Fraction(0)))


def test_what_cannot_be_rendered_is_said() -> None:
    item = clip(Fraction(25), 0, 10)
    assert item.media is not None
    with pytest.raises(InputError, match="a title has no media"):
        used_range(replace(item, refusal="a title has no media"))
    with pytest.raises(InputError, match=r"offline.*--media"):
        used_range(replace(item, media=replace(item.media, path=None, problem="offline")))
    with pytest.raises(InputError, match="frame rate"):
        used_range(replace(item, media=replace(item.media, rate=None)))
