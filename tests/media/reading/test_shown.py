"""Frames shown while the index is made: those that reading gives, in one decode, or it is said that they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vedit.media.reading import reader as reading
from vedit.media.reading.decode import Decoder
from vedit.media.reading.read import open_video
from vedit.types import Clip, FrameRange

Make = Callable[..., Path]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"options": {"bf": "2", "g": "12"}},
        {"rotation": (90, True)},
        {"name": "deep.mov", "codec": "prores_ks", "pixel_format": "yuv422p10le", "options": {}},
    ],
)
def test_they_are_those_that_reading_gives(make: Make, fields: dict[str, object]) -> None:
    path = make(frames=14, **fields)
    seen: list[Clip] = []
    with open_video(path) as reader:
        assert reader.scan_showing(seen.append)
        whole = reader.read(FrameRange(start=0, stop=14))
    assert np.array_equal(np.concatenate([clip.frames for clip in seen]), whole.frames)
    assert [(clip.start, clip.pts) for clip in seen] == [(n, (pts,)) for n, pts in enumerate(whole.pts)]
    assert {(clip.bit_depth, clip.time_base, clip.color) for clip in seen} == {
        (whole.bit_depth, whole.time_base, whole.color)
    }


def test_one_decode_gives_index_and_frames(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=14)
    decoded: list[int] = []
    before = Decoder.__next__

    def count(decoder: Decoder) -> object:
        frame = before(decoder)
        decoded.append(1)
        return frame

    monkeypatch.setattr(Decoder, "__next__", count)
    with open_video(path) as reader:
        assert reader.scan_showing(lambda _: None)
        assert len(reader.index()) == len(decoded) == 14


def test_an_index_that_is_there_shows_nothing(make: Make) -> None:
    seen: list[Clip] = []
    with open_video(make(frames=3)) as reader:
        reader.index()
        assert not reader.scan_showing(seen.append)
    assert seen == []


def test_times_that_had_to_be_mended_are_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was shown then carries other times than reading gives."""
    path = make(frames=6)
    before = reading.scan

    def late(*arguments: object, **named: object) -> object:
        found = before(*arguments, **named)  # type: ignore[arg-type]
        moved = (*found.frames.pts[:-1], found.frames.pts[-1] + 1)
        return replace(found, frames=replace(found.frames, pts=moved))

    monkeypatch.setattr(reading, "scan", late)
    with open_video(path) as reader:
        assert not reader.scan_showing(lambda _: None)


def test_damage_is_said(make: Make) -> None:
    path = make(frames=24)
    data = bytearray(path.read_bytes())
    middle = data.find(b"mdat") + 2000
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    seen: list[int] = []
    with open_video(path) as reader:
        shown = reader.scan_showing(lambda clip: seen.append(clip.start))
        index = reader.index()
        assert reader.warnings
    assert not shown
    assert len(seen) >= 1
    assert len(index) >= 1


def test_interlaced_material_is_left_to_reading(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its frames are made whole of their neighbours; woven, they are shown."""
    path = make(frames=4)

    def always(order: object, flagged: int) -> bool:
        return True

    monkeypatch.setattr(reading, "is_interlaced", always)
    seen: list[Clip] = []
    with open_video(path) as reader:
        assert not reader.scan_showing(seen.append)
    assert seen == []
    with open_video(path, interlaced="weave") as reader:
        assert reader.scan_showing(seen.append)
    assert len(seen) == 4
