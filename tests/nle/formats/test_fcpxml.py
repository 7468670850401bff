"""FCPXML: rates and timecodes, references that are shared, nested or absent, and what its document type asks for."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tests.nle.fcpxml_rules import violations
from tests.nle.structure import changes
from vedit.errors import InputError
from vedit.nle.clock import timecode_at
from vedit.nle.model import NewMedia, TimelineDocument, TimeSpan
from vedit.nle.read import read_timeline, write_timeline

NEW = Path("/m/new.mov")
# (frames a second as a frame's duration, drop-frame, first timecode of the media and the frame it is)
RATES = [
    ("1001/24000s", False, "01:00:00:00", 86400),
    ("1/24s", False, "01:00:00:00", 86400),
    ("100/2500s", False, "10:00:00:00", 900000),
    ("1001/30000s", True, "01:00:00;00", 107892),
    ("1001/60000s", True, "00:59:59;58", 215782),
]


def fcpxml(body: str, *, frame: str = "1/24s", drop: bool = False, start: str = "0s", resources: str = "") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.11">
    <resources>
        <format id="r1" name="FFVideoFormat1080p24" frameDuration="{frame}" width="1920" height="1080"/>
        <asset id="r2" name="A001" uid="OLD" start="{start}" duration="240s" hasVideo="1" format="r1" hasAudio="1">
            <media-rep kind="original-media" sig="OLD" src="file:///m/A001.mov"><bookmark>eA==</bookmark></media-rep>
            <media-rep kind="proxy-media" src="file:///m/proxy.mov"/>
            <metadata>
                <md key="com.apple.proapps.studio.reel" value="A001"/>
                <md key="com.apple.proapps.spotlight.kMDItemCodecs" value="x"/>
            </metadata>
        </asset>
        <effect id="r3" name="Gradient" uid="x"/>{resources}
    </resources>
    <project name="Cut">
        <sequence format="r1" duration="100s" tcStart="3600s" tcFormat="{"DF" if drop else "NDF"}">
            <spine>
{body}
            </spine>
        </sequence>
    </project>
</fcpxml>
"""


def read(tmp_path: Path, text: str) -> TimelineDocument:
    path = tmp_path / "cut.fcpxml"
    path.write_text(text, "utf-8")
    return read_timeline(path)


def written(document: TimelineDocument, path: str) -> ET.Element:
    found = ET.fromstring(document.serialise()).find(path)
    assert found is not None
    return found


@pytest.mark.parametrize(("frame", "drop", "timecode", "first"), RATES)
def test_times_are_exact_at_every_rate(tmp_path: Path, frame: str, drop: bool, timecode: str, first: int) -> None:
    numerator, denominator = (int(part) for part in frame.rstrip("s").split("/"))
    step = Fraction(numerator, denominator)

    def time(frames: int) -> str:
        return f"{frames * numerator}/{denominator}s"

    kind = "DF" if drop else "NDF"
    shown = f'start="{time(first + 100)}" duration="{time(48)}"'
    body = f'<asset-clip ref="r2" offset="3600s" name="c" {shown} tcFormat="{kind}"/>'
    document = read(tmp_path, fcpxml(body, frame=frame, drop=drop, start=time(first)))
    timeline = document.timeline
    (clip,) = timeline.clips
    assert (timeline.rate, timeline.start, timeline.drop) == (1 / step, 3600, drop)
    assert clip.source == TimeSpan(start=(first + 100) * step, duration=48 * step)
    assert clip.media is not None and clip.media.start is not None
    assert timecode_at(clip.media.start, 1 / step, drop=clip.media.drop) == timecode
    media = NewMedia(path=NEW, name="new.mov", start=(first + 92) * step, frames=64, rate=1 / step)
    document.relink(1, media)
    asset = written(document, "resources/asset[@id='r4']")
    for name, frames in (("start", first + 92), ("duration", 64)):
        told = Fraction(*(int(part) for part in asset.attrib[name].rstrip("s").split("/")))
        assert told == frames * step
    assert list(violations(document.serialise())) == []


def test_times_stay_on_the_frame_grid(tmp_path: Path) -> None:
    body = '<asset-clip ref="r2" name="c" start="1001/30000s" duration="30030/30000s"/>'
    document = read(tmp_path, fcpxml(body, frame="1001/30000s"))
    rate = Fraction(30000, 1001)
    document.relink(1, NewMedia(path=NEW, name="n", start=1 / rate, frames=30, rate=rate))
    asset = written(document, "resources/asset[@id='r4']")
    assert (asset.get("start"), asset.get("duration")) == ("1001/30000s", "30030/30000s")


