"""OpenTimelineIO's .otio: JSON of schema objects, of which only a clip's media reference is changed.

The JSON itself is kept and not read into OpenTimelineIO's objects, so that schemas of plug-ins and of newer versions
stay as they are, and the extra `nle` is not needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

from vedit.checks.rationals import rational, shown, whole
from vedit.errors import InputError
from vedit.media.reading.addresses import address_of
from vedit.media.reading.sequence import find_sequence
from vedit.nle.cover import check_cover
from vedit.nle.formats.otio_json import exact_rate, parse_otio, rational_time, schema_of, write_otio
from vedit.nle.media_paths import MediaRules, is_still, run_from
from vedit.nle.model import Marker, MediaReference, NewMedia, Timeline, TimelineClip, TimeSpan

_Object = dict[str, Any]
_ZERO = Fraction(0)
_OF_SEQUENCES = (
    "target_url_base",
    "name_prefix",
    "name_suffix",
    "start_frame",
    "frame_step",
    "rate",
    "frame_zero_padding",
    "missing_frame_policy",
)


class OtioDocument:
    """An .otio file; see `TimelineDocument`.

    Args:
        data: the file's content.
        name: the file, as errors call it.
        rules: where media may lie.

    Raises:
        InputError: it is no timeline, or of a form that is not understood.
    """

    def __init__(self, data: bytes, name: str, rules: MediaRules) -> None:
        self._name = name
        self._rules = rules
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{name} is not JSON that can be read: it is not UTF-8") from None
        self._root = parse_otio(text, name)
        self._text = text
        said = schema_of(self._root) or "no schema"
        if said != "Timeline":
            raise self._fault("$", f"it holds {said}, not a timeline")
        self._clips: list[_Object] = []
        try:
            stack = self._object(self._root, "tracks", "$")
            clips = list(self._stack(stack, self._root.get("name") or "", "$.tracks"))
        except (AttributeError, KeyError, TypeError) as error:
            # JSON may hold anything anywhere; what the schemas do not allow shows itself as one of these.
            raise self._fault("$", f"its objects are not of OpenTimelineIO's form ({error})") from None
        begin = self._root.get("global_start_time")
        rate = self._first_rate(self._root)
        self._timeline = Timeline(
            name=self._root.get("name") or "",
            rate=rate,
            start=self._time(begin, "$.global_start_time") if begin else _ZERO,
            drop=False,
            clips=tuple(replace(clip, number=number) for number, clip in enumerate(clips, start=1)),
            format="OpenTimelineIO",
        )

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`."""
        clip = self._timeline.clips[number - 1]
        check_cover(clip, media)
        found = self._clips[number - 1]
        old = _reference(found) or {}
        told = cast(_Object, old.get("available_range") or {})
        new = {
            **{key: value for key, value in old.items() if key not in _OF_SEQUENCES},
            "OTIO_SCHEMA": "ExternalReference.1",
            "name": media.name,
            "available_range": {
                "OTIO_SCHEMA": "TimeRange.1",
                "start_time": rational_time(media.start, media.rate, told.get("start_time")),
                "duration": rational_time(media.duration, media.rate, told.get("duration")),
            },
            "target_url": address_of(media.path, like=str(old.get("target_url") or "")),
        }
        if "media_references" in found:
            found["media_references"][found.get("active_media_reference_key") or "DEFAULT_MEDIA"] = new
        else:
            found["media_reference"] = new

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        return write_otio(self._root, like=self._text).encode()

    def _stack(self, stack: _Object, sequence: str, where: str) -> Iterator[TimelineClip]:
        number = 0
        for index, child in enumerate(self._children(stack, where)):
            place = f"{where}.children[{index}]"
            if schema_of(child) == "Track":
                if child.get("kind", "Video") != "Video":
                    continue
                number += 1
                yield from self._track(child, f"V{number}", sequence, place)
            else:
                number += 1
                yield from self._item(child, f"V{number}", sequence, _ZERO, (_ZERO, _ZERO), place)

    def _track(self, track: _Object, name: str, sequence: str, where: str) -> Iterator[TimelineClip]:
        position = _ZERO
        children = self._children(track, where)
        for index, child in enumerate(children):
            place = f"{where}.children[{index}]"
            if schema_of(child) == "Transition":
                continue
            before = children[index - 1] if index else {}
            after = children[index + 1] if index + 1 < len(children) else {}
            head = self._time(before["in_offset"], where) if schema_of(before) == "Transition" else _ZERO
            tail = self._time(after["out_offset"], where) if schema_of(after) == "Transition" else _ZERO
            yield from self._item(child, name, sequence, position, (head, tail), place)
            position += self._duration(child, place)

    def _item(
        self, item: _Object, track: str, sequence: str, position: Fraction, over: tuple[Fraction, Fraction], where: str
    ) -> Iterator[TimelineClip]:
        schema = schema_of(item)
        if schema == "Gap":
            return
        clip = TimelineClip(
            number=0,
            name=item.get("name") or "",
            kind="clip",
            track=track,
            sequence=sequence,
            record=TimeSpan(start=position, duration=self._duration(item, where)),
            markers=tuple(self._markers(item, where)),
            notes=tuple(_notes(item)),
            color=_color(item),
            enabled=bool(item.get("enabled", True)),
        )
        self._clips.append(item)
        if schema == "Clip":
            yield self._clip(clip, item, over, where)
        elif schema in ("Stack", "Track"):
            yield replace(clip, kind="nested", refusal="a nested sequence: its own clips are listed under its name")
            name = item.get("name") or "nested"
            inner = self._stack(item, name, where) if schema == "Stack" else self._track(item, "V1", name, where)
            yield from inner
        else:
            yield replace(clip, kind="generator", refusal=f"a {schema or 'thing without schema'} is not understood")

    def _clip(self, clip: TimelineClip, item: _Object, over: tuple[Fraction, Fraction], where: str) -> TimelineClip:
        reference = _reference(item)
        kind = schema_of(reference or {})
        if kind == "GeneratorReference":
            return replace(clip, kind="generator", refusal="a generator has no media")
        shown = self._span(item.get("source_range") or (reference or {}).get("available_range"), where)
        if shown is None:
            raise self._fault(where, "the clip has neither a source range nor an available one")
        speed = _speed(item)
        media = self._media(reference or {}, clip.name, where)
        if kind == "ImageSequenceReference":
            media = self._pictures(reference or {}, media, where)
        clip = replace(
            clip,
            media=media,
            source=shown,
            speed=speed,
            head=over[0] * abs(speed or 1),
            tail=over[1] * abs(speed or 1),
        )
        if is_still(media.path):
            return replace(clip, kind="still", refusal="a still picture")
        if kind == "ImageSequenceReference" and (reference or {}).get("frame_step", 1) != 1:
            return replace(clip, refusal="an image sequence that leaves pictures out: link it as a movie")
        if speed is None:
            return replace(clip, refusal="its speed varies: bake the retime first")
        if speed < 0:
            return replace(clip, refusal="it runs backwards: bake the retime first")
        # The source range is as long as the clip lies on its track: a faster clip shows more media than that.
        used = shown.duration * speed if speed > 1 else shown.duration
        return replace(clip, source=TimeSpan(start=shown.start, duration=used))

    def _media(self, reference: _Object, clip_name: str, where: str) -> MediaReference:
        written = str(reference.get("target_url") or _pattern(reference))
        name = str(reference.get("name") or "") or written.replace("\\", "/").split("/")[-1] or clip_name
        located = self._rules.locate(written) if written else self._rules.locate_name((name, clip_name))
        told = reference.get("available_range") or {}
        available = self._known_span(reference.get("available_range"), where)
        rate = self._first_rate(told) if told else None
        length = int(available.duration * rate) if available is not None and rate is not None else 0
        return MediaReference(
            written=written,
            name=name,
            path=run_from(located.path, length) if located.path is not None else None,
            problem=located.problem,
            start=available.start if available is not None else None,
            duration=available.duration if available is not None else None,
            # Systems that write a reference for each cut give it the range of that cut.
            of_part=True,
            rate=rate,
        )

    def _pictures(self, reference: _Object, media: MediaReference, where: str) -> MediaReference:
        """Media that is an image sequence: which of its pictures is the first, the folder says."""
        try:
            rate = exact_rate(reference["rate"])
            first = whole(reference.get("start_frame", 1))
        except (KeyError, ValueError):
            raise self._fault(where, "the image sequence has no rate or no first frame") from None
        found = find_sequence(media.path) if media.path is not None else None
        if found is None:
            return replace(media, rate=rate)
        start = (media.start or _ZERO) + (found.first - first) / rate
        return replace(media, start=start, duration=found.count / rate, of_part=False, rate=rate)

    def _duration(self, item: _Object, where: str) -> Fraction:
        """How much of its track an item takes."""
        span = self._span(item.get("source_range"), where)
        if span is not None:
            return span.duration
        schema = schema_of(item)
        if schema == "Clip":
            available = self._span((_reference(item) or {}).get("available_range"), where)
            if available is None:
                raise self._fault(where, "the clip has neither a source range nor an available one")
            return available.duration
        lengths = [
            self._duration(child, where) for child in self._children(item, where) if schema_of(child) != "Transition"
        ]
        return sum(lengths, _ZERO) if schema == "Track" else max(lengths, default=_ZERO)

    def _markers(self, item: _Object, where: str) -> Iterator[Marker]:
        for marker in item.get("markers") or []:
            span = self._known_span(marker.get("marked_range") or marker.get("range"), where)
            note = str(marker.get("comment") or (marker.get("metadata") or {}).get("comment") or "")
            start = span.start if span is not None else None
            yield Marker(
                name=str(marker.get("name") or ""), note=note, color=str(marker.get("color") or ""), start=start
            )

    def _children(self, item: _Object, where: str) -> list[_Object]:
        children = item.get("children", [])
        if not isinstance(children, list) or not all(isinstance(child, dict) for child in cast(list[object], children)):
            raise self._fault(where, "its children are no list of objects")
        return cast(list[_Object], children)

    def _object(self, parent: _Object, key: str, where: str) -> _Object:
        found = parent.get(key)
        if not isinstance(found, dict):
            raise self._fault(where, f"it has no {key}")
        return cast(_Object, found)

    def _span(self, value: object, where: str) -> TimeSpan | None:
        if not isinstance(value, dict):
            return None
        told = cast(_Object, value)
        start, duration = self._time(told.get("start_time"), where), self._time(told.get("duration"), where)
        return TimeSpan(start=start, duration=duration)

    def _known_span(self, value: object, where: str) -> TimeSpan | None:
        """A range that may be endless, or may not say where it begins: then it tells nothing."""
        try:
            return self._span(value, where)
        except InputError:
            times = [cast(_Object, value).get(key) for key in ("start_time", "duration")]
            numbers = [cast(_Object, time).get("value") for time in times if isinstance(time, dict)]
            if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
                return None
            raise

    def _time(self, value: object, where: str) -> Fraction:
        """A RationalTime in seconds."""
        try:
            told = cast(_Object, value)
            return rational(told["value"]) / exact_rate(told["rate"])
        except (TypeError, KeyError, ValueError):
            raise self._fault(where, f"{json.dumps(value)[:80]} is no time") from None

    def _first_rate(self, item: object) -> Fraction:
        """The rate of the first time found in the document order."""
        waiting: list[object] = [item]
        while waiting:
            found = waiting.pop(0)
            if isinstance(found, dict):
                told = cast(_Object, found)
                if schema_of(told) == "RationalTime":
                    try:
                        return exact_rate(told["rate"])
                    except (KeyError, ValueError):
                        raise self._fault("$", f"{shown(told.get('rate'))} is no rate") from None
                waiting.extend(value for key, value in told.items() if key != "metadata")
            elif isinstance(found, list):
                waiting.extend(cast(list[object], found))
        return Fraction(24)

    def _fault(self, where: str, message: str) -> InputError:
        return InputError(
            f"{self._name}, {where}: {message}", remedy="write it again with OpenTimelineIO 0.15 or later"
        )


