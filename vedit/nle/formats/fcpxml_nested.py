"""FCPXML's clips that hold their picture inside: what a multicam or synchronized clip shows, and how that is replaced.

The picture is that of the active angle, or of the first storyline. Only what the clip shows of it is replaced: the
item is cut into the stretch before, the stretch shown and the stretch behind, so that other clips of the same multicam
show what they did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from vedit.nle.formats.fcpxml_assets import Resources
from vedit.nle.formats.fcpxml_times import Retiming, format_time, parse_time
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.model import TimeSpan

ITEMS = ("clip", "asset-clip", "video", "title", "ref-clip", "mc-clip", "sync-clip", "audition", "gap")
_ANCHORED = frozenset((*ITEMS, "spine", "audio", "caption", "marker", "chapter-marker"))
_MEDIA = ("asset-clip", "video")


class NotShownError(Exception):
    """Why a clip's picture cannot be replaced inside it."""


@dataclass(frozen=True, kw_only=True)
class Inner:
    """What a clip shows through what it holds."""

    item: Element
    """The asset clip or clip in the storyline or angle."""
    place: TimeSpan
    """Where that lies, in the storyline's own time."""
    span: TimeSpan
    """What is shown of it, in the storyline's own time."""
    reference: Element
    """The element whose `ref` names the media: `item`, or the picture inside it."""
    source: TimeSpan
    """What is shown of the media, in its own time."""
    frame: Fraction
    """Seconds of a frame of the storyline."""


def picture_of(element: Element) -> Element | None:
    """The picture that a `clip` wraps."""
    return next((child for child in element.elements("video") if child.get("lane", "0") == "0"), None)


