"""A cut of three shots from two files in every format, as the editing systems write it: picture, sound, a title.

one    frames 5 to 12 of a.mov
two    frames 20 to 29 of a.mov
three  frames 3 to 11 of b.mov, which has no timecode
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.nle.footage import BITS, HEIGHT, WIDTH, write_footage
from vedit.media.timecode import format_timecode, parse_timecode

FRAMES = {"a.mov": 40, "b.mov": 20}
SHOTS = (("one", "a.mov", 5, 8), ("two", "a.mov", 20, 6), ("three", "b.mov", 1, 4))
"""Name, media, its first frame, frames."""
WASH = "wash"
"""The look of the second and the third shot."""
LENGTH = sum(count for _, _, _, count in SHOTS)
assert max(FRAMES.values()) <= 2**BITS


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where the media of a cut lies, and how it is counted."""

    folder: Path
    rate: Fraction
    drop: bool
    timecode: str
    """Of a.mov's first frame."""

    @property
    def first(self) -> dict[str, int]:
        """The timecode of each file's first frame, in frames."""
        return {"a.mov": parse_timecode(self.timecode, self.rate), "b.mov": 0}

    def write_media(self) -> None:
        write_footage(self.folder / "a.mov", range(FRAMES["a.mov"]), self.rate, self.timecode)
        write_footage(self.folder / "b.mov", range(FRAMES["b.mov"]), self.rate, None)


def fcpxml(cut: Cut, version: str = "1.9") -> str:
    """Final Cut Pro: asset clips serve picture and sound; a connected title and a marker."""

    def time(frames: int) -> str:
        return f"{frames * cut.rate.denominator}/{cut.rate.numerator}s"

    assets = "".join(
        f"""
        <asset id="r{number}" name="{Path(name).stem}" start="{time(cut.first[name])}" duration="{time(frames)}"
            hasVideo="1" format="r1" hasAudio="1" audioSources="1" audioChannels="1" audioRate="16000">
            <media-rep kind="original-media" src="{(cut.folder / name).as_uri()}"/>
        </asset>"""
        for number, (name, frames) in enumerate(FRAMES.items(), start=2)
    )
    clips, at = "", 0
    for name, media, start, count in SHOTS:
        begin = cut.first[media] + start
        ref = f'ref="r{2 + list(FRAMES).index(media)}"'
        clips += f"""
                    <asset-clip {ref} offset="{time(at)}" name="{name}" start="{time(begin)}" duration="{time(count)}">
                        <title ref="r9" lane="1" offset="{time(begin)}" name="{name} title" duration="{time(4)}"/>
                        <marker start="{time(begin + 1)}" duration="{time(1)}" value="seen"/>
                    </asset-clip>"""
        at += count
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="{version}">
    <resources>
        <format id="r1" frameDuration="{time(1)}" width="{WIDTH}" height="{HEIGHT}"/>{assets}
        <effect id="r9" name="Basic Title" uid=".../Titles.localized/Basic Title.moti"/>
    </resources>
    <library>
        <event name="day one">
            <project name="cut">
                <sequence format="r1" duration="{time(LENGTH)}" tcStart="0s" tcFormat="{"DF" if cut.drop else "NDF"}">
                    <spine>{clips}
                    </spine>
                </sequence>
            </project>
        </event>
    </library>
</fcpxml>
"""


def xmeml(cut: Cut) -> str:
    """Premiere and Resolve: clip items of picture and sound name one file, which the first of them describes."""
    told = (
        f"<rate><timebase>{round(cut.rate)}</timebase><ntsc>{str(cut.rate.denominator == 1001).upper()}</ntsc></rate>"
    )
    described: set[str] = set()

    def file(media: str) -> str:
        if media in described:
            return f'<file id="{media}"/>'
        described.add(media)
        timecode = format_timecode(cut.first[media], cut.rate, drop=cut.drop)
        return f"""<file id="{media}"><name>{media}</name><pathurl>{(cut.folder / media).as_uri()}</pathurl>{told}
                        <duration>{FRAMES[media]}</duration><timecode>{told}<string>{timecode}</string>
                        <frame>{cut.first[media]}</frame><displayformat>{"DF" if cut.drop else "NDF"}</displayformat>
                        </timecode><media><video/><audio><channelcount>1</channelcount></audio></media></file>"""

    def items(kind: str) -> str:
        found, at = "", 0
        for name, media, start, count in SHOTS:
            found += f"""
                    <clipitem id="{name}-{kind}"><name>{name}</name><duration>{FRAMES[media]}</duration>{told}
                        <start>{at}</start><end>{at + count}</end><in>{start}</in><out>{start + count}</out>
                        {file(media)}<sourcetrack><mediatype>{kind}</mediatype></sourcetrack>
                        <link><linkclipref>{name}-video</linkclipref></link>
                        <link><linkclipref>{name}-audio</linkclipref></link></clipitem>"""
            at += count
        return found

    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="4">
    <sequence id="s"><name>cut</name><duration>{LENGTH}</duration>{told}
        <media>
            <video><track>{items("video")}
            </track></video>
            <audio><track>{items("audio")}
            </track></audio>
        </media>
    </sequence>
</xmeml>
"""


