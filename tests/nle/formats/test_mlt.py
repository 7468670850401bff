"""Kdenlive and MLT: tracks, entries in frames and clock times, and producers of their own for what is edited."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest

from tests.nle.structure import changes
from vedit.errors import InputError
from vedit.nle.formats.mlt_times import format_frames, parse_frames
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.read import read_timeline

KDENLIVE = """<?xml version='1.0' encoding='utf-8'?>
<mlt LC_NUMERIC="C" producer="main_bin" version="7.5.0" root="{root}">
 <profile frame_rate_num="25" frame_rate_den="1" width="640" height="360"/>
 <producer id="producer0" in="00:00:00.000" out="00:00:39.960">
  <property name="length">1000</property>
  <property name="resource">a.mp4</property>
  <property name="mlt_service">avformat</property>
  <property name="kdenlive:id">2</property>
  <property name="kdenlive:file_hash">old</property>
  <property name="kdenlive:markers">
   [{{"comment":"VEDIT: ink","pos":60,"type":0}},{{"comment":"late","pos":900}}]</property>
  <property name="meta.media.frame_rate_num">25</property>
  <property name="meta.media.frame_rate_den">1</property>
 </producer>
 <playlist id="main_bin">
  <property name="xml_retain">1</property>
  <entry producer="producer0" in="00:00:00.000" out="00:00:39.960"/>
 </playlist>
 <chain id="chain0" out="00:00:39.960">
  <property name="length">1000</property>
  <property name="resource">a.mp4</property>
  <property name="mlt_service">avformat-novalidate</property>
  <property name="kdenlive:id">2</property>
 </chain>
 <playlist id="playlist0">
  <blank length="00:00:01.000"/>
  <entry producer="chain0" in="00:00:02.000" out="00:00:03.960">
   <property name="kdenlive:id">2</property>
   <filter id="f" in="00:00:02.000" out="00:00:03.960"><property name="rect">0=1;10=2</property></filter>
  </entry>
  <entry producer="chain0" in="00:00:05.000" out="00:00:06.960">
   <property name="kdenlive:id">2</property>
  </entry>
 </playlist>
 <playlist id="playlist1"/>
 <tractor id="tractor0">
  <track hide="audio" producer="playlist0"/>
  <track hide="audio" producer="playlist1"/>
 </tractor>
 <playlist id="playlist2">
  <property name="kdenlive:audio_track">1</property>
  <entry producer="chain0" in="00:00:02.000" out="00:00:03.960"/>
 </playlist>
 <tractor id="tractor1">
  <property name="kdenlive:audio_track">1</property>
  <track hide="video" producer="playlist2"/>
 </tractor>
 <tractor id="tractor2">
  <property name="kdenlive:clipname">Cut 3</property>
  <track producer="tractor1"/>
  <track producer="tractor0"/>
 </tractor>
</mlt>
"""
SHOTCUT = """<mlt version="7.5.0">
 <profile frame_rate_num="30000" frame_rate_den="1001"/>
 <producer id="p0" in="0" out="999">
  <property name="length">1000</property><property name="resource">{resource}</property>
  <property name="mlt_service">{service}</property>{more}
 </producer>
 <playlist id="v1"><entry producer="p0" in="100" out="147"/><entry producer="p0" in="100" out="147"/></playlist>
 <tractor id="t"><track producer="v1"/></tractor>
</mlt>
"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    path = tmp_path / "cut.kdenlive"
    path.write_text(text, "utf-8")
    return read_timeline(path)


def shotcut(resource: str = "a.mp4", service: str = "avformat", more: str = "") -> str:
    return SHOTCUT.format(resource=resource, service=service, more=more)


def test_entries_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    timeline = read(tmp_path, KDENLIVE.format(root="")).timeline
    first, second = timeline.clips
    assert (timeline.name, timeline.rate, first.track) == ("Cut 3", 25, "V1")
    assert (first.record, second.record) == (
        TimeSpan(start=Fraction(1), duration=Fraction(2)),
        TimeSpan(start=Fraction(3), duration=Fraction(2)),
    )
    assert first.source == TimeSpan(start=Fraction(2), duration=Fraction(2))
    assert [(marker.name, marker.start) for marker in first.markers] == [("VEDIT: ink", Fraction(60, 25)), ("late", 36)]
    assert first.media is not None and first.media.path == tmp_path / "a.mp4"
    assert not first.with_sound


def test_an_edit_adds_a_bin_clip_and_a_producer(tmp_path: Path) -> None:
    document = read(tmp_path, KDENLIVE.format(root=tmp_path))
    before = document.serialise()
    media = NewMedia(path=tmp_path / "new.mov", name="new", start=Fraction(42, 25), frames=66, rate=Fraction(25))
    document.relink(1, media)
    root = ET.fromstring(document.serialise())
    entries = [entry for playlist in root.iter("playlist") for entry in playlist.iter("entry")]
    assert [entry.get("producer") for entry in entries] == [
        *("producer0", "producer0_vedit1", "chain0_vedit1", "chain0", "chain0")
    ]
    edited = entries[2]
    for element in (edited, *edited.iter("filter")):
        assert (element.get("in"), element.get("out")) == ("00:00:00.320", "00:00:02.280")
    assert edited.findtext("property") == "3"
    made = {
        str(p.get("id")): {str(e.get("name")): e.text for e in p} for p in root if str(p.get("id")).endswith("_vedit1")
    }
    assert made["chain0_vedit1"] == {
        "length": "66",
        "resource": "new.mov",
        "mlt_service": "avformat-novalidate",
        "kdenlive:id": "3",
    }
    assert "kdenlive:file_hash" not in made["producer0_vedit1"]
    assert made["producer0_vedit1"]["kdenlive:markers"] == '[{"comment": "VEDIT: ink", "pos": 18, "type": 0}]'
    # A producer stands in the document before what uses it.
    order = [str(child.get("id")) for child in root]
    assert max(map(order.index, made)) < order.index("main_bin")
    found = changes(before, document.serialise())
    assert {(change.kind, change.name) for change in found} == {
        *(("added", "producer"), ("added", "chain"), ("added", "entry")),
        *(("attribute", "producer"), ("attribute", "in"), ("attribute", "out"), ("text", "")),
    }


