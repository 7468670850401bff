"""AAF: layers of a sequence, constant retimes, and what a master clip says of its file."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.nle.cuts import FRAMES, Cut, write_aaf
from vedit.nle.model import NewMedia, TimelineClip
from vedit.nle.read import read_timeline

aaf2 = pytest.importorskip("aaf2", reason="needs the extra nle")
RATE = Fraction(25)


def changed(tmp_path: Path, change: Callable[[Any, Any], None]) -> Path:
    """The cut of three shots as AAF, changed before it is read."""
    cut = Cut(folder=tmp_path, rate=RATE, drop=False, timecode="10:00:00:00")
    for name in FRAMES:
        (tmp_path / name).write_bytes(b"")
    path = tmp_path / "cut.aaf"
    write_aaf(cut, path)
    with aaf2.open(str(path), "rw") as opened:
        file: Any = opened
        (composition,) = file.content.toplevel()
        change(file, next(iter(composition.slots)))
    return path


def layered(file: Any, slot: Any) -> None:
    """The first track under two others, that show the master clips of the second and the third shot."""
    scope = file.create.NestedScope()
    scope["Length"].value, scope["DataDefinition"].value = 18, slot.segment["DataDefinition"].value
    one, two, three = (part.copy() for part in slot.segment.components)
    for before, part, after in ((0, one, 10), (4, two, 8), (10, three, 4)):
        track = file.create.Sequence(media_kind="picture")
        for length in (before, None, after):
            if length is None:
                track.components.append(part)
            elif length:
                seen = file.create.ScopeReference()
                seen["DataDefinition"].value, seen["Length"].value = part["DataDefinition"].value, length
                seen["RelativeScope"].value, seen["RelativeSlot"].value = 0, 1
                track.components.append(seen)
        scope.slots.append(track)
    slot.segment = scope


def retimed(ratio: str | None, points: list[tuple[int, int]]) -> Callable[[Any, Any], None]:
    def change(file: Any, slot: Any) -> None:
        operation = file.create.OperationDef("9d2ea890-0968-11d3-8a38-0050040ef7d2", "Motion Control")
        operation.media_kind, operation["NumberInputs"].value = "picture", 1
        file.dictionary.register_def(operation)
        group = file.create.OperationGroup(operation, length=4, media_kind="picture")
        parts = list(slot.segment.components)
        inner = parts[1].copy()
        group.segments.append(inner)
        rational = file.dictionary.lookup_typedef("Rational")
        if ratio is not None:
            definition = file.create.ParameterDef("72559a80-24d7-11d3-8a50-0050040ef7d2", "SpeedRatio", "", rational)
            file.dictionary.register_def(definition)
            constant = file.create.ConstantValue(definition, ratio)
            group.parameters.append(constant)
        if points:
            definition = file.create.ParameterDef(
                "8d56813d-847e-11d5-935a-50f857c10000", "PARAM_SPEED_OFFSET_MAP_U", "", rational
            )
            file.dictionary.register_def(definition)
            linear = file.create.InterpolationDef("5b6c85a4-0ede-11d3-80a9-006008143e6f", "Linear", "")
            file.dictionary.register_def(linear)
            curve = file.create.VaryingValue(definition, linear)
            for at, value in points:
                curve.add_keyframe(at, value)
            group.parameters.append(curve)
        slot.segment.components.pop(1)
        slot.segment.components.insert(1, group)

    return change


def place(clip: TimelineClip) -> tuple[str, str, int, int]:
    return (clip.name, clip.track, int(clip.record.start * RATE), int(clip.record.duration * RATE))


def media(clip: TimelineClip, path: Path, lead: int = 2) -> NewMedia:
    assert clip.source is not None and clip.media is not None
    start = max(clip.source.start - lead / RATE, clip.media.start or Fraction(0))
    frames = int((clip.source.stop - start) * RATE) + 2
    return NewMedia(path=path, name=path.name, start=start, frames=frames, rate=RATE)


def test_layers_are_tracks(tmp_path: Path) -> None:
    path = changed(tmp_path, layered)
    document = read_timeline(path)
    before = document.timeline.clips
    assert [place(clip) for clip in before] == [("one", "V1", 0, 8), ("two", "V2", 4, 6), ("three", "V3", 10, 4)]
    assert all(clip.editable for clip in before)
    document.relink(2, media(before[1], tmp_path / "new.mov"))
    path.write_bytes(document.serialise())
    after = read_timeline(path).timeline.clips
    assert [(place(clip), clip.source) for clip in after] == [(place(clip), clip.source) for clip in before]
    assert [clip.media.name for clip in after if clip.media] == ["a.mov", "new.mov", "b.mov"]


@pytest.mark.parametrize(
    ("ratio", "points", "speed", "first", "length"),
    [
        ("1/2", [], 2, 20, 8),
        ("2/1", [], Fraction(1, 2), 20, 6),
        ("7/3", [(0, 0), (4, 8)], 2, 20, 8),
        ("1/1", [(0, 3), (4, 5)], Fraction(1, 2), 20, 6),
        ("1/1", [(0, -2), (4, 6)], 2, 18, 8),
    ],
)
def test_a_constant_retime_can_be_edited(
    tmp_path: Path, ratio: str, points: list[tuple[int, int]], speed: Fraction, first: int, length: int
) -> None:
    path = changed(tmp_path, retimed(ratio, points))
    document = read_timeline(path)
    clip = document.timeline.clips[1]
    assert (clip.refusal, clip.speed) == ("", speed)
    assert clip.source is not None and clip.media is not None and clip.media.start is not None
    assert ((clip.source.start - clip.media.start) * RATE, clip.source.duration * RATE) == (first, length)
    document.relink(2, media(clip, tmp_path / "new.mov"))
    path.write_bytes(document.serialise())
    again = read_timeline(path).timeline.clips[1]
    assert (again.speed, again.source, again.record) == (clip.speed, clip.source, clip.record)


@pytest.mark.parametrize(
    ("ratio", "points", "why"),
    [
        ("4/1", [], "frozen"),
        ("0/1", [], "frozen"),
        ("-1/1", [], "backwards"),
        ("1/1", [(0, 8), (4, 0)], "backwards"),
        ("1/1", [(0, 0), (2, 1), (4, 8)], "speed varies"),
        (None, [], "speed varies"),
    ],
)
def test_other_retimes_are_named(tmp_path: Path, ratio: str, points: list[tuple[int, int]], why: str) -> None:
    clip = read_timeline(changed(tmp_path, retimed(ratio, points))).timeline.clips[1]
    assert why in clip.refusal and clip.media is not None


def with_notes(file: Any, _slot: Any) -> None:
    for mob in file.content.mobs:
        if type(mob).__name__ == "MasterMob" and mob.name == "two":
            mob.comments["UNC Path"], mob.comments["Shot"] = "/old/place/a.mov", "12"
            events = file.create.EventMobSlot()
            events["SlotID"].value, events["EditRate"].value = 1000, RATE
            sequence = file.create.Sequence(media_kind="DescriptiveMetadata")
            for at in (5, 21, 39):
                marker = file.create.DescriptiveMarker()
                marker["DataDefinition"].value = sequence["DataDefinition"].value
                marker["Position"].value, marker["Comment"].value = at, f"at {at}"
                sequence.components.append(marker)
            events.segment = sequence
            mob.slots.append(events)


def test_the_new_master_clip_keeps_its_markers_and_names_the_new_file(tmp_path: Path) -> None:
    path = changed(tmp_path, with_notes)
    document = read_timeline(path)
    document.relink(2, media(document.timeline.clips[1], tmp_path / "new.mov"))
    path.write_bytes(document.serialise())
    found: list[tuple[dict[str, Any], list[tuple[int, str]]]] = []
    with aaf2.open(str(path), "r") as opened:
        file: Any = opened
        for mob in file.content.mobs:
            if type(mob).__name__ == "MasterMob" and mob.name == "two":
                events = [slot for slot in mob.slots if type(slot).__name__ == "EventMobSlot"]
                markers = [
                    (int(event["Position"].value), str(event["Comment"].value))
                    for slot in events
                    for event in slot.segment.components
                ]
                found.append(({tagged.name: tagged.value for tagged in mob["UserComments"].value}, markers))
    old, new = sorted(found, key=lambda pair: pair[0]["UNC Path"] != "/old/place/a.mov")
    assert old == ({"UNC Path": "/old/place/a.mov", "Shot": "12"}, [(5, "at 5"), (21, "at 21"), (39, "at 39")])
    # The new file begins at the 18th frame of the old one.
    assert new == ({"UNC Path": (tmp_path / "new.mov").as_posix(), "Shot": "12"}, [(3, "at 21")])


def test_the_case_of_an_avid_sequence(cases: Path, tmp_path: Path) -> None:
    source = cases / "nle" / "otio-aaf-adapter__multitrack.aaf"
    document = read_timeline(source)
    clips = document.timeline.clips
    assert [clip.track for clip in clips] == ["V1", "V1", "V1", "V2", "V3"]
    assert [int(clip.record.start * 24) for clip in clips] == [0, 803, 1957, 482, 1198]
    for clip in clips:
        assert clip.editable and clip.source is not None and clip.media is not None
        frames = int(clip.source.duration * 24)
        new = tmp_path / f"new{clip.number}.mov"
        document.relink(
            clip.number,
            NewMedia(path=new, name=new.name, start=clip.source.start, frames=frames, rate=Fraction(24)),
        )
    out = tmp_path / "out.aaf"
    out.write_bytes(document.serialise())
    after = read_timeline(out).timeline.clips
    assert [(clip.name, clip.track, clip.record, clip.source, clip.markers) for clip in after] == [
        (clip.name, clip.track, clip.record, clip.source, clip.markers) for clip in clips
    ]
    assert [clip.media.name for clip in after if clip.media] == [f"new{n}.mov" for n in range(1, 6)]