def edl(cut: Cut) -> str:
    """CMX 3600, picture and sound in one event; a list has no shot names, so a comment says the look."""
    lines, at = ["TITLE: cut", f"FCM: {'' if cut.drop else 'NON-'}DROP FRAME"], 0
    for number, (name, media, start, count) in enumerate(SHOTS, start=1):
        begin = cut.first[media] + start
        times = " ".join(
            format_timecode(edge, cut.rate, drop=cut.drop) for edge in (begin, begin + count, at, at + count)
        )
        lines += [f"{number:03d}  {Path(media).stem.upper():8} B     C        {times}", f"* FROM CLIP NAME: {media}"]
        lines += [f"* VEDIT: {WASH}"] if name != "one" else []
        at += count
    return "\n".join(lines) + "\n"


def kdenlive(cut: Cut) -> str:
    """Kdenlive: a bin, and a tractor of two playlists for each track; sound lies on a track of its own."""

    def properties(**values: object) -> str:
        return "".join(
            f'\n  <property name="{name.replace("__", ":")}">{value}</property>' for name, value in values.items()
        )

    def chain(name: str, media: str, number: int, **more: object) -> str:
        values = properties(
            length=FRAMES[media],
            eof="pause",
            resource=media,
            mlt_service="avformat-novalidate",
            kdenlive__id=number,
            **more,
        )
        return f'\n <producer id="{name}" in="0" out="{FRAMES[media] - 1}">{values}\n </producer>'

    binned = {media: number for number, media in enumerate(FRAMES, start=2)}
    producers = "".join(chain(f"bin{number}", media, number) for media, number in binned.items())
    video = audio = ""
    for name, media, start, count in SHOTS:
        producers += chain(f"{name}_v", media, binned[media], set__test_audio=1, kdenlive__clipname=name)
        producers += chain(f"{name}_a", media, binned[media], set__test_image=1)
        for kind in ("v", "a"):
            known = properties(kdenlive__id=binned[media])
            entry = f'\n  <entry producer="{name}_{kind}" in="{start}" out="{start + count - 1}">{known}</entry>'
            video, audio = (video + entry, audio) if kind == "v" else (video, audio + entry)
    entries = "".join(
        f'\n  <entry producer="bin{number}" in="0" out="{FRAMES[media] - 1}"/>' for media, number in binned.items()
    )
    size = f'width="{WIDTH}" height="{HEIGHT}" progressive="1" sample_aspect_num="1" sample_aspect_den="1"'
    shape = f'display_aspect_num="3" display_aspect_den="2" colorspace="709" {size}'
    rate = f'frame_rate_num="{cut.rate.numerator}" frame_rate_den="{cut.rate.denominator}"'
    return f"""<?xml version='1.0' encoding='utf-8'?>
<mlt LC_NUMERIC="C" version="7.13.0" title="cut" root="{cut.folder}" producer="main_bin">
 <profile description="small" {rate} {shape}/>{producers}
 <playlist id="main_bin">{properties(kdenlive__docproperties__version="1.04", xml_retain=1)}{entries}
 </playlist>
 <producer id="black" in="0" out="{LENGTH - 1}">{properties(resource="black", mlt_service="color", length=LENGTH)}
 </producer>
 <playlist id="a0">{properties(kdenlive__audio_track=1)}{audio}
 </playlist>
 <playlist id="a1">{properties(kdenlive__audio_track=1)}</playlist>
 <tractor id="sound" in="0" out="{LENGTH - 1}">{properties(kdenlive__audio_track=1)}
  <track hide="video" producer="a0"/><track hide="video" producer="a1"/>
 </tractor>
 <playlist id="v0">{video}
 </playlist>
 <playlist id="v1"></playlist>
 <tractor id="picture" in="0" out="{LENGTH - 1}"><track hide="audio" producer="v0"/><track hide="audio" producer="v1"/>
 </tractor>
 <tractor id="cut" in="0" out="{LENGTH - 1}">
  <track producer="black"/><track producer="sound"/><track producer="picture"/>
  <transition id="mix">{properties(a_track=0, b_track=1, mlt_service="mix", always_active=1, sum=1)}</transition>
  <transition id="blend">{properties(a_track=0, b_track=2, mlt_service="frei0r.cairoblend")}</transition>
 </tractor>
</mlt>
"""


