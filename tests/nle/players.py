"""What a cut shows, worked out the way the editing systems do: from the file alone, without the code that is tested."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.nle.footage import timecode_of
from vedit.media.timecode import parse_timecode


@dataclass(frozen=True, kw_only=True)
class Played:
    """One shot: where it lies, and which frames of which file it shows."""

    record: int
    count: int
    path: Path
    first: int
    """Frames from the file's first."""
    clock: int | None = None
    """The timecode, in frames, that the cut believes the file to begin with; None: it does not say."""


def play(path: Path, rate: Fraction) -> list[Played]:
    """The shots of a cut's lowest picture track."""
    if path.is_dir():
        return _fcpxml(path / "Info.fcpxml", rate)
    return {".fcpxml": _fcpxml, ".xml": _xmeml, ".edl": _edl, ".kdenlive": _mlt, ".otio": _otio, ".aaf": _aaf}[
        path.suffix
    ](path, rate)


def _path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _seconds(text: str) -> Fraction:
    return Fraction(text.removesuffix("s"))


def _fcpxml(path: Path, rate: Fraction) -> list[Played]:
    root = ET.parse(path).getroot()
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    found: list[Played] = []
    for clip in root.findall(".//spine/asset-clip"):
        asset = assets[clip.get("ref")]
        media = asset.find("media-rep")
        assert media is not None
        clock = _seconds(asset.get("start", "0s")) * rate
        first = _seconds(clip.get("start", "")) * rate - clock
        count, record = (_seconds(clip.get(name, "")) * rate for name in ("duration", "offset"))
        assert all(value.denominator == 1 for value in (clock, first, count, record))
        assert first >= 0 and first + count <= _seconds(asset.get("duration", "")) * rate
        shown = Played(
            record=int(record), count=int(count), path=_path(media.get("src", "")), first=int(first), clock=int(clock)
        )
        found.append(shown)
    return found


def _xmeml(path: Path, _rate: Fraction) -> list[Played]:
    root = ET.parse(path).getroot()
    files = {file.get("id"): file for file in root.iter("file") if len(file)}
    found: list[Played] = []
    for item in root.findall(".//video/track/clipitem"):
        named = item.find("file")
        assert named is not None
        file = files[named.get("id")]
        numbers = [int(item.findtext(name, "")) for name in ("start", "end", "in", "out")]
        assert numbers[1] - numbers[0] == numbers[3] - numbers[2]
        assert numbers[2] >= 0 and numbers[3] <= int(file.findtext("duration", "")) == int(
            item.findtext("duration", "")
        )
        found.append(
            Played(
                record=numbers[0],
                count=numbers[1] - numbers[0],
                path=_path(file.findtext("pathurl", "")),
                first=numbers[2],
                clock=int(file.findtext("timecode/frame", "")),
            )
        )
    return found


def _edl(path: Path, rate: Fraction) -> list[Played]:
    found: list[Played] = []
    text = path.read_text()
    drop = "FCM: DROP" in text
    event = r"^\d{3}  \S+ +\S+ +C +(\S+) (\S+) (\S+) (\S+)\n\* FROM CLIP NAME: (.*)$"
    for *times, name in re.findall(event, text, re.M):
        begin, end, record, stop = (parse_timecode(time, rate, drop=drop) for time in times)
        assert end - begin == stop - record
        told = timecode_of(path.parent / name)
        first = begin - (parse_timecode(told, rate) if told else 0)
        found.append(Played(record=record, count=stop - record, path=path.parent / name, first=first))
    return found


def _mlt(path: Path, _rate: Fraction) -> list[Played]:
    root = ET.parse(path).getroot()
    producers = {producer.get("id"): producer for producer in root.iter("producer")}
    found: list[Played] = []
    record = 0
    for entry in root.findall("./playlist[@id='v0']/entry"):
        producer = producers[entry.get("producer")]
        values = {value.get("name"): value.text or "" for value in producer.iter("property")}
        begin, end = int(entry.get("in", "")), int(entry.get("out", ""))
        assert end < int(values["length"])
        media = Path(root.get("root", "")) / values["resource"]
        found.append(Played(record=record, count=end - begin + 1, path=media, first=begin))
        record += end - begin + 1
    return found


def _otio(path: Path, rate: Fraction) -> list[Played]:
    def frames(time: dict[str, Any]) -> int:
        assert round(Fraction(time["rate"]) * 1001) == round(rate * 1001)
        return int(time["value"])

    root = json.loads(path.read_text())
    found: list[Played] = []
    record = 0
    for clip in root["tracks"]["children"][0]["children"]:
        media, shown = clip["media_references"]["DEFAULT_MEDIA"], clip["source_range"]
        clock, count = frames(media["available_range"]["start_time"]), frames(shown["duration"])
        first = frames(shown["start_time"]) - clock
        assert first >= 0 and first + count <= frames(media["available_range"]["duration"])
        found.append(
            Played(record=record, count=count, path=_path(media["target_url"]), first=first, clock=clock),
        )
        record += count
    return found


def _aaf(path: Path, _rate: Fraction) -> list[Played]:
    import aaf2

    found: list[Played] = []
    record = 0
    with aaf2.open(str(path), "r") as file:
        (composition,) = file.content.toplevel()
        for clip in next(iter(composition.slots)).segment.components:
            # The composition's clip counts in the master mob, that one in the file mob, that one on the tape.
            inner = _behind(clip)
            source = inner.mob
            first = clip.start + inner.start
            outer = _behind(inner)
            clock = outer.start or 0
            if outer.mob is not None:
                clock += next(s.segment.start for s in outer.mob.slots if type(s.segment).__name__ == "Timecode")
            assert first >= 0 and first + clip.length <= int(source.descriptor["Length"].value)
            (locator,) = source.descriptor.locator
            media = _path(locator["URLString"].value)
            found.append(Played(record=record, count=clip.length, path=media, first=first, clock=clock))
            record += clip.length
    return found


def _behind(clip: Any) -> Any:
    return next(slot.segment for slot in clip.mob.slots if slot.slot_id == clip.slot_id)