class Nested:
    """What the nested clips of a document show.

    Args:
        document: an FCPXML document.
        resources: its resources.
    """

    def __init__(self, document: XmlDocument, resources: Resources) -> None:
        self._document = document
        self._resources = resources

    def begin(self, element: Element) -> Fraction:
        """Where the time of a nested clip's content begins: a multicam's `tcStart`, else 0."""
        media = self._resources.get(element.get("ref")) if element.name == "mc-clip" else None
        multicam = media.find("multicam") if media is not None else None
        return self._time(multicam, "tcStart", Fraction(0)) if multicam is not None else Fraction(0)

    def content(self, element: Element) -> Element:
        """The storyline or angle that a `sync-clip` or `mc-clip` shows. Raises NotShownError."""
        if element.name == "sync-clip":
            spine = next((child for child in element.elements("spine") if child.get("lane", "0") == "0"), None)
            return spine or element
        media = self._resources.get(element.get("ref"))
        multicam = media.find("multicam") if media is not None else None
        if multicam is None:
            raise NotShownError("its multicam is not in the file")
        told = [source.get("angleID") for source in element.elements("mc-source") if _takes(source, "video")]
        named = bool(list(element.elements("mc-source")))
        angles = [angle for angle in multicam.elements("mc-angle") if not named or angle.get("angleID") in told]
        if not angles:
            raise NotShownError("no angle gives its picture")
        return angles[0]

    def sound(self, element: Element) -> bool:
        """Whether a nested clip takes its sound from the element that gives its picture."""
        if element.name == "sync-clip":
            return element.get("srcEnable", "all") != "video"
        sources = list(element.elements("mc-source"))
        both = [source for source in sources if _takes(source, "video") and _takes(source, "audio")]
        return bool(both) or not sources

    def inner(self, element: Element, span: TimeSpan, rate: Fraction) -> Inner:
        """What a nested clip shows.

        Args:
            element: a `sync-clip` or `mc-clip`.
            span: what it shows of its content, in the content's own time.
            rate: frames per second where the content does not tell its own.

        Raises:
            NotShownError: not one stretch of one media file.
        """
        content = self.content(element)
        holder = content.parent if content.name == "mc-angle" else element
        frame = (self._resources.frame(holder) if holder is not None else None) or 1 / rate
        item, place = self._at(content, span, self.begin(element))
        if item.name not in ("asset-clip", "video", "clip"):
            raise NotShownError(f"it shows a {item.name} inside")
        reference = picture_of(item) if item.name == "clip" else item
        asset = self._resources.asset(reference) if reference is not None else None
        if reference is None or asset is None or not self._resources.has_picture(asset):
            raise NotShownError("no media gives its picture")
        if item.find("timeMap") is not None or reference.find("timeMap") is not None:
            raise NotShownError("its picture is retimed inside")
        media = self._resources.frame(asset)
        conform = Retiming(
            self._document, item, sequence_rate=1 / frame, media_rate=None if media is None else 1 / media
        ).conform
        start = self.start(item) + (span.start - place.start) * conform
        if reference is not item:
            start += self.start(reference) - self._time(reference, "offset", Fraction(0))
        source = TimeSpan(start=start, duration=span.duration * conform)
        return Inner(item=item, place=place, span=span, reference=reference, source=source, frame=frame)

    def start(self, element: Element) -> Fraction:
        """A clip's `start`; where absent, that of its asset or multicam."""
        default = self.begin(element)
        if element.name in _MEDIA:
            asset = self._resources.get(element.get("ref"))
            if asset is not None and asset.name == "asset":
                default = self._resources.start(asset)
        return self._time(element, "start", default)

    def duration(self, element: Element) -> Fraction:
        """How long a clip lasts in its storyline; an asset clip that does not say so shows all of its asset."""
        if element.get("duration") or element.name != "asset-clip":
            return parse_time(self._document, element, "duration")
        asset = self._resources.asset(element)
        if asset is None:
            return parse_time(self._document, element, "duration")
        return self._resources.start(asset) + self._time(asset, "duration") - self.start(element)

    def cut_out(self, inner: Inner) -> Element:
        """Cut what is shown out of its item, which keeps the rest of what it shows.

        Returns:
            The reference in the stretch cut out.
        """
        frame, place = inner.frame, inner.place
        first = place.start + math.floor((inner.span.start - place.start) / frame) * frame
        last = min(place.stop, place.start + math.ceil((inner.span.stop - place.start) / frame) * frame)
        if (first, last) == (place.start, place.stop):
            return inner.reference
        item, start = inner.item, self.start(inner.item)
        per_second = inner.source.duration / inner.span.duration if inner.span.duration else Fraction(1)
        shown = item
        edges = [place.start, first, last, place.stop]
        parts: list[Element] = []
        for begin, end in pairwise(edges):
            if end <= begin:
                continue
            part = item.copy()
            at = start + (begin - place.start) * per_second
            until = start + (end - place.start) * per_second
            part.set("offset", format_time(begin, frame))
            part.set("start", format_time(at, frame))
            part.set("duration", format_time(end - begin, frame))
            for child in list(part.elements(*_ANCHORED)):
                moment = self._time(child, "start" if "marker" in child.name else "offset", start)
                inside = at <= moment < until or (begin == place.start and moment < at)
                wraps = child.name == "video" and child.get("lane", "0") == "0" and part.name == "clip"
                if not (inside or wraps or (end == place.stop and moment >= until)):
                    part.remove(child)
            parts.append(part)
            if begin == first:
                shown = part
        self._put(item, parts)
        reference = picture_of(shown) if shown.name == "clip" else shown
        assert reference is not None  # the item had one
        return reference

    def _put(self, item: Element, parts: list[Element]) -> None:
        """Put the parts of an item in its place; a synchronized clip that held it itself gets a storyline."""
        parent = item.parent
        assert parent is not None  # it lies in a storyline
        if parent.name == "sync-clip":
            spine = Element("spine")
            parent.replace(item, spine)
            for part in parts:
                spine.insert(len(spine.children), part)
            return
        for part in reversed(parts):
            parent.insert_after(item, part)
        parent.remove(item)

    def _at(self, content: Element, span: TimeSpan, begin: Fraction) -> tuple[Element, TimeSpan]:
        """The one item that shows all of a span, and where it lies."""
        shift = self._time(content, "offset", Fraction(0)) if content.name == "spine" else Fraction(0)
        following = begin
        touched: list[str] = []
        for child in content.elements(*ITEMS, "transition"):
            if child.get("lane", "0") != "0":
                continue
            start = self._time(child, "offset", following) + shift
            if child.name == "transition":
                end = start + self._time(child, "duration")
                if start < span.stop and span.start < end:
                    raise NotShownError("a transition lies inside it")
                continue
            place = TimeSpan(start=start, duration=self.duration(child))
            following = place.stop - shift
            if place.start <= span.start and span.stop <= place.stop:
                return child, place
            if place.start < span.stop and span.start < place.stop:
                touched.append(child.get("name") or child.name)
        raise NotShownError(
            f"it shows several clips inside ({', '.join(touched)})" if touched else "it shows nothing inside"
        )

    def _time(self, element: Element, name: str, default: Fraction | None = None) -> Fraction:
        return parse_time(self._document, element, name, default)


def _takes(source: Element, what: str) -> bool:
    return source.get("srcEnable", "all") in ("all", what)
