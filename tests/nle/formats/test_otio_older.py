"""OTIO as other versions and systems write it: infinity, old names, a reference for each cut, image sequences."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from PIL import Image

from tests.nle.formats.test_otio import clip, read, span, time
from vedit.errors import InputError
from vedit.nle.jobs import media_facts, needed_media, plan_timeline, sequence_rates
from vedit.nle.looks import Look, LookRule, Looks
from vedit.nle.model import NewMedia
from vedit.nle.ranges import MediaFacts, used_range
from vedit.nle.read import read_timeline


def test_infinity_stays_as_opentimelineio_writes_it(tmp_path: Path) -> None:
    written = otio.schema.Timeline("Inf -Inf")
    track = otio.schema.Track()
    shown = otio.opentime.TimeRange(otio.opentime.RationalTime(5, 24), otio.opentime.RationalTime(10, 24))
    endless = otio.opentime.TimeRange(otio.opentime.RationalTime(0, 24), otio.opentime.RationalTime(float("inf"), 24))
    reference = otio.schema.ExternalReference("file:///m/a.mov", endless, {"low": float("-inf"), "said": 'a "Inf" b'})
    track.append(otio.schema.Clip("a", reference, shown, markers=[otio.schema.Marker("m", endless)]))
    written.tracks.append(track)
    path = tmp_path / "cut.otio"
    path.write_text(written.to_json_string(indent=4), "utf-8")
    assert "Inf," in path.read_text() or "Infinity," in path.read_text()
    document = read_timeline(path)
    (found,) = document.timeline.clips
    assert found.media is not None and found.media.start is None and found.markers[0].start is None
    assert document.serialise().decode() == path.read_text("utf-8")
    new = NewMedia(path=Path("/m/new.mov"), name="new", start=Fraction(0), frames=24, rate=Fraction(24))
    document.relink(1, new)
    again = otio.adapters.read_from_string(document.serialise().decode(), "otio_json")
    (played,) = again.find_clips()
    assert played.media_reference.target_url == "file:///m/new.mov"
    assert played.media_reference.metadata["low"] == float("-inf")
    assert played.markers[0].marked_range.duration.value == float("inf")


def test_old_names_of_schemas(tmp_path: Path) -> None:
    one = {**clip("b"), "OTIO_SCHEMA": "Clip.1", "media_reference": clip()["media_references"]["DEFAULT_MEDIA"]}
    del one["media_references"]
    one["markers"] = [{"OTIO_SCHEMA": "Marker.1", "name": "m", "range": span(110, 1)}]
    filler = {"OTIO_SCHEMA": "Filler.1", "source_range": span(0, 24)}
    track = {"OTIO_SCHEMA": "Sequence.1", "kind": "Video", "children": [filler, one]}
    root = {"OTIO_SCHEMA": "Timeline.1", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": [track]}}
    path = tmp_path / "cut.otio"
    path.write_text(json.dumps(root), "utf-8")
    document = read_timeline(path)
    (found,) = document.timeline.clips
    assert (found.kind, found.name, found.track, found.record.start) == ("clip", "b", "V1", 1)
    assert found.markers[0].start == Fraction(110, 24)
    assert document.serialise().decode() == path.read_text("utf-8")


@pytest.mark.parametrize(
    ("origin", "starts"),
    [(0, (100, 300)), (86400, (86500, 86700)), (5, (100, 300))],
    ids=["from 0", "by timecode", "the file begins at frame 5"],
)
def test_a_reference_for_each_cut_says_not_where_the_file_begins(
    tmp_path: Path, origin: int, starts: tuple[int, int]
) -> None:
    clips = [clip(str(start), origin=0) for start in starts]
    (tmp_path / "a.mov").write_bytes(b"")
    for told, start in zip(clips, starts, strict=True):
        told["source_range"] = span(start, 20)
        told["media_references"]["DEFAULT_MEDIA"]["available_range"] = span(start, 20)
        told["media_references"]["DEFAULT_MEDIA"]["target_url"] = "a.mov"
    facts = MediaFacts(frames=1000, rate=Fraction(24), start=Fraction(origin, 24))
    found = read(tmp_path, *clips).timeline.clips
    used = [used_range(one, facts).used.start for one in found]
    assert used == [start - origin for start in starts]


def sequence(tmp_path: Path, **more: object) -> dict[str, Any]:
    for number in range(1001, 1041):
        Image.fromarray(np.full((16, 16, 3), number % 256, np.uint8)).save(tmp_path / f"shot.{number:04d}.png")
    told = clip("pictures")
    told["media_references"]["DEFAULT_MEDIA"] = {
        "OTIO_SCHEMA": "ImageSequenceReference.1",
        "target_url_base": tmp_path.as_uri(),
        "name_prefix": "shot.",
        "name_suffix": ".png",
        "start_frame": 1001,
        "frame_step": 1,
        "rate": 24,
        "frame_zero_padding": 4,
        "missing_frame_policy": "error",
        "available_range": span(0, 40),
        "metadata": {"kept": 1},
        **more,
    }
    told["source_range"] = span(10, 12)
    return told


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({}, 10),
        ({"start_frame": 1006}, 15),
        ({"available_range": span(10, 12), "start_frame": 1011}, 10),
        ({"available_range": None}, 10),
        ({"target_url_base": ""}, 10),
    ],
)
def test_an_image_sequence_is_media(tmp_path: Path, more: dict[str, Any], first: int) -> None:
    document = read(tmp_path, sequence(tmp_path, **more))
    (found,) = document.timeline.clips
    assert found.editable and found.media is not None and found.media.path == tmp_path / "shot.%04d.png"
    looks = Looks(rules=(LookRule(look=Look(name="ink", settings={"prompt": "ink"})),))
    rates = sequence_rates(document)
    facts = {path: media_facts(path, rate=rates.get(path)) for path in needed_media(document, looks)}
    (job,) = plan_timeline(document, looks, handles=2, facts=facts)
    assert (job.used.start, len(job.used), job.handles, job.output.suffix) == (first, 12, (2, 2), ".mov")
    document.relink(1, job.new_media())
    again = otio.adapters.read_from_string(document.serialise().decode(), "otio_json")
    (played,) = again.find_clips()
    reference = played.media_reference
    assert reference.schema_name() == "ExternalReference" and reference.metadata["kept"] == 1
    # What the clip shows is as far from the first frame of its media as before.
    assert played.source_range.start_time.value - reference.available_range.start_time.value == 2
    assert reference.available_range.duration.value == 16


def test_pictures_left_out_are_no_movie(tmp_path: Path) -> None:
    (found,) = read(tmp_path, sequence(tmp_path, frame_step=2)).timeline.clips
    assert "leaves pictures out" in found.refusal


@pytest.mark.parametrize("number", ["1e999999999", "1/0", "inf", "9" * 5000, True, None, [], float("nan"), 1e300])
@pytest.mark.parametrize("place", ["value", "rate"])
def test_no_number_takes_long_or_gets_through(tmp_path: Path, place: str, number: object) -> None:
    broken = clip(source_range={**span(0, 5), "start_time": {**time(0), place: number}})
    with pytest.raises(InputError, match=r"is no (time|rate)"):
        read(tmp_path, broken)
    (varied,) = read(
        tmp_path, clip(effects=[{"OTIO_SCHEMA": "LinearTimeWarp.1", "time_scalar": number}])
    ).timeline.clips
    assert varied.speed is None and not varied.editable


def test_a_picture_is_a_still_or_the_first_of_a_sequence(tmp_path: Path) -> None:
    sequence(tmp_path)
    Image.new("RGB", (16, 16)).save(tmp_path / "title.png")
    clips: list[dict[str, Any]] = []
    for name in ("title.png", "shot.1001.png"):
        told = clip(name)
        told["media_references"]["DEFAULT_MEDIA"] |= {"target_url": name, "available_range": span(0, 40)}
        clips.append({**told, "source_range": span(0, 20)})
    still, run = read(tmp_path, *clips).timeline.clips
    assert (still.kind, still.refusal) == ("still", "a still picture")
    assert run.editable and run.media is not None and run.media.path == tmp_path / "shot.%04d.png"


def test_pictures_of_an_edl(tmp_path: Path) -> None:
    sequence(tmp_path)
    Image.new("RGB", (16, 16)).save(tmp_path / "title.png")
    names = ("title.png", "shot.1001.png", "shot.[1001-1040].png")
    lines = [
        f"{number:03d}  AX V C 00:00:41:17 00:00:42:17 00:00:0{number}:00 00:00:0{number + 1}:00\n"
        f"* FROM CLIP NAME: {name}"
        for number, name in enumerate(names)
    ]
    path = tmp_path / "cut.edl"
    path.write_text("\n".join(lines))
    still, run, named = read_timeline(path, rate=Fraction(24)).timeline.clips
    assert still.kind == "still"
    for found in (run, named):
        assert found.media is not None and found.media.path == tmp_path / "shot.%04d.png"
        facts = media_facts(tmp_path / "shot.%04d.png", rate=Fraction(24))
        # 41 s and 17 frames are the 1001st frame.
        assert used_range(found, facts, handles=0).used.start == 0