def test_two_entries_share_what_was_added(tmp_path: Path) -> None:
    document = read(tmp_path, KDENLIVE.format(root=tmp_path))
    media = NewMedia(path=Path("/x/new.mov"), name="new", start=Fraction(1), frames=200, rate=Fraction(25))
    for number in (1, 2):
        document.relink(number, media)
    again = read(tmp_path, document.serialise().decode())
    for clip, start in zip(again.timeline.clips, (1, 4), strict=True):
        assert clip.media is not None and clip.media.written == "/x/new.mov"
        assert clip.source == TimeSpan(start=Fraction(start), duration=Fraction(2))
    assert document.serialise().decode().count("_vedit2") == 0


def test_plain_mlt_in_frames_keeps_its_sound_with_the_picture(tmp_path: Path) -> None:
    document = read(tmp_path, shotcut())
    rate = Fraction(30000, 1001)
    (first, _) = document.timeline.clips
    assert first.with_sound and first.source == TimeSpan(start=100 / rate, duration=48 / rate)
    document.relink(1, NewMedia(path=Path("/x/n.mov"), name="n", start=92 / rate, frames=64, rate=rate))
    root = ET.fromstring(document.serialise())
    assert [(e.get("producer"), e.get("in"), e.get("out")) for e in root.iter("entry")] == [
        *(("p0_vedit1", "8", "55"), ("p0", "100", "147"))
    ]
    new = root.find("producer[@id='p0_vedit1']")
    assert new is not None and (new.get("out"), new.findtext("property")) == ("63", "64")
    with pytest.raises(InputError, match="holds no sound"):
        document.relink(
            2, NewMedia(path=Path("/x/n.mov"), name="n", start=92 / rate, frames=64, rate=rate, has_sound=False)
        )


def test_a_retime_is_kept(tmp_path: Path) -> None:
    more = '<property name="warp_speed">2</property><property name="warp_resource">a.mp4</property>'
    document = read(tmp_path, shotcut("2:a.mp4", "timewarp", more))
    rate = Fraction(30000, 1001)
    (first, _) = document.timeline.clips
    assert (first.speed, first.source) == (2, TimeSpan(start=Fraction(0), duration=296 / rate))
    document.relink(1, NewMedia(path=Path("/x/n.mov"), name="n", start=Fraction(0), frames=300, rate=rate))
    new = ET.fromstring(document.serialise()).find("producer[@id='p0_vedit1']")
    assert new is not None
    assert {str(entry.get("name")): entry.text for entry in new} == {
        "length": "150",
        "resource": "2:/x/n.mov",
        "mlt_service": "timewarp",
        "warp_speed": "2",
        "warp_resource": "/x/n.mov",
    }


@pytest.mark.parametrize(
    ("service", "kind"), [("color", "generator"), ("qimage", "still"), ("kdenlivetitle", "title"), ("xml", "nested")]
)
def test_what_has_no_media_is_said(tmp_path: Path, service: str, kind: str) -> None:
    (clip, _) = read(tmp_path, shotcut("x", service)).timeline.clips
    assert clip.kind == kind and clip.refusal


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('in="100"', 'in="soon"', "line 7, <entry>: in='soon' is no time"),
        ('out="147"', 'out="7"', "out 7 is before in 100"),
        ('producer="p0"', 'producer="p9"', "there is no producer 'p9'"),
        ('producer="v1"', 'producer="v9"', "<track>: there is no producer 'v9'"),
        ("1001", "0", "its frame rate is no number"),
        ("profile", "profil", "it has no profile"),
    ],
)
def test_faults_say_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = shotcut()
    assert old in text
    with pytest.raises(InputError) as caught:
        read(tmp_path, text.replace(old, new))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)]
)
@pytest.mark.parametrize("like", ["7", "00:00:00.040", "00:00:00,040", "00:00:00:01"])
def test_times_round_trip(rate: Fraction, like: str) -> None:
    for frames in (0, 1, 23, 24, 25, 59, 60, 1799, 1800, 107892, 215783):
        assert parse_frames(format_frames(frames, rate, like=like), rate) == frames


@pytest.mark.parametrize(
    ("resource", "why"), [("a.png", "still"), ("shot_%04d.png", "slideshow"), ("shots/.all.jpg", "slideshow")]
)
def test_pictures_are_told_from_slideshows(tmp_path: Path, resource: str, why: str) -> None:
    path = tmp_path / "cut.kdenlive"
    text = KDENLIVE.format(root=tmp_path).replace("avformat-novalidate", "qimage").replace("a.mp4", resource)
    path.write_text(text, "utf-8")
    assert all(why in clip.refusal for clip in read_timeline(path).timeline.clips)