def test_the_new_asset_is_the_new_files_own(tmp_path: Path) -> None:
    document = read(tmp_path, fcpxml('<asset-clip ref="r2" name="c" start="10s" duration="2s"/>'))
    assert document.timeline.clips[0].media is not None
    assert document.timeline.clips[0].media.reel == "A001"
    document.relink(
        1, NewMedia(path=Path("/m/a & b.mov"), name="a & b", start=Fraction(9), frames=96, rate=Fraction(24))
    )
    asset = written(document, "resources/asset[@id='r4']")
    assert asset.attrib == {
        "id": "r4",
        "name": "a & b",
        "start": "9s",
        "duration": "4s",
        "hasVideo": "1",
        "format": "r1",
        "hasAudio": "1",
    }
    assert [child.tag for child in asset] == ["media-rep", "metadata"]
    assert asset[0].attrib == {"kind": "original-media", "src": "file:///m/a%20&%20b.mov"}
    assert len(asset[0]) == 0 and [md.get("key") for md in asset[1]] == ["com.apple.proapps.studio.reel"]
    assert list(violations(document.serialise())) == []


def test_a_clip_without_start_keeps_its_place_in_the_media(tmp_path: Path) -> None:
    document = read(tmp_path, fcpxml('<asset-clip ref="r2" name="c" duration="2s"/>', start="3600s"))
    assert document.timeline.clips[0].source == TimeSpan(start=Fraction(3600), duration=Fraction(2))
    document.relink(1, NewMedia(path=NEW, name="n", start=Fraction(3600), frames=240, rate=Fraction(24)))
    assert "start" not in written(document, ".//asset-clip").attrib
    document = read(tmp_path, fcpxml('<asset-clip ref="r2" name="c" duration="2s"/>', start="1s"))
    document.relink(1, NewMedia(path=NEW, name="n", start=Fraction(1, 2), frames=240, rate=Fraction(24)))
    assert written(document, ".//asset-clip").get("start") == "1s"


def test_two_clips_of_one_file_share_one_new_asset(tmp_path: Path) -> None:
    body = '<asset-clip ref="r2" name="a" duration="2s"/><asset-clip ref="r2" name="b" duration="2s"/>' * 2
    document = read(tmp_path, fcpxml(body))
    media = NewMedia(path=NEW, name="n", start=Fraction(0), frames=96, rate=Fraction(24))
    for number in (1, 3):
        document.relink(number, media)
    document.relink(4, replace(media, path=Path("/m/other.mov")))
    root = ET.fromstring(document.serialise())
    assert [clip.get("ref") for clip in root.iter("asset-clip")] == ["r4", "r2", "r4", "r5"]
    assert len(list(root.iter("asset"))) == 3


def test_a_new_size_takes_a_format_of_its_own(tmp_path: Path) -> None:
    document = read(tmp_path, fcpxml('<asset-clip ref="r2" name="c" duration="2s"/>'))
    media = NewMedia(path=NEW, name="n", start=Fraction(0), frames=96, rate=Fraction(24), size=(960, 540))
    document.relink(1, media)
    new = written(document, "resources/format[@id='r5']")
    assert new.attrib == {"id": "r5", "frameDuration": "1/24s", "width": "960", "height": "540"}
    assert written(document, "resources/asset[@id='r4']").get("format") == "r5"
    assert list(violations(document.serialise())) == []


def test_a_picture_inside_a_clip_spans_the_new_media(tmp_path: Path) -> None:
    body = """<clip name="c" start="3610s" duration="2s"><video offset="3600s" ref="r2" start="3600s" duration="240s">
    <audio lane="-1" offset="3600s" ref="r2" start="3600s" duration="240s"/></video></clip>"""
    document = read(tmp_path, fcpxml(body, start="3600s"))
    (clip,) = document.timeline.clips
    assert clip.source == TimeSpan(start=Fraction(3610), duration=Fraction(2)) and not clip.with_sound
    document.relink(
        1, NewMedia(path=NEW, name="n", start=Fraction(3609), frames=96, rate=Fraction(24), has_sound=False)
    )
    video, audio = written(document, ".//video"), written(document, ".//audio")
    assert (video.get("ref"), video.get("offset"), video.get("start"), video.get("duration")) == (
        "r4",
        "3609s",
        "3609s",
        "4s",
    )
    assert audio.get("ref") == "r2"
    assert "hasAudio" not in written(document, "resources/asset[@id='r4']").attrib


