"""FCPXML's resources: which file an asset stands for, and what all assets of one file tell of it together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import PurePosixPath

from vedit.checks.rationals import is_whole, whole
from vedit.media.reading.addresses import path_of
from vedit.nle.formats.fcpxml_times import frame_duration, parse_time
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.media_paths import MediaRules
from vedit.nle.model import MediaReference, TimeSpan

STUDIO = "com.apple.proapps.studio."
"""How the keys begin of what a user notes on media: reel, scene, shot."""
_SOUNDS = frozenset((".wav", ".aif", ".aiff", ".mp3", ".m4a", ".aac", ".flac", ".caf", ".bwf", ".ogg", ".opus", ".ac3"))


class Resources:
    """The resources of a document, by their ids.

    Args:
        document: an FCPXML document.
        rules: where media may lie.
    """

    def __init__(self, document: XmlDocument, rules: MediaRules) -> None:
        self._document = document
        self._rules = rules
        self._known: dict[str, Element] = {}
        for resources in document.root.elements("resources"):
            for resource in resources.elements():
                self._known.setdefault(resource.get("id"), resource)
        self._spans: dict[str, TimeSpan] = {}
        for asset in self:
            if asset.name == "asset":
                self._join(asset)

    def __iter__(self) -> Iterator[Element]:
        return iter(list(self._known.values()))

    def get(self, name: str) -> Element | None:
        """A resource, if there is one of that id."""
        return self._known.get(name)

    def asset(self, element: Element) -> Element | None:
        """What the `ref` of a story element names; None where that is no asset. Raises InputError for nothing."""
        found = self._known.get(element.get("ref"))
        if found is None:
            raise self._document.fault(element, f"there is no resource {element.get('ref')!r}")
        return found if found.name == "asset" else None

    def add(self, resource: Element) -> None:
        """Take a new resource, which the caller has put into the document."""
        self._known[resource.get("id")] = resource

    def new_id(self) -> str:
        """An id that no resource has: r and the next number."""
        taken = [whole(name[1:]) for name in self._known if name[:1] == "r" and is_whole(name[1:])]
        return f"r{max(taken, default=0) + 1}"

    def frame(self, element: Element) -> Fraction | None:
        """Seconds of a frame of the `format` that an element names; None where nothing tells."""
        return frame_duration(self._document, self._known.get(element.get("format")))

    def start(self, asset: Element) -> Fraction:
        """An asset's own `start`, in seconds."""
        return parse_time(self._document, asset, "start", Fraction(0))

    def media(self, asset: Element) -> MediaReference:
        """The file that an asset stands for. Raises InputError.

        DaVinci Resolve writes an asset for each cut, whose `start` is that cut's; so the file is told of by all its
        assets together, and may begin before the first of them.
        """
        written = address(asset)
        located = self._rules.locate(written)
        described = self._known.get(asset.get("format"))
        frame = frame_duration(self._document, described)
        width, height = (described.get(side) if described is not None else "" for side in ("width", "height"))
        told = self._spans[_file(asset)]
        return MediaReference(
            written=written,
            name=asset.get("name"),
            path=located.path,
            problem=located.problem,
            start=told.start,
            duration=told.duration,
            of_part=True,
            rate=None if frame is None else 1 / frame,
            size=(whole(width), whole(height)) if is_whole(width) and is_whole(height) else None,
            reel=next((md.get("value") for md in asset.walk() if md.get("key") == STUDIO + "reel"), ""),
        )

    def has_picture(self, asset: Element) -> bool:
        """Whether an asset has a picture; where it does not say so itself, its format and its file do."""
        told = asset.get("hasVideo")
        if told or PurePosixPath(address(asset).lower()).suffix in _SOUNDS:
            return told == "1"
        return asset.get("hasAudio") != "1" or bool(asset.get("videoSources")) or self.frame(asset) is not None

    def _join(self, asset: Element) -> None:
        start, file = self.start(asset), _file(asset)
        stop = start + parse_time(self._document, asset, "duration", Fraction(0))
        known = self._spans.get(file, TimeSpan(start=start, duration=stop - start))
        start, stop = min(start, known.start), max(stop, known.stop)
        self._spans[file] = TimeSpan(start=start, duration=stop - start)


def address(asset: Element) -> str:
    """Where an asset's media lies: its original `media-rep`, before FCPXML 1.9 its own `src`."""
    original = [rep for rep in asset.elements("media-rep") if rep.get("kind", "original-media") == "original-media"]
    return original[0].get("src") if original else asset.get("src")


def _file(asset: Element) -> str:
    """What all assets of one file share: their address, however it is escaped and with or without a host."""
    written = address(asset)
    try:
        return path_of(written)
    except ValueError:
        return written or f"#{asset.get('id')}"
