"""Reading the cut of an FCPXML document: the story elements of all projects and compound clips, with absolute times.

FCPXML nests: a clip's `offset` is counted in its parent's own time, its `start` in its content's. See Apple's "FCPXML
Reference", Story Elements and Timing Attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from vedit.checks.rationals import shown, whole
from vedit.nle.formats.fcpxml_assets import Resources
from vedit.nle.formats.fcpxml_nested import Nested, NotShownError, picture_of
from vedit.nle.formats.fcpxml_times import Retiming, parse_time
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.media_paths import MediaRules, is_still
from vedit.nle.model import ClipKind, Marker, MediaReference, TimelineClip, TimeSpan

_STORY = ("clip", "asset-clip", "video", "title", "ref-clip", "mc-clip", "sync-clip", "audition", "gap", "spine")
_WHY: dict[str, tuple[ClipKind, str]] = {
    "title": ("title", "a title has no media"),
    "ref-clip": ("compound", "a compound clip: its own clips are listed under its name"),
    "audition": ("audition", "an audition: finalize it to restyle the pick"),
}
_NESTED: dict[str, tuple[ClipKind, str]] = {
    "mc-clip": ("multicam", "a multicam clip"),
    "sync-clip": ("sync", "a synchronized clip"),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The clock of a container: a child's `offset` -> seconds from the start of the sequence."""

    record: Fraction
    local: Fraction
    rate: Fraction = Fraction(1)
    """Seconds of the container's own time in a second of the timeline."""
    lane: int = 0

    def at(self, offset: Fraction) -> Fraction:
        """When a child with this `offset` begins."""
        return self.record + (offset - self.local) / self.rate


@dataclass(eq=False, kw_only=True)
class Found:
    """A clip with the element whose `ref` names its media."""

    clip: TimelineClip
    element: Element
    reference: Element | None = None
    shown: TimeSpan | None = None
    """Of a clip that holds its picture inside: what it shows of its content, in the content's own time."""
    rate: Fraction = Fraction(1)
    """Frames per second of the sequence."""


