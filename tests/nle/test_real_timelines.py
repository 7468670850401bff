"""Real timelines: unedited they come out as they went in; edited, nothing but one clip's media changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests.nle.fcpxml_rules import violations
from tests.nle.structure import canonical, changes, leaf, resolved_files, without_items
from vedit.nle.formats.xml_tree import parse_xml
from vedit.nle.media_paths import MediaRules
from vedit.nle.model import NewMedia, TimelineDocument
from vedit.nle.read import read_timeline

XML = (
    "dawfilekit__24.fcpxml",
    "dawfilekit__25i.fcpxml",
    "dawfilekit__29.97d.fcpxml",
    "dawfilekit__BasicMarkers.fcpxml",
    "dawfilekit__Structure.fcpxml",
    "dawfilekit__TransitionMarkers1.fcpxml",
    "otio-fcpx-xml-adapter__fcpx_example.fcpxml",
    "otio-fcp-adapter__premiere_example.xml",
    "kdenlive-test-suite__mix-luma.kdenlive",
)
EDL = {
    "otio-cmx3600-adapter__25fps.edl": Fraction(25),
    "otio-cmx3600-adapter__dissolve_test.edl": Fraction(24),
    "otio-cmx3600-adapter__gap_test.edl": Fraction(24),
    "otio-cmx3600-adapter__multi_audio.edl": Fraction(30),
    "otio-cmx3600-adapter__premiere_example.edl": Fraction(24),
    "otio-cmx3600-adapter__screening_example.edl": Fraction(24),
    "otio-cmx3600-adapter__speed_effects_small.edl": Fraction(24),
    "otio-cmx3600-adapter__wipe_test.edl": Fraction(24),
    "python-edl__test_2997DF.edl": Fraction(25),
}
OTIO = ("clip_example", "multitrack", "nested_example", "simple_cut", "transition")
CLIPS = {
    "dawfilekit__24.fcpxml": (23, 21),
    "dawfilekit__25i.fcpxml": (13, 11),
    "dawfilekit__29.97d.fcpxml": (13, 11),
    "otio-fcpx-xml-adapter__fcpx_example.fcpxml": (26, 22),
    "otio-fcp-adapter__premiere_example.xml": (10, 8),
    "kdenlive-test-suite__mix-luma.kdenlive": (3, 0),
}
"""Clips with a picture, and those of them whose media can be replaced, counted by hand."""


def xml_and_edl() -> list[str]:
    return [*XML, *EDL]


def editable(document: TimelineDocument) -> list[int]:
    return [clip.number for clip in document.timeline.clips if clip.editable]


@pytest.mark.parametrize("name", XML)
def test_xml_written_from_the_tree_alone_is_canonically_the_source(timelines: Path, name: str) -> None:
    data = (timelines / name).read_bytes()
    written = parse_xml(data, name).serialise(as_written=False)
    assert canonical(written) == canonical(data)


@pytest.mark.parametrize("name", xml_and_edl())
def test_unedited_text_is_the_source(timelines: Path, name: str) -> None:
    document = read_timeline(timelines / name, rate=EDL.get(name))
    assert document.serialise() == (timelines / name).read_bytes()


@pytest.mark.parametrize("name", OTIO)
def test_unedited_otio_is_the_source(timelines: Path, name: str) -> None:
    path = timelines / f"opentimelineio__{name}.otio"
    assert json.loads(read_timeline(path).serialise()) == json.loads(path.read_bytes())


@pytest.mark.parametrize(("name", "counts"), CLIPS.items())
def test_every_clip_is_listed(timelines: Path, name: str, counts: tuple[int, int]) -> None:
    document = read_timeline(timelines / name)
    assert (len(document.timeline.clips), len(editable(document))) == counts
    assert all(clip.refusal for clip in document.timeline.clips if not clip.editable)


@pytest.mark.parametrize("name", [name for name in XML if name.endswith(".fcpxml")])
def test_an_edit_of_fcpxml_changes_one_reference(
    timelines: Path, new_media: Callable[..., NewMedia], name: str
) -> None:
    data = (timelines / name).read_bytes()
    allowed = set(violations(data))
    for number in editable(read_timeline(timelines / name)):
        document = read_timeline(timelines / name)
        clip = document.timeline.clips[number - 1]
        document.relink(number, new_media(clip, Path("/media/made of/new & old.mov")))
        after = document.serialise()
        found = changes(data, after)
        added = [change for change in found if change.kind == "added"]
        assert [(change.path, change.name) for change in added] == [("resources[0]", "asset")]
        rest = [change for change in found if change.kind != "added"]
        assert {change.kind for change in rest} == {"attribute"}
        assert len({change.path for change in rest}) == 1
        names = {change.name for change in rest}
        assert "ref" in names and names <= {"ref", "start", "offset", "duration"}
        assert set(violations(after)) <= allowed


def test_an_edit_of_fcp7_xml_changes_one_file(timelines: Path, new_media: Callable[..., NewMedia]) -> None:
    path = timelines / "otio-fcp-adapter__premiere_example.xml"
    data = path.read_bytes()
    for number in editable(read_timeline(path)):
        document = read_timeline(path)
        clip = document.timeline.clips[number - 1]
        document.relink(number, new_media(clip, Path("/media/new.mov")))
        after = document.serialise()
        described = resolved_files(data)
        resolved = resolved_files(after)
        items = [key for key in described if described[key] != resolved[key]]
        assert len(items) == 1, items
        found = changes(described[items[0]].encode(), resolved[items[0]].encode())
        allowed = {"file", "masterclipid", "duration", "in", "out", "pproTicksIn", "pproTicksOut"}
        assert {leaf(change) for change in found} <= allowed | ({"marker"} if clip.markers else set())
        assert without_items(data) == without_items(after)


@pytest.mark.parametrize("name", EDL)
def test_an_edit_of_an_edl_changes_names_only(timelines: Path, new_media: Callable[..., NewMedia], name: str) -> None:
    lines = (timelines / name).read_bytes().split(b"\n")
    for number in editable(read_timeline(timelines / name, rate=EDL[name])):
        document = read_timeline(timelines / name, rate=EDL[name])
        document.relink(number, new_media(document.timeline.clips[number - 1], Path("/m/new.mov")))
        after = document.serialise().split(b"\n")
        assert len(after) == len(lines)
        changed = [(old, new) for old, new in zip(lines, after, strict=True) if old != new]
        assert changed
        for old, new in changed:
            assert any(key in old for key in (b"CLIP NAME:", b"SOURCE FILE:"))
            assert b"new.mov" in new and new.split(b":")[0] == old.split(b":")[0]


@pytest.mark.parametrize("name", OTIO)
def test_an_edit_of_otio_changes_one_reference(timelines: Path, new_media: Callable[..., NewMedia], name: str) -> None:
    path = timelines / f"opentimelineio__{name}.otio"
    for number in editable(read_timeline(path)):
        document = read_timeline(path)
        document.relink(number, new_media(document.timeline.clips[number - 1], Path("/m/new.mov")))
        old, new = json.loads(path.read_bytes()), json.loads(document.serialise())
        places = list(differences(old, new, "$"))
        assert len(places) == 1 and places[0].endswith("media_reference")


def differences(old: object, new: object, where: str) -> list[str]:
    """The places, media references taken whole, at which two JSON values differ."""
    if old == new:
        return []
    if where.endswith("media_reference") or type(old) is not type(new):
        return [where]
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [place for key in old for place in differences(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [place for a, b in zip(old, new, strict=True) for place in differences(a, b, f"{where}[]")]
    return [where]


@pytest.mark.parametrize("name", ["dawfilekit__24.fcpxml", "otio-fcp-adapter__premiere_example.xml"])
def test_the_other_clips_still_show_the_old_media(
    timelines: Path, new_media: Callable[..., NewMedia], tmp_path: Path, name: str
) -> None:
    document = read_timeline(timelines / name)
    number = editable(document)[0]
    before = document.timeline.clips
    document.relink(number, new_media(before[number - 1], Path("/media/new.mov")))
    out = tmp_path / name
    out.write_bytes(document.serialise())
    after = read_timeline(out).timeline.clips
    relinked = after[number - 1].media
    assert relinked is not None and relinked.written.endswith("/media/new.mov")
    # What the clip shows is the same stretch of time, wherever the new media begins.
    assert (after[number - 1].source, after[number - 1].record) == (
        before[number - 1].source,
        before[number - 1].record,
    )
    rest = [(a.media, a.source, a.record, a.markers) for a in after if a.number != number]
    assert rest == [(b.media, b.source, b.record, b.markers) for b in before if b.number != number]


def test_the_rules_refuse_what_the_document_type_does(timelines: Path) -> None:
    data = (timelines / "dawfilekit__24.fcpxml").read_bytes()
    assert list(violations(data)) == []
    assert list(violations(data.replace(b'offset="0s"', b'offset="0"')))
    assert list(violations(data.replace(b'ref="r6"', b'ref="r66"')))
    assert list(violations(data.replace(b"<gap ", b'<gap/><asset id="r99"/><gap ')))


def test_media_rules_of_a_real_timeline(timelines: Path) -> None:
    clips = read_timeline(timelines / "otio-fcp-adapter__premiere_example.xml").timeline.clips
    media = clips[0].media
    assert media is not None and (media.path, media.problem) == (None, "offline")
    assert MediaRules(base=timelines).locate(media.written).problem == "offline"