def test_a_retime_is_kept_and_its_source_range_taken(tmp_path: Path) -> None:
    body = """<asset-clip ref="r2" name="c" start="3605s" duration="2s"><timeMap>
    <timept time="3600s" value="3600s" interp="smooth2"/><timept time="3720s" value="3840s" interp="smooth2"/>
    </timeMap></asset-clip>"""
    document = read(tmp_path, fcpxml(body, start="3600s"))
    (clip,) = document.timeline.clips
    assert (clip.speed, clip.source) == (2, TimeSpan(start=Fraction(3610), duration=Fraction(4)))
    before = document.serialise()
    document.relink(1, NewMedia(path=NEW, name="n", start=Fraction(3609), frames=144, rate=Fraction(24)))
    found = changes(before, document.serialise())
    assert sorted((change.kind, change.name) for change in found) == [("added", "asset"), ("attribute", "ref")]


def test_connected_clips_and_transitions(tmp_path: Path) -> None:
    body = """<gap offset="3600s" start="100s" duration="10s">
      <asset-clip ref="r2" lane="2" offset="103s" name="above" duration="2s"/>
      <spine lane="-1" offset="101s">
        <asset-clip ref="r2" name="s1" duration="1s"/><asset-clip ref="r2" name="s2" duration="1s"/></spine>
    </gap>
    <asset-clip ref="r2" offset="3610s" name="left" start="5s" duration="4s"/>
    <transition offset="3613s" duration="2s"/>
    <asset-clip ref="r2" offset="3614s" name="right" start="50s" duration="4s" enabled="0"/>"""
    clips = {clip.name: clip for clip in read(tmp_path, fcpxml(body)).timeline.clips}
    assert {name: (clip.track, clip.record.start) for name, clip in clips.items()} == {
        "above": ("V3", 3),
        "s1": ("V-1", 1),
        "s2": ("V-1", 2),
        "left": ("V1", 10),
        "right": ("V1", 14),
    }
    assert (clips["left"].head, clips["left"].tail) == (0, 1)
    assert (clips["right"].head, clips["right"].tail, clips["right"].enabled) == (1, 0, False)


def test_what_cannot_be_edited_is_said(tmp_path: Path) -> None:
    resources = """<media id="r9" name="comp"><sequence format="r1"><spine>
        <asset-clip ref="r2" name="inside" duration="2s"/></spine></sequence></media>
        <asset id="r8" name="still" start="0s" duration="0s" hasVideo="1" format="r1"><media-rep src="file:///m/s.png"/></asset>
        <asset id="r7" name="sound" duration="9s" hasAudio="1" hasVideo="0"><media-rep src="file:///m/s.wav"/></asset>"""
    body = """<ref-clip ref="r9" name="c1" duration="2s"/><mc-clip ref="r9" name="c2" duration="2s"/>
        <sync-clip name="c3" duration="2s"/><audition><asset-clip ref="r2" name="c4" duration="2s"/></audition>
        <title ref="r3" name="c5" duration="2s"/><video ref="r3" name="c6" duration="2s"/>
        <video ref="r8" name="c7" duration="2s"/><asset-clip ref="r7" name="sound" duration="2s"/>"""
    document = read(tmp_path, fcpxml(body, resources=resources))
    kinds = [clip.kind for clip in document.timeline.clips]
    assert kinds == ["compound", "multicam", "sync", "audition", "title", "generator", "still", "clip"]
    assert [clip.number for clip in document.timeline.clips if clip.editable] == [8]
    assert document.timeline.clips[7].sequence == "comp"
    before = document.serialise()
    for number in range(1, 8):
        with pytest.raises(InputError, match="cannot be restyled"):
            document.relink(number, NewMedia(path=NEW, name="n", start=Fraction(0), frames=99, rate=Fraction(24)))
    assert document.serialise() == before


def test_media_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    document = read(tmp_path, fcpxml('<asset-clip ref="r2" name="c" start="10s" duration="2s"/>'))
    before = document.serialise()
    fits = NewMedia(path=NEW, name="n", start=Fraction(10), frames=48, rate=Fraction(24))
    for wrong, said in (
        (replace(fits, start=Fraction(11)), "does not cover"),
        (replace(fits, frames=40), "does not cover"),
        (replace(fits, has_sound=False), "holds no sound"),
    ):
        with pytest.raises(InputError, match=said):
            document.relink(1, wrong)
    assert document.serialise() == before
    document.relink(1, fits)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('duration="2s"', 'duration="2 seconds"', "line 19, <asset-clip>: duration='2 seconds' is no time"),
        ('duration="2s"', 'duration="2/0s"', "is no time"),
        ('ref="r2"', 'ref="r99"', "line 19, <asset-clip>: there is no resource 'r99'"),
        ('frameDuration="1/24s"', 'frameDuration="x"', "<format>: frameDuration='x' is no time"),
        ('format="r1" duration="100s"', 'duration="100s"', "<sequence>: its format '' gives no frame rate"),
        ('version="1.11"', 'version="1.3"', "version '1.3' is not read"),
        ("project", "event", "it holds no project"),
        ("fcpxml", "html", "not a timeline"),
        ('lane="1"', 'lane="one"', "lane='one' is no number"),
    ],
)
def test_faults_say_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = fcpxml('<asset-clip ref="r2" name="c" duration="2s" lane="1"/>').replace(old, new)
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value) and "cut.fcpxml" in str(caught.value)