def _reference(clip: _Object) -> _Object | None:
    """A clip's media; since Clip.2 it may have several, of which one is active."""
    several = clip.get("media_references")
    if isinstance(several, dict):
        return cast(_Object, several).get(clip.get("active_media_reference_key") or "DEFAULT_MEDIA")
    return clip.get("media_reference")


def _pattern(reference: _Object) -> str:
    """The address of an image sequence, as shot_%04d.exr; empty where the reference is none."""
    if schema_of(reference) != "ImageSequenceReference":
        return ""
    base, prefix, suffix = (str(reference.get(key) or "") for key in ("target_url_base", "name_prefix", "name_suffix"))
    padding = reference.get("frame_zero_padding") or 1
    digits = padding if isinstance(padding, int) and 0 < padding < 100 else 1
    folder = base if not base or base.endswith("/") else f"{base}/"
    if base.lower().startswith("file:"):
        return f"{folder}{prefix}%250{digits}d{suffix}"  # of an address the percent sign is escaped
    return f"{folder}{prefix.replace('%', '%%')}%0{digits}d{suffix.replace('%', '%%')}"


def _speed(item: _Object) -> Fraction | None:
    speed: Fraction | None = Fraction(1)
    for effect in item.get("effects") or []:
        schema = schema_of(effect)
        if schema == "FreezeFrame":
            return _ZERO
        if schema == "LinearTimeWarp" and speed is not None:
            try:
                speed *= rational(effect.get("time_scalar", 1)).limit_denominator(100000)
            except ValueError:
                speed = None
        elif schema == "TimeEffect":
            speed = None
    return speed


def _notes(item: _Object) -> Iterator[str]:
    """What adapters keep as a clip's comments: a string or strings under `comments` in any metadata."""
    for value in (item.get("metadata") or {}).values():
        comments = cast(_Object, value).get("comments") if isinstance(value, dict) else None
        if isinstance(comments, str):
            yield comments
        elif isinstance(comments, list):
            yield from (str(comment) for comment in cast(list[object], comments))


def _color(item: _Object) -> str:
    """A clip's own colour: a name since OpenTimelineIO 0.18."""
    color = item.get("color")
    return str(cast(_Object, color).get("name") or "") if isinstance(color, dict) else str(color or "")
