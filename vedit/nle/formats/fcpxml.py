"""FCPXML 1.8 to 1.14 (Final Cut Pro, Resolve): clips relinked by an asset of their own, all else as it was."""

from __future__ import annotations

import re
from fractions import Fraction

from vedit.errors import InputError
from vedit.media.reading.addresses import address_of
from vedit.nle.cover import check_cover
from vedit.nle.formats.fcpxml_assets import STUDIO
from vedit.nle.formats.fcpxml_nested import NotShownError
from vedit.nle.formats.fcpxml_read import Found, StoryReader
from vedit.nle.formats.fcpxml_times import format_time, parse_time
from vedit.nle.formats.xml_tree import Element, Text, XmlDocument
from vedit.nle.media_paths import MediaRules
from vedit.nle.model import NewMedia, Timeline, TimeSpan

OLDEST, NEWEST = (1, 8), (1, 14)
# What a new asset does not share with the one it is made from: the identity of the old file.
_IDENTITY = ("uid", "sig", "suggestedFilename")


class FcpxmlDocument:
    """An FCPXML document; see `TimelineDocument`.

    Args:
        document: its XML.
        rules: where media may lie.

    Raises:
        InputError: it is no FCPXML, or of a kind that is not understood.
    """

    def __init__(self, document: XmlDocument, rules: MediaRules) -> None:
        root = document.root
        if root.name != "fcpxml":
            raise document.fault(root, "not an FCPXML document")
        version = _version(document)
        self._xml = document
        self._reader = StoryReader(document, rules)
        self._found = self._reader.read()
        self._resources = self._reader.resources
        self._added: dict[tuple[str, str], Element] = {}
        self._origin: dict[str, str] = {}
        """The id of a new asset -> that of the one it was made from."""
        known = OLDEST <= version <= NEWEST
        notes = [] if known else [f"FCPXML {root.get('version')} is newer than what is known"]
        projects = [name for name, _ in self._reader.projects()]
        if len(projects) > 1:
            named = ", ".join(map(repr, projects))
            notes.append(f'it holds {len(projects)} projects ({named}): sequence = "NAME" in a look takes one of them')
        sequences = list(self._reader.sequences())
        loose = list(self._reader.loose())
        if sequences:
            name, first = sequences[0]
            rate = self._reader.rate(first)
            start = parse_time(document, first, "tcStart", Fraction(0))
            drop = first.get("tcFormat") == "DF"
        elif loose:
            (name, rate, _), start, drop = loose[0], Fraction(0), False
        else:
            raise document.fault(root, "it holds no project and no clip", remedy="export a project or an event")
        self._timeline = Timeline(
            name=name,
            rate=rate,
            start=start,
            drop=drop,
            clips=tuple(item.clip for item in self._found),
            format=f"FCPXML {root.get('version')}",
            notes=tuple(notes),
        )

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`."""
        item = self._found[number - 1]
        check_cover(item.clip, media)
        reference = item.reference if item.shown is None else self._inside(item, item.shown, media)
        if reference is None:
            return
        old = self._resources.asset(reference)
        assert old is not None  # an editable clip has one
        new = self._asset(old, media)
        if reference.name == "asset-clip" or reference.parent is None or reference.parent.name != "clip":
            # Where `start` is absent it is the asset's, and that changes.
            start = self._resources.start(old)
            if not reference.get("start") and start != media.start:
                reference.set("start", format_time(start, 1 / media.rate))
        else:
            self._trim(reference, media)
        reference.set("ref", new.get("id"))

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        return self._xml.serialise()

    def _inside(self, item: Found, shown: TimeSpan, media: NewMedia) -> Element | None:
        """The reference that a multicam or synchronized clip shows, cut out; None where it shows the media already."""
        source, clip = item.clip.source, item.clip
        per_second = shown.duration / source.duration if source is not None and source.duration else Fraction(1)
        asked = f"clip {clip.number} ({clip.name})"
        try:
            inner = self._reader.nested.inner(item.element, shown, item.rate)
        except NotShownError as problem:
            raise InputError(
                f"{asked}: {problem}, which another look has been given to already",
                remedy="give both clips the same frames, or break one of them apart",
            ) from None
        asset = self._resources.asset(inner.reference)
        if any(asset is added for added in self._added.values()):
            if asset is self._added.get((self._origin[inner.reference.get("ref")], str(media.path))):
                return None
            raise InputError(
                f"{asked} shows frames that another clip of the same angle gives another look",
                remedy="give both the same frames and look, or break one of them apart",
            )
        # What a transition shows beyond the clip, as far as this item goes.
        begin = max(inner.place.start, shown.start - clip.head * per_second)
        end = min(inner.place.stop, shown.stop + clip.tail * per_second)
        wider = self._reader.nested.inner(item.element, TimeSpan(start=begin, duration=end - begin), item.rate)
        return self._reader.nested.cut_out(wider)

    def _trim(self, video: Element, media: NewMedia) -> None:
        """A `video` inside a `clip` spans all of its media: it now spans the new one, at the same place in time."""
        begin = self._reader.nested.start(video)
        offset = parse_time(self._xml, video, "offset", Fraction(0))
        frame = 1 / media.rate
        video.set("offset", format_time(offset + media.start - begin, frame))
        video.set("start", format_time(media.start, frame))
        video.set("duration", format_time(media.duration, frame))

    def _asset(self, old: Element, media: NewMedia) -> Element:
        """The resource of the new media, made like the old one's; one for each file."""
        key = (old.get("id"), str(media.path))
        if key in self._added:
            return self._added[key]
        new = old.copy()
        frame = 1 / media.rate
        for element in new.walk():
            for name in _IDENTITY:
                element.unset(name)
        new.set("id", self._resources.new_id())
        new.set("name", media.name)
        new.set("start", format_time(media.start, frame))
        new.set("duration", format_time(media.duration, frame))
        if not media.has_sound:
            for name in ("hasAudio", "audioSources", "audioChannels", "audioRate"):
                new.unset(name)
        self._address(new, media)
        _drop_stale_metadata(new)
        parent = old.parent
        assert parent is not None  # a resource lies in <resources>
        parent.insert_after(old, new)
        self._resources.add(new)
        if media.size is not None:
            self._format(old, new, media)
        self._added[key] = new
        self._origin[new.get("id")] = old.get("id")
        return new

    def _address(self, asset: Element, media: NewMedia) -> None:
        holders = list(asset.elements("media-rep"))
        for bookmark in [bookmark for holder in (asset, *holders) for bookmark in holder.elements("bookmark")]:
            if bookmark.parent is not None:
                bookmark.parent.remove(bookmark)
        originals = [rep for rep in holders if rep.get("kind", "original-media") == "original-media"]
        target = originals[0] if originals else asset
        target.set("src", address_of(media.path, like=target.get("src")))
        for holder in holders:
            if holder is not target:
                asset.remove(holder)
            elif not any(isinstance(child, Text) and child.data.strip() for child in holder.children):
                holder.children = [child for child in holder.children if isinstance(child, Element)]

    def _format(self, old: Element, asset: Element, media: NewMedia) -> None:
        """The old media's format serves the new one too; a new one is added only where the size differs."""
        described = self._resources.get(old.get("format"))
        width, height = media.size or (0, 0)
        if described is None or (described.get("width"), described.get("height")) in (
            (str(width), str(height)),
            ("", ""),
        ):
            return
        new = described.copy()
        new.unset("name")
        new.set("id", self._resources.new_id())
        new.set("width", str(width))
        new.set("height", str(height))
        if described.parent is not None:
            described.parent.insert_after(described, new)
        self._resources.add(new)
        asset.set("format", new.get("id"))


def _drop_stale_metadata(asset: Element) -> None:
    """Reel, shot and the like hold for the new media too; codec and profile do not."""
    for metadata in list(asset.elements("metadata")):
        for entry in list(metadata.elements("md")):
            if not entry.get("key").startswith(STUDIO):
                metadata.remove(entry)
        if not any(metadata.elements()):
            asset.remove(metadata)


def _version(document: XmlDocument) -> tuple[int, int]:
    match = re.match(r"^(\d{1,3})\.(\d{1,3})$", document.root.get("version"))
    if match is None or (version := (int(match[1]), int(match[2]))) < OLDEST:
        raise document.fault(
            document.root, f"version {document.root.get('version')!r} is not read", remedy="export it as 1.9 or later"
        )
    return version