def test_a_bundle_is_read_by_its_info(tmp_path: Path) -> None:
    bundle = tmp_path / "cut.fcpxmld"
    bundle.mkdir()
    (bundle / "clip.mov").touch()
    text = fcpxml('<asset-clip ref="r2" name="c" duration="2s"/>').replace("file:///m/A001.mov", "clip.mov")
    (bundle / "Info.fcpxml").write_text(text, "utf-8")
    (clip,) = read_timeline(bundle).timeline.clips
    assert clip.media is not None and clip.media.path == bundle / "clip.mov"


CLIP = '<asset-clip ref="r2" name="c" start="10s" duration="2s"/>'


@pytest.mark.parametrize("ending", [".fcpxml", ".fcpxmld"])
def test_a_bundle_has_either_ending(tmp_path: Path, ending: str) -> None:
    bundle = tmp_path / f"cut{ending}"
    bundle.mkdir()
    (bundle / "Info.fcpxml").write_text(fcpxml(CLIP), "utf-8")
    (bundle / "more.bin").write_bytes(b"kept")
    document = read_timeline(bundle)
    document.relink(1, NewMedia(path=NEW, name="n", start=Fraction(9), frames=96, rate=Fraction(24)))
    out = write_timeline(document, bundle, tmp_path / f"out{ending}")
    assert (out / "more.bin").read_bytes() == b"kept"
    (again,) = read_timeline(out).timeline.clips
    assert again.media is not None and again.media.written.endswith("/m/new.mov")
    with pytest.raises(InputError, match="is a folder"):
        (tmp_path / "file.fcpxml").write_text(fcpxml(CLIP))
        plain = read_timeline(tmp_path / "file.fcpxml")
        (tmp_path / "taken.fcpxml").mkdir()
        write_timeline(plain, tmp_path / "file.fcpxml", tmp_path / "taken.fcpxml", overwrite=True)
    with pytest.raises(InputError, match="Info"):
        read_timeline(tmp_path / "taken.fcpxml")


@pytest.mark.parametrize("version", ["1.8", "1.13", "1.14"])
def test_known_versions_are_read_without_a_word(tmp_path: Path, version: str) -> None:
    assert read(tmp_path, fcpxml(CLIP).replace('"1.11"', f'"{version}"')).timeline.notes == ()
    (newer,) = read(tmp_path, fcpxml(CLIP).replace('"1.11"', '"1.15"')).timeline.notes
    assert "newer than what is known" in newer


def test_several_projects_are_named(tmp_path: Path) -> None:
    text = fcpxml(CLIP)
    begin, end = text.index("    <project"), text.index("</fcpxml>")
    other = text[begin:end].replace('"Cut"', '"Trailer"').replace('sequence format="r1"', 'sequence format="r9"')
    text = text[:end] + f"<event>{other}</event>" + text[end:]
    document = read(tmp_path, text.replace("</resources>", '<format id="r9" frameDuration="1/50s"/></resources>'))
    assert [clip.sequence_rate for clip in document.timeline.clips] == [24, 50]
    assert [clip.sequence for clip in document.timeline.clips] == ["Cut", "Trailer"]
    (note,) = document.timeline.notes
    assert "'Cut', 'Trailer'" in note and "sequence =" in note


@pytest.mark.parametrize(
    "holder", ["<event name='day'>{}</event>", "<library><event name='day'>{}</event></library>", "{}"]
)
def test_an_event_without_a_project_gives_its_clips(tmp_path: Path, holder: str) -> None:
    text = fcpxml("")
    begin, end = text.index("    <project"), text.index("</fcpxml>")
    clips = f"""{CLIP}<clip name="d" duration="3s"><video ref="r2" offset="0s" duration="240s"/></clip>
        <keyword-collection name="k"/>"""
    document = read(tmp_path, text[:begin] + holder.format(clips) + text[end:])
    timeline = document.timeline
    assert (timeline.rate, timeline.start) == (24, 0)
    assert timeline.name == ("day" if "day" in holder else "event")
    assert [(clip.name, clip.record.start, clip.editable) for clip in timeline.clips] == [
        ("c", 0, True),
        ("d", 0, True),
    ]
    for number in (1, 2):
        document.relink(number, NewMedia(path=NEW, name="n", start=Fraction(0), frames=480, rate=Fraction(24)))
    assert [asset.get("name") for asset in ET.fromstring(document.serialise()).iter("asset")] == ["A001", "n"]
