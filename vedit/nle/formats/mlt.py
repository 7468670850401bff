"""Kdenlive and MLT XML (Shotcut, melt): an entry relinked by a producer of its own, all else as it was.

A playlist's entries follow each other; `in` and `out` are frames of the producer at the profile's rate, `out` included.
See MLT's "MLT XML" documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vedit.checks.rationals import frame_rate, is_whole, rational, shown, whole
from vedit.errors import InputError
from vedit.media.reading.addresses import address_of
from vedit.nle.cover import check_cover
from vedit.nle.formats.mlt_keyframes import MediaShift, TooLateError
from vedit.nle.formats.mlt_properties import (
    all_hidden,
    marker_entries,
    marker_frame,
    media_address,
    moved_markers,
    property_of,
    value_of,
)
from vedit.nle.formats.mlt_times import format_frames, parse_frames
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.media_paths import MediaRules
from vedit.nle.model import ClipKind, Marker, MediaReference, NewMedia, Timeline, TimelineClip, TimeSpan

_BINS = ("main_bin", "main bin")
_KINDS: dict[str, tuple[ClipKind, str]] = {
    "qimage": ("still", "a still picture"),
    "pixbuf": ("still", "a still picture"),
    "kdenlivetitle": ("title", "a title has no media"),
    "qtext": ("title", "a title has no media"),
    "pango": ("title", "a title has no media"),
    "xml": ("nested", "another project: open that one"),
    "consumer": ("nested", "another project: open that one"),
}
_SLIDES = re.compile(r"%\d*d|/\.all\.")
"""Names of several pictures."""
_MEDIA_SERVICES = ("", "avformat", "avformat-novalidate", "timewarp")
# What says which file a producer was, and not what is done with it.
_IDENTITY = ("kdenlive:file_hash", "kdenlive:file_size", "kdenlive:control_uuid", "kdenlive:duration")
_IDENTITY_PREFIXES = ("meta.", "kdenlive:zone", "kdenlive:clipzones", "kdenlive:proxy")


@dataclass(frozen=True, eq=False, kw_only=True)
class _Track:
    """One track of a sequence, with the playlists that make it."""

    sequence: str
    name: str
    playlists: tuple[Element, ...]
    has_sound: bool


class MltDocument:
    """A Kdenlive or MLT project; see `TimelineDocument`.

    Args:
        document: its XML.
        rules: where media may lie.

    Raises:
        InputError: it is no MLT project, or of a kind that is not understood.
    """

    def __init__(self, document: XmlDocument, rules: MediaRules) -> None:
        root = document.root
        if root.name != "mlt":
            raise document.fault(root, "not an MLT project")
        self._xml = document
        self._root = rules.base / root.get("root")
        """Relative addresses count from here."""
        self._rules = rules.inside(self._root)
        self._rate = self._profile_rate()
        self._by_id = {element.get("id"): element for element in root.elements() if element.get("id")}
        self._entries: list[Element] = []
        self._added: dict[tuple[str, str], tuple[str, str]] = {}
        clips: list[TimelineClip] = []
        for track in self._tracks():
            for playlist in track.playlists:
                clips.extend(self._playlist(playlist, track))
        self._timeline = Timeline(
            name=clips[0].sequence if clips else root.get("title"),
            rate=self._rate,
            start=Fraction(0),
            drop=False,
            clips=tuple(replace(clip, number=number) for number, clip in enumerate(clips, start=1)),
            format=f"MLT {root.get('version')}".rstrip(),
        )

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`. `in` and `out` move by as many frames as the new media begins later."""
        clip = self._timeline.clips[number - 1]
        frames = round(check_cover(clip, media) * self._rate)
        entry = self._entries[number - 1]
        shift = MediaShift(frames=frames, rate=self._rate)
        try:
            for effect in entry.elements("filter"):
                shift.move(effect)
            new_id, bin_id = self._producer(entry.get("producer"), media, shift)
        except TooLateError as error:
            lead = self._time(entry, "in", 0) - error.frame
            raise InputError(
                f"clip {number} ({clip.name}): a curve of an effect on it begins before the result does",
                remedy=f"give --handles {lead} or more, or make its keyframes linear",
            ) from None
        entry.set("producer", new_id)
        for name in ("in", "out"):
            if frames and entry.get(name):
                moved = self._time(entry, name) - frames
                entry.set(name, format_frames(max(moved, 0), self._rate, like=entry.get(name)))
        known = property_of(entry, "kdenlive:id")
        if known is not None and bin_id:
            known.set_text(bin_id)

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        return self._xml.serialise()

    def _profile_rate(self) -> Fraction:
        profile = self._xml.root.find("profile")
        try:
            if profile is not None:
                return frame_rate(f"{profile.get('frame_rate_num')}/{profile.get('frame_rate_den')}")
        except ValueError:
            raise self._xml.fault(profile or self._xml.root, "its frame rate is no number") from None
        raise self._xml.fault(self._xml.root, "it has no profile, so no frame rate", remedy="save it with a profile")

    def _tracks(self) -> Iterator[_Track]:
        """The video tracks of every sequence, from the lowest up."""
        root = self._xml.root
        tractors = list(root.elements("tractor"))
        tracked = {track.get("producer") for tractor in tractors for track in tractor.elements("track")}
        for tractor in tractors:
            if self._is_track(tractor, tracked):
                continue
            number = 0
            for track in tractor.elements("track"):
                below = self._by_id.get(track.get("producer"))
                if below is None:
                    raise self._xml.fault(track, f"there is no producer {track.get('producer')!r}")
                playlists = self._playlists(below, tracked)
                if (
                    not playlists
                    or value_of(below, "kdenlive:audio_track") == "1"
                    or track.get("hide") in ("video", "both")
                ):
                    continue
                number += 1
                silent = track.get("hide") == "audio" or all_hidden(below, "audio")
                yield _Track(
                    sequence=value_of(tractor, "kdenlive:clipname") or root.get("title") or tractor.get("id"),
                    name=f"V{number}",
                    playlists=playlists,
                    has_sound=not silent,
                )
        for playlist in root.elements("playlist"):
            if playlist.get("id") not in (*tracked, *_BINS) and not tractors:
                yield _Track(sequence=playlist.get("id"), name="V1", playlists=(playlist,), has_sound=True)

    def _is_track(self, tractor: Element, tracked: set[str]) -> bool:
        """Kdenlive makes a track of a tractor over two playlists; a sequence is a tractor over such tracks."""
        if tractor.get("id") not in tracked or value_of(tractor, "kdenlive:uuid"):
            return False
        below = [self._by_id.get(track.get("producer")) for track in tractor.elements("track")]
        return all(element is not None and element.name == "playlist" for element in below)

    def _playlists(self, element: Element, tracked: set[str]) -> tuple[Element, ...]:
        if element.name == "playlist":
            return (element,)
        if element.name == "tractor" and self._is_track(element, tracked):
            found = (self._by_id.get(track.get("producer")) for track in element.elements("track"))
            return tuple(playlist for playlist in found if playlist is not None)
        return ()

    def _playlist(self, playlist: Element, track: _Track) -> Iterator[TimelineClip]:
        position = 0
        for item in playlist.elements("entry", "blank"):
            if item.name == "blank":
                position += self._time(item, "length")
                continue
            producer = self._by_id.get(item.get("producer"))
            if producer is None:
                raise self._xml.fault(item, f"there is no producer {item.get('producer')!r}")
            begin = self._time(item, "in", 0)
            end = self._time(item, "out", self._time(producer, "out", begin))
            if end < begin:
                raise self._xml.fault(item, f"out {end} is before in {begin}")
            length = end - begin + 1
            self._entries.append(item)
            yield self._clip(item, producer, track, position, (begin, length))
            position += length

    def _clip(
        self, entry: Element, producer: Element, track: _Track, position: int, shown: tuple[int, int]
    ) -> TimelineClip:
        begin, length = shown
        service, address = value_of(producer, "mlt_service"), media_address(producer)
        clip = TimelineClip(
            number=0,
            name=value_of(producer, "kdenlive:clipname")
            or value_of(producer, "shotcut:caption")
            or address.split("/")[-1],
            kind="clip",
            track=track.name,
            sequence=track.sequence,
            record=TimeSpan(start=position / self._rate, duration=length / self._rate),
            markers=tuple(self._markers(producer)),
            notes=tuple(
                filter(None, (value_of(producer, "kdenlive:comment") or value_of(producer, "shotcut:comment"),))
            ),
            with_sound=track.has_sound,
            line=entry.line,
        )
        if producer.name in ("tractor", "playlist"):
            return replace(clip, kind="nested", refusal="a nested sequence: its own clips are listed under its name")
        if service in _KINDS:
            kind, why = _KINDS[service]
            if kind == "still" and _SLIDES.search(address):
                why = "a slideshow of pictures: link it as a movie to restyle it"
            return replace(clip, kind=kind, refusal=why)
        if service not in _MEDIA_SERVICES:
            return replace(clip, kind="generator", refusal="a generator has no media")
        media = self._media(producer, address)
        source = TimeSpan(start=begin / self._rate, duration=length / self._rate)
        if producer.find("link") is not None:
            return replace(
                clip, media=media, source=source, speed=None, refusal="its speed varies: bake the retime first"
            )
        if service == "timewarp":
            return self._retimed(replace(clip, media=media, source=source), producer)
        return replace(clip, media=media, source=source)

    def _retimed(self, clip: TimelineClip, producer: Element) -> TimelineClip:
        """A retimed producer counts retimed frames from its media's first, so all media up to the end is taken."""
        try:
            speed = rational(value_of(producer, "warp_speed") or value_of(producer, "resource").split(":")[0])
        except ValueError:
            raise self._xml.fault(producer, "its speed is no number") from None
        if speed <= 0 or clip.source is None:
            return replace(clip, speed=speed, refusal="it runs backwards or is frozen: bake the retime first")
        return replace(clip, speed=speed, source=TimeSpan(start=Fraction(0), duration=clip.source.stop * speed))

    def _media(self, producer: Element, address: str) -> MediaReference:
        located = self._rules.locate(address)
        length = self._length(producer)
        speed = rational(value_of(producer, "warp_speed") or 1)
        return MediaReference(
            written=address,
            name=address.replace("\\", "/").split("/")[-1],
            path=located.path,
            problem=located.problem,
            start=Fraction(0),
            duration=length / self._rate * abs(speed) if length else None,
            rate=self._media_rate(producer),
        )

    def _media_rate(self, producer: Element) -> Fraction | None:
        told = "/".join(value_of(producer, f"meta.media.frame_rate_{part}") for part in ("num", "den"))
        try:
            return frame_rate(told)
        except ValueError:
            return self._rate

    def _length(self, producer: Element) -> int:
        text = value_of(producer, "length")
        try:
            return parse_frames(text, self._rate) if text else 0
        except (ValueError, InputError):
            raise self._xml.fault(producer, f"length {shown(text)} is no time") from None

    def _markers(self, producer: Element) -> Iterator[Marker]:
        """Kdenlive keeps a clip's markers as JSON on its bin producer."""
        known = value_of(producer, "kdenlive:id")
        holders = [producer, *(other for other in self._bin() if known and value_of(other, "kdenlive:id") == known)]
        text = next(
            (value_of(holder, "kdenlive:markers") for holder in holders if value_of(holder, "kdenlive:markers")), ""
        )
        for entry in marker_entries(text):
            at = marker_frame(entry)
            yield Marker(
                name=str(entry.get("comment", "")),
                color=str(entry.get("type", "")),
                start=at / self._rate if at is not None else None,
            )

    def _bin(self) -> Iterator[Element]:
        for playlist in self._xml.root.elements("playlist"):
            if playlist.get("id") in _BINS:
                for entry in playlist.elements("entry"):
                    producer = self._by_id.get(entry.get("producer"))
                    if producer is not None:
                        yield producer

    def _producer(self, old_id: str, media: NewMedia, shift: MediaShift) -> tuple[str, str]:
        """The producer of the new media and its number in the bin; one for each file."""
        key = (old_id, str(media.path))
        if key in self._added:
            return self._added[key]
        old = self._by_id[old_id]
        binned = next((p for p in self._bin() if value_of(p, "kdenlive:id") == value_of(old, "kdenlive:id")), None)
        bin_id = self._new_bin_id() if binned is not None else ""
        new = self._copy(old, media, shift, bin_id)
        if binned is not None:
            shown = new if binned is old else self._copy(binned, media, shift, bin_id)
            playlist = next(p for p in self._xml.root.elements("playlist") if p.get("id") in _BINS)
            like = binned.get("out") or "0"
            last = format_frames(self._frame_count(media) - 1, self._rate, like=like)
            first = format_frames(0, self._rate, like=like)
            playlist.append(Element("entry", {"producer": shown.get("id"), "in": first, "out": last}))
        self._added[key] = (new.get("id"), bin_id)
        return self._added[key]

    def _copy(self, old: Element, media: NewMedia, shift: MediaShift, bin_id: str) -> Element:
        new = old.copy()
        for effect in new.elements("filter"):
            shift.move(effect)
        for entry in list(new.elements("property")):
            name = entry.get("name")
            if name in _IDENTITY or name.startswith(_IDENTITY_PREFIXES):
                new.remove(entry)
        number = 1
        while f"{old.get('id')}_vedit{number}" in self._by_id:
            number += 1
        new.set("id", f"{old.get('id')}_vedit{number}")
        written = self._written(media_address(old), media.path)
        speed = rational(value_of(old, "warp_speed") or 1)
        length = int(self._frame_count(media) / speed)
        if new.get("out"):
            new.set("out", format_frames(length - 1, self._rate, like=new.get("out")))
        spoken = value_of(old, "resource")
        warped = value_of(old, "mlt_service") == "timewarp"
        values = {
            "resource": f"{spoken.split(':')[0]}:{written}" if warped else written,
            "warp_resource": written,
            "length": format_frames(length, self._rate, like=value_of(old, "length")),
            "kdenlive:originalurl": written,
            "kdenlive:clipname": media.name,
            "kdenlive:id": bin_id,
            "kdenlive:markers": moved_markers(value_of(old, "kdenlive:markers"), shift.frames, length),
        }
        for name, value in values.items():
            entry = property_of(new, name)
            if entry is not None and value and entry.text != value:
                entry.set_text(value)
        first = next(iter(self._xml.root.elements("playlist", "tractor")))
        self._xml.root.insert_before(first, new)
        self._by_id[new.get("id")] = new
        return new

    def _frame_count(self, media: NewMedia) -> int:
        """Frames of new media at the profile's rate."""
        return int(media.duration * self._rate)

    def _written(self, old: str, path: Path) -> str:
        """The new path, relative to the project's root where the old one was and that is possible."""
        if old and not old.startswith(("/", "file:")) and path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        return address_of(path, like=old or "/")

    def _new_bin_id(self) -> str:
        known = (value_of(element, "kdenlive:id") for element in self._by_id.values())
        return str(max((whole(text) for text in known if is_whole(text)), default=0) + 1)

    def _time(self, element: Element, name: str, default: int | None = None) -> int:
        text = element.get(name)
        if not text and default is not None:
            return default
        try:
            return parse_frames(text, self._rate)
        except (ValueError, InputError):
            raise self._xml.fault(element, f"{name}={shown(text)} is no time") from None