class StoryReader:
    """Reads all sequences of a document.

    Args:
        document: an FCPXML document.
        rules: where media may lie.
    """

    def __init__(self, document: XmlDocument, rules: MediaRules) -> None:
        self.document = document
        self.rules = rules
        self.resources = Resources(document, rules)
        self.nested = Nested(document, self.resources)
        self._sequence = ""
        self._rate = Fraction(1)

    def projects(self) -> Iterator[tuple[str, Element]]:
        """Every sequence of a project, with its name."""
        for project in self.document.root.walk():
            if project.name == "project":
                for sequence in project.elements("sequence"):
                    yield project.get("name") or "untitled", sequence

    def sequences(self) -> Iterator[tuple[str, Element]]:
        """Every sequence of a project, then those of compound clips, with their names."""
        yield from self.projects()
        for media in self.resources:
            if media.name == "media":
                for sequence in media.elements("sequence"):
                    yield media.get("name") or media.get("id"), sequence

    def rate(self, sequence: Element) -> Fraction:
        """Frames per second of a sequence. Raises InputError where it does not say."""
        frame = self.resources.frame(sequence)
        if frame is None:
            raise self.document.fault(sequence, f"its format {sequence.get('format')!r} gives no frame rate")
        return 1 / frame

    def read(self) -> list[Found]:
        """All clips with a picture, in the order of the document. Raises InputError."""
        found: list[Found] = []
        for name, sequence in self.sequences():
            self._sequence, self._rate = name, self.rate(sequence)
            begin = parse_time(self.document, sequence, "tcStart", Fraction(0))
            for spine in sequence.elements("spine"):
                found.extend(self._spine(spine, Place(record=Fraction(0), local=begin)))
        if not any(self.projects()):
            found.extend(self._loose())
        for number, item in enumerate(found, start=1):
            item.clip = replace(item.clip, number=number)
        return found

    def loose(self) -> Iterator[tuple[str, Fraction, Element]]:
        """The clips of an export without a project: their event's name, their frames per second, the clips."""
        for holder in self.document.root.walk():
            if holder.name not in ("fcpxml", "library", "event"):
                continue
            for child in holder.elements("clip", "asset-clip", "mc-clip", "sync-clip"):
                inside = [child, *child.elements("asset-clip", "video"), *child.elements("spine")]
                named = [self.resources.get(element.get("ref")) for element in inside]
                told = [self.resources.frame(element) for element in (*inside, *named) if element is not None]
                frame = next(filter(None, told), None)
                if frame is not None:
                    yield holder.get("name") or "event", 1 / frame, child

    def _loose(self) -> Iterator[Found]:
        for name, rate, clip in self.loose():
            self._sequence, self._rate = name, rate
            yield from self._item(clip, Fraction(0), 0)

    def _spine(self, spine: Element, place: Place) -> Iterator[Found]:
        """The items of a storyline follow each other; transitions lie over the cuts between them."""
        following = place.local
        items: list[tuple[Element, TimeSpan, list[Found]]] = []
        spans: list[TimeSpan] = []
        for child in spine.elements(*_STORY, "transition"):
            begin = place.at(parse_time(self.document, child, "offset", following))
            if child.name == "transition":
                spans.append(TimeSpan(start=begin, duration=parse_time(self.document, child, "duration")))
                continue
            duration = self._duration(child)
            items.append((child, TimeSpan(start=begin, duration=duration), list(self._item(child, begin, place.lane))))
            following = place.local + (begin - place.record) + duration
        for child, span, below in items:
            for item in below:
                if item.element is child:
                    item.clip = _with_transitions(item.clip, span, spans)
                yield item

    def _item(self, element: Element, begin: Fraction, lane: int) -> Iterator[Found]:
        """One story element that begins at `begin`, and what is connected to it."""
        if element.name == "spine":
            inner = Place(record=begin, local=Fraction(0), lane=lane + self._lane(element))
            yield from self._spine(element, inner)
            return
        own_lane = lane + self._lane(element)
        start = self.nested.start(element)
        media = self._media(element)
        retiming = Retiming(
            self.document, element, sequence_rate=self._rate, media_rate=media.rate if media is not None else None
        )
        found = self._clip(element, begin, own_lane, start, retiming)
        if found is not None:
            yield found
        if element.name == "audition":
            return
        content = _content(element)
        inner = Place(record=begin, local=start, rate=retiming.conform, lane=own_lane)
        for child in element.elements(*_STORY):
            if element.name == "sync-clip" and child.get("lane", "0") == "0":
                continue
            if child is content:
                for below in child.elements(*_STORY):
                    offset = parse_time(self.document, below, "offset", start)
                    yield from self._item(below, inner.at(offset), own_lane)
            else:
                offset = parse_time(self.document, child, "offset", start)
                yield from self._item(child, inner.at(offset), own_lane)

    def _clip(self, element: Element, begin: Fraction, lane: int, start: Fraction, retiming: Retiming) -> Found | None:
        duration = self._duration(element)
        clip = TimelineClip(
            number=0,
            name=element.get("name") or element.name,
            kind="clip",
            track=f"V{lane + 1}" if lane >= 0 else f"V{lane}",
            sequence=self._sequence,
            record=TimeSpan(start=begin, duration=duration),
            sequence_rate=self._rate,
            speed=retiming.speed,
            markers=tuple(self._markers(element)),
            notes=tuple(note.text.strip() for note in element.elements("note")),
            enabled=element.get("enabled", "1") != "0",
            line=element.line,
        )
        if element.get("srcEnable") == "audio":
            return None
        if element.name in _WHY:
            kind, why = _WHY[element.name]
            return Found(clip=replace(clip, kind=kind, refusal=why), element=element)
        if element.name in _NESTED:
            return self._nested(element, clip, retiming.content(start, duration))
        reference = _reference(element)
        if element.name == "gap" or reference is None:
            return None
        asset = self.resources.asset(reference)
        if asset is None:
            return Found(clip=replace(clip, kind="generator", refusal="a generator has no media"), element=element)
        if not self.resources.has_picture(asset):
            return None
        media = replace(self.resources.media(asset), drop=element.get("tcFormat") == "DF")
        source = retiming.content(start, duration)
        if reference is not element:
            inner = parse_time(self.document, reference, "offset", Fraction(0))
            clip = _markers_moved(clip, self.nested.start(reference) - inner)
            source = replace(source, start=self.nested.start(reference) + source.start - inner)
        clip = replace(
            clip,
            media=media,
            source=source,
            with_sound=reference is element and asset.get("hasAudio") == "1" and element.get("srcEnable") != "video",
        )
        if media.rate is None or media.duration == 0 or is_still(media.path):
            clip = replace(clip, kind="still", refusal="a still picture")
        elif reference is not element and reference.find("timeMap") is not None:
            clip = replace(clip, refusal="its picture is retimed inside the clip")
        return Found(clip=clip, element=element, reference=reference)

    def _nested(self, element: Element, clip: TimelineClip, span: TimeSpan) -> Found:
        """A multicam or synchronized clip, by the media that gives its picture."""
        kind, what = _NESTED[element.name]
        clip = replace(clip, kind=kind)
        try:
            inner = self.nested.inner(element, span, self._rate)
        except NotShownError as problem:
            why = f"{what}: {problem}; break it apart to restyle its picture"
            return Found(clip=replace(clip, refusal=why), element=element)
        asset = self.resources.asset(inner.reference)
        assert asset is not None  # `inner` has seen to it
        media = replace(self.resources.media(asset), drop=inner.item.get("tcFormat") == "DF")
        own = inner.reference is inner.item and inner.item.get("srcEnable") != "video"
        with_sound = own and asset.get("hasAudio") == "1" and self.nested.sound(element)
        clip = _markers_moved(clip, inner.source.start - span.start)
        clip = replace(clip, media=media, source=inner.source, with_sound=with_sound)
        if media.rate is None or media.duration == 0 or is_still(media.path):
            clip = replace(clip, kind="still", refusal="a still picture")
        return Found(clip=clip, element=element, reference=inner.reference, shown=span, rate=self._rate)

    def _media(self, element: Element) -> MediaReference | None:
        reference = _reference(element)
        asset = self.resources.get(reference.get("ref")) if reference is not None else None
        return self.resources.media(asset) if asset is not None and asset.name == "asset" else None

    def _lane(self, element: Element) -> int:
        text = element.get("lane", "0")
        try:
            return whole(text)
        except ValueError:
            raise self.document.fault(element, f"lane={shown(text)} is no number") from None

    def _duration(self, element: Element) -> Fraction:
        if element.name == "audition":
            pick = next(element.elements(), None)
            return self._duration(pick) if pick is not None else Fraction(0)
        if element.name == "spine":
            return Fraction(0)
        return self.nested.duration(element)

    def _markers(self, element: Element) -> Iterator[Marker]:
        for marker in element.elements("marker", "chapter-marker"):
            start = parse_time(self.document, marker, "start", Fraction(0))
            yield Marker(name=marker.get("value"), note=marker.get("note"), start=start)
        for keyword in element.elements("keyword"):
            yield Marker(name=keyword.get("value"), note=keyword.get("note"))


def _content(element: Element) -> Element | None:
    """The picture that a `clip` wraps."""
    return picture_of(element) if element.name == "clip" else None


def _reference(element: Element) -> Element | None:
    """The element whose `ref` names the picture of a clip; None where there is none."""
    return _content(element) if element.name == "clip" else element if element.name in ("asset-clip", "video") else None


def _markers_moved(clip: TimelineClip, by: Fraction) -> TimelineClip:
    """Markers from a clip's own time to its media's, where these differ."""
    moved = (marker if marker.start is None else replace(marker, start=marker.start + by) for marker in clip.markers)
    return replace(clip, markers=tuple(moved))


def _with_transitions(clip: TimelineClip, span: TimeSpan, transitions: list[TimeSpan]) -> TimelineClip:
    """The clip with the media that the transitions over its ends show beyond them."""
    if clip.source is None:
        return clip
    per_second = clip.source.duration / span.duration if span.duration else Fraction(1)
    head = tail = Fraction(0)
    for transition in transitions:
        if transition.start < span.start < transition.stop:
            head = max(head, span.start - transition.start)
        if transition.start < span.stop < transition.stop:
            tail = max(tail, transition.stop - span.stop)
    return replace(clip, head=head * per_second, tail=tail * per_second)
