"""OTIO: exact times at every rate, nested and retimed clips, and what OpenTimelineIO itself reads of the result."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vedit.errors import InputError
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.read import read_timeline

RATES = [
    (24000 / 1001, Fraction(24000, 1001)),
    (24, Fraction(24)),
    (25.0, Fraction(25)),
    (29.97, Fraction(30000, 1001)),
]


def time(value: float, rate: float = 24) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value}


def span(start: float, duration: float, rate: float = 24) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": time(start, rate), "duration": time(duration, rate)}


def clip(name: str = "a", *, rate: float = 24, origin: float = 0, **more: object) -> dict[str, Any]:
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "available_range": span(origin, 1000, rate),
        "target_url": "file:///m/a.mov",
        "metadata": {"other": {"kept": [1, 2.5, None]}},
        "name": "a",
    }
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "media_references": {"DEFAULT_MEDIA": reference, "proxy": {"OTIO_SCHEMA": "MissingReference.1"}},
        "active_media_reference_key": "DEFAULT_MEDIA",
        "source_range": span(origin + 100, 48, rate),
        **more,
    }


def read(tmp_path: Path, *children: dict[str, Any]) -> TimelineDocument:
    track = {"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": list(children)}
    stack = {"OTIO_SCHEMA": "Stack.1", "children": [track]}
    path = tmp_path / "cut.otio"
    path.write_text(json.dumps({"OTIO_SCHEMA": "Timeline.1", "name": "Cut", "tracks": stack}, indent=4), "utf-8")
    return read_timeline(path)


@pytest.mark.parametrize(("told", "rate"), RATES)
def test_times_are_exact_at_every_rate(tmp_path: Path, told: float, rate: Fraction) -> None:
    document = read(tmp_path, clip(rate=told, origin=86400))
    (shown,) = document.timeline.clips
    assert document.timeline.rate == rate
    assert shown.source == TimeSpan(start=86500 / rate, duration=48 / rate)
    document.relink(1, NewMedia(path=Path("/m/n.mov"), name="n", start=86492 / rate, frames=64, rate=rate))
    found = json.loads(document.serialise())["tracks"]["children"][0]["children"][0]
    new = found["media_references"]["DEFAULT_MEDIA"]
    assert new["available_range"] == span(86492, 64, told)
    assert (new["target_url"], new["metadata"]) == ("file:///m/n.mov", {"other": {"kept": [1, 2.5, None]}})
    assert found["media_references"]["proxy"] == {"OTIO_SCHEMA": "MissingReference.1"}


def test_opentimelineio_reads_the_result(timelines: Path, tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    path = timelines / "opentimelineio__transition.otio"
    document = read_timeline(path)
    media = NewMedia(path=Path("/m/n.mov"), name="n.mov", start=Fraction(0), frames=24, rate=Fraction(24))
    document.relink(2, media)
    out = tmp_path / "out.otio"
    out.write_bytes(document.serialise())
    before, after = otio.adapters.read_from_file(str(path)), otio.adapters.read_from_file(str(out))
    clips = list(zip(before.find_clips(), after.find_clips(), strict=True))
    assert [a.media_reference.is_equivalent_to(b.media_reference) for a, b in clips] == [True, False, True, True]
    assert clips[1][1].media_reference.target_url == "file:///m/n.mov"
    clips[1][1].media_reference = clips[1][0].media_reference.clone()
    assert before.is_equivalent_to(after)


def test_speeds(tmp_path: Path) -> None:
    def warp(scalar: float) -> list[dict[str, Any]]:
        return [{"OTIO_SCHEMA": "LinearTimeWarp.1", "time_scalar": scalar}]

    freeze: list[dict[str, Any]] = [{"OTIO_SCHEMA": "FreezeFrame.1", "time_scalar": 0}]
    unknown: list[dict[str, Any]] = [{"OTIO_SCHEMA": "TimeEffect.1"}]
    effects = [warp(2), warp(0.5), warp(-1), freeze, unknown, warp(1)]
    clips = read(tmp_path, *(clip(effects=told) for told in effects)).timeline.clips
    assert [told.speed for told in clips] == [2, Fraction(1, 2), -1, 0, None, 1]
    assert [told.source.duration * 24 for told in clips if told.source is not None] == [96, 48, 48, 48, 48, 48]
    assert [told.editable for told in clips] == [True, True, False, True, False, True]


def test_nested_and_other_items_are_listed(tmp_path: Path) -> None:
    inner = {"OTIO_SCHEMA": "Stack.1", "name": "inner", "children": [clip("b")], "source_range": span(0, 10)}
    generator = {"OTIO_SCHEMA": "GeneratorReference.1", "generator_kind": "bars"}
    bars = {"OTIO_SCHEMA": "Clip.1", "name": "bars", "media_reference": generator, "source_range": span(0, 5)}
    gap = {"OTIO_SCHEMA": "Gap.1", "source_range": span(0, 7)}
    marked = clip("c", markers=[{"OTIO_SCHEMA": "Marker.2", "name": "m", "comment": "VEDIT: ink", "color": "RED"}])
    clips = read(
        tmp_path, gap, inner, bars, {"OTIO_SCHEMA": "Odd.7", "source_range": span(0, 1)}, marked
    ).timeline.clips
    assert [(c.name, c.kind, c.sequence, c.record.start * 24) for c in clips] == [
        ("inner", "nested", "Cut", 7),
        ("b", "clip", "inner", 0),
        ("bars", "generator", "Cut", 17),
        ("", "generator", "Cut", 22),
        ("c", "clip", "Cut", 23),
    ]
    assert (clips[4].markers[0].note, clips[4].markers[0].color) == ("VEDIT: ink", "RED")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n  nonsense", "line 2: not JSON"),
        ("[1]", "it holds no schema"),
        ("{}", "it holds no schema"),
        ('{"OTIO_SCHEMA": "Timeline.1", "tracks": {"children": [{"OTIO_SCHEMA": "Stack.1", "metadata": 3}]}}', "form"),
        ('{"OTIO_SCHEMA": "Clip.2"}', "it holds Clip, not a timeline"),
        ('{"OTIO_SCHEMA": "Timeline.1"}', "it has no tracks"),
        ("[" * 200000, "nested too deep"),
        ('{"a": ' * 50000, "nested too deep"),
        ("[" + "9" * 5000 + "]", "number in it is too long"),
    ],
)
def test_faults_of_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cut.otio"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_timeline(path)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"source_range": span(0, 5, 0)}, r"\$.tracks.children\[0\].children\[0\]: .* is no time"),
        ({"source_range": {"start_time": time(0), "duration": "x"}}, "is no time"),
        ({"source_range": None, "media_references": {}}, "neither a source range nor an available one"),
    ],
)
def test_faults_of_a_clip_say_where(tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, {**clip(), **broken})