def otio(cut: Cut) -> str:
    """OpenTimelineIO, a track of picture and one of sound."""

    def span(start: int, count: int) -> dict[str, Any]:
        def time(value: int) -> dict[str, Any]:
            return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(cut.rate), "value": float(value)}

        return {"OTIO_SCHEMA": "TimeRange.1", "start_time": time(start), "duration": time(count)}

    def clip(name: str, media: str, start: int, count: int) -> dict[str, Any]:
        return {
            "OTIO_SCHEMA": "Clip.2",
            "metadata": {"shot": {"name": name}},
            "name": name,
            "source_range": span(cut.first[media] + start, count),
            "media_references": {
                "DEFAULT_MEDIA": {
                    "OTIO_SCHEMA": "ExternalReference.1",
                    "available_range": span(cut.first[media], FRAMES[media]),
                    "target_url": (cut.folder / media).as_uri(),
                }
            },
            "active_media_reference_key": "DEFAULT_MEDIA",
        }

    tracks = [
        {"OTIO_SCHEMA": "Track.1", "name": kind, "kind": kind, "children": [clip(*shot) for shot in SHOTS]}
        for kind in ("Video", "Audio")
    ]
    root = {"OTIO_SCHEMA": "Timeline.1", "name": "cut", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": tracks}}
    return json.dumps(root, indent=4) + "\n"


def write_aaf(cut: Cut, path: Path) -> None:
    """AAF: composition, master mobs, file mobs with an address; a.mov comes from a tape with timecode."""
    import aaf2

    rate = int(cut.rate)
    with aaf2.open(str(path), "w") as opened:
        file: Any = opened
        sources = {media: _aaf_source(file, cut, media) for media in FRAMES}
        masters: dict[str, Any] = {}
        for name, media, _, _ in SHOTS:
            master = masters[name] = file.create.MasterMob(name)
            clip = sources[media].create_source_clip(_only_slot(sources[media]), start=0, length=FRAMES[media])
            master.create_picture_slot(rate).segment = clip
            file.content.mobs.append(master)
        composition = file.create.CompositionMob("cut")
        composition.usage = "Usage_TopLevel"
        sequence = file.create.Sequence(media_kind="picture")
        for name, _, start, count in SHOTS:
            slot = _only_slot(masters[name])
            sequence.components.append(masters[name].create_source_clip(slot, start=start, length=count))
        composition.create_timeline_slot(rate).segment = sequence
        file.content.mobs.append(composition)


def _aaf_source(file: Any, cut: Cut, media: str) -> Any:
    rate, frames = int(cut.rate), FRAMES[media]
    descriptor = file.create.CDCIDescriptor()
    descriptor["ComponentWidth"].value, descriptor["HorizontalSubsampling"].value = 8, 2
    descriptor["ImageAspectRatio"].value = "3/2"
    descriptor["StoredWidth"].value, descriptor["StoredHeight"].value = WIDTH, HEIGHT
    descriptor["FrameLayout"].value, descriptor["VideoLineMap"].value = "FullFrame", [0, 0]
    descriptor["SampleRate"].value, descriptor["Length"].value = rate, frames
    locator = file.create.NetworkLocator()
    locator["URLString"].value = (cut.folder / media).as_uri()
    descriptor["Locator"].append(locator)
    source = file.create.SourceMob(media)
    source.descriptor = descriptor
    slot = source.create_picture_slot(rate)
    if cut.first[media]:
        tape = file.create.SourceMob("TAPE")
        tape.create_tape_slots("TAPE", rate, rate)
        timecode = next(slot for slot in tape.slots if type(slot.segment).__name__ == "Timecode")
        timecode.segment.start, timecode.segment.length = cut.first[media], frames
        file.content.mobs.append(tape)
        picture = next(slot for slot in tape.slots if slot.media_kind == "Picture")
        slot.segment = tape.create_source_clip(picture.slot_id, start=0, length=frames)
    else:
        slot.segment = file.create.SourceClip(start=0, length=frames, media_kind="picture")
    file.content.mobs.append(source)
    return source


def _only_slot(mob: Any) -> int:
    return next(iter(mob.slots)).slot_id
