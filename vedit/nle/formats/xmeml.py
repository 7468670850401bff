"""FCP7 XML (xmeml 4 and 5: Premiere, Resolve): a clip item relinked by a file of its own, all else as it was.

Its times are frames: `in` and `out` count from the first frame of the media at the clip item's rate, `start` and `end`
from the first frame of the sequence at that one's. See Apple's "Final Cut Pro XML Interchange Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from vedit.checks.rationals import is_whole, whole
from vedit.media.reading.addresses import address_of
from vedit.media.reading.sequence import split_counter
from vedit.media.timecode import can_drop, format_timecode
from vedit.nle.cover import check_cover
from vedit.nle.formats.xmeml_numbers import Numbers, drops, speed_of, unpointed
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.media_paths import MediaRules, is_still, run_from
from vedit.nle.model import Marker, MediaReference, NewMedia, Timeline, TimelineClip, TimeSpan

TICKS = 254016000000
"""Premiere's ticks in a second."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What a clip item shows, in seconds from the first frame of its media."""

    begin: Fraction
    end: Fraction
    rate: Fraction
    """Frames per second that its `in` and `out` count, and with them its markers and keyframes."""


class XmemlDocument:
    """An xmeml document; see `TimelineDocument`.

    Args:
        document: its XML.
        rules: where media may lie.

    Raises:
        InputError: it is no xmeml, or holds no sequence.
    """

    def __init__(self, document: XmlDocument, rules: MediaRules) -> None:
        root = document.root
        if root.name != "xmeml":
            raise document.fault(root, "not an FCP7 XML document")
        self._xml = document
        self._read = Numbers(document)
        self._rules = rules
        self._files: dict[str, Element] = {}
        for element in root.walk():
            if element.name == "file" and any(element.elements()):
                self._files.setdefault(element.get("id"), element)
        self._items: list[Element] = []
        self._rates: list[Fraction] = []
        """Of each item: frames per second that its `in` and `out` count."""
        self._added: dict[tuple[str, str], str] = {}
        sequences = [element for element in root.walk() if element.name == "sequence" and element.find("media")]
        if not sequences:
            raise document.fault(root, "it holds no sequence", remedy="export a sequence, not a bin")
        first = sequences[0]
        rate = self._read.rate(first)
        clips = [clip for sequence in sequences for clip in self._sequence(sequence)]
        self._timeline = Timeline(
            name=first.text_of("name"),
            rate=rate,
            start=self._read.first_frame(first, rate) / rate,
            drop=drops(first),
            clips=tuple(replace(clip, number=number) for number, clip in enumerate(clips, start=1)),
            format=f"FCP7 XML {root.get('version')}".rstrip(),
        )

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`.

        Since `in` and `out`, and with them a clip's markers and keyframes, count from the first frame of the media,
        they move by as many frames as the new media begins later.
        """
        clip = self._timeline.clips[number - 1]
        offset = check_cover(clip, media)
        item = self._items[number - 1]
        file = item.find("file")
        assert file is not None  # an editable clip has one
        old_id = file.get("id")
        self._replace_file(file, media, offset)
        self._shift(item, self._rates[number - 1], offset, media)
        master = item.find("masterclipid")
        if master is not None:
            # A master clip stands for one file; sharing the old one's would relink to that.
            master.set_text(f"{master.text.strip()}-{self._added[old_id, str(media.path)]}")

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        return self._xml.serialise()

    def _sequence(self, sequence: Element) -> Iterator[TimelineClip]:
        rate = self._read.rate(sequence)
        video = sequence.find("media", "video")
        for index, track in enumerate(video.elements("track") if video is not None else (), start=1):
            items = list(track.elements("clipitem", "generatoritem", "transitionitem"))
            for position, item in enumerate(items):
                if item.name == "transitionitem":
                    continue
                record = self._record(items, position, rate)
                clip = self._clip(item, rate, record)
                on = clip.enabled and track.text_of("enabled", default="TRUE").upper() != "FALSE"
                self._items.append(item)
                yield replace(clip, track=f"V{index}", sequence=sequence.text_of("name"), enabled=on)

    def _record(self, items: list[Element], position: int, rate: Fraction) -> TimeSpan:
        """Where an item lies; an end given as -1 is that of the transition beside it, which the item reaches across."""
        item = items[position]
        start, end = self._read.number(item, "start", default=-1), self._read.number(item, "end", default=-1)
        if start < 0 and position and items[position - 1].name == "transitionitem":
            start = self._read.number(items[position - 1], "start")
        if end < 0 and position + 1 < len(items) and items[position + 1].name == "transitionitem":
            end = self._read.number(items[position + 1], "end")
        if (start < 0) != (end < 0) and item.find("in") is not None and item.find("out") is not None:
            span = self._shown(item, rate, None)
            frames = (span.end - span.begin) * rate
            start, end = (end - frames, end) if start < 0 else (start, start + frames)
        if start < 0 or end < start:
            raise self._xml.fault(item, f"it lies at {start}..{end}, which is nowhere")
        return TimeSpan(start=start / rate, duration=(end - start) / rate)

    def _clip(self, item: Element, sequence_rate: Fraction, record: TimeSpan) -> TimelineClip:
        span = self._shown(item, sequence_rate, record)
        self._rates.append(span.rate)
        clip = TimelineClip(
            number=0,
            name=item.text_of("name"),
            kind="clip",
            track="",
            sequence="",
            record=record,
            sequence_rate=sequence_rate,
            markers=tuple(self._markers(item, span.rate)),
            notes=tuple(filter(None, (item.text_of("comments", f"mastercomment{n}") for n in range(1, 5)))),
            color=item.text_of("labels", "label2") or item.text_of("labels", "label"),
            enabled=item.text_of("enabled", default="TRUE").upper() != "FALSE",
            line=item.line,
        )
        if item.name == "generatoritem":
            return replace(clip, kind="generator", refusal="a generator has no media")
        if item.find("sequence") is not None:
            return replace(clip, kind="nested", refusal="a nested sequence: its own clips are listed under its name")
        if item.find("multiclip") is not None:
            return replace(clip, kind="multicam", refusal="a multicam clip: flatten it to restyle an angle")
        file = item.find("file")
        if file is None:
            return replace(clip, kind="generator", refusal="it names no file")
        described = self._files.get(file.get("id"))
        if described is None:
            raise self._xml.fault(file, f"no file is described under the id {file.get('id')!r}")
        if not described.text_of("pathurl"):
            return replace(clip, kind="generator", refusal="it has no media file")
        media = self._media(described)
        begin, end = self._read.number(item, "in"), self._read.number(item, "out")
        if end < begin or begin < 0:
            raise self._xml.fault(item, f"in {begin} and out {end} are no range")
        clip = replace(
            clip,
            media=media,
            source=TimeSpan(start=(media.start or Fraction(0)) + span.begin, duration=span.end - span.begin),
            grid=1 / span.rate,
            speed=speed_of(item),
        )
        still = described.text_of("media", "video", "stillframe", default="FALSE").upper() == "TRUE"
        if still or item.text_of("stillframe", default="FALSE").upper() == "TRUE" or is_still(media.path):
            clip = replace(clip, kind="still", refusal="a still picture")
        elif clip.speed != 1:
            clip = self._retimed(clip)
        return clip

    def _shown(self, item: Element, sequence_rate: Fraction, record: TimeSpan | None) -> _Shown:
        """What an item shows. `in` and `out` should count at the item's own rate, and some systems count at the cut's.

        Premiere's ticks tell it exactly where they agree with one of the two to a frame (they do not where another
        program has trimmed the item). Else an item that lasts in the cut as long as it counts frames counts the cut's.
        """
        told = self._read.rate(item, sequence_rate)
        rates = (told,) if told == sequence_rate else (told, sequence_rate)
        frames = [self._read.number(item, name, default=0) for name in ("in", "out")]
        ticks = [self._read.number(item, name, default=-1) for name in ("pproTicksIn", "pproTicksOut")]
        if min(ticks) >= 0:
            begin, end = (Fraction(tick, TICKS) for tick in ticks)
            apart = {rate: max(abs(frames[0] - begin * rate), abs(frames[1] - end * rate)) for rate in rates}
            nearest = min(rates, key=lambda rate: apart[rate])
            if apart[nearest] <= 1:
                return _Shown(begin=begin, end=end, rate=nearest)
        rate = told
        if record is not None and speed_of(item) == 1 and (frames[1] - frames[0]) == record.duration * sequence_rate:
            rate = sequence_rate
        return _Shown(begin=frames[0] / rate, end=frames[1] / rate, rate=rate)

    def _retimed(self, clip: TimelineClip) -> TimelineClip:
        """A retimed clip: systems differ in whether `in` and `out` count media frames or retimed ones.

        From the media's first frame on, both ways of counting agree on where a frame lies, so all of it up to the later
        end is taken.
        """
        if clip.speed is None or clip.source is None or clip.media is None:
            return replace(clip, refusal="its speed varies: bake the retime first")
        if clip.speed <= 0:
            return replace(clip, refusal="it runs backwards or is frozen: bake the retime first")
        begin = clip.media.start or Fraction(0)
        length = (clip.source.stop - begin) * max(Fraction(1), clip.speed)
        if clip.media.duration:
            length = min(length, clip.media.duration)
        return replace(clip, source=TimeSpan(start=begin, duration=length))

    def _media(self, file: Element) -> MediaReference:
        written = file.text_of("pathurl")
        located = self._rules.locate(written)
        rate = self._read.rate(file, Fraction(0)) or None
        clock = self._read.rate(file, rate or Fraction(1), "timecode")
        video = file.find("media", "video", "samplecharacteristics")
        width, height = (video.text_of(side) if video is not None else "" for side in ("width", "height"))
        length = self._read.number(file, "duration", default=0)
        # Premiere names an image sequence by its first picture.
        path = run_from(located.path, length) if located.path is not None else None
        return MediaReference(
            written=written,
            name=file.text_of("name"),
            path=path,
            problem=located.problem,
            start=self._read.first_frame(file, clock) / clock,
            duration=length / rate if rate else None,
            # Of a sequence more pictures may lie there than the cut knew of.
            of_part=path is not None and split_counter(path.name) is not None,
            rate=rate,
            drop=drops(file),
            size=(whole(width), whole(height)) if is_whole(width) and is_whole(height) else None,
            reel=file.text_of("timecode", "reel", "name"),
        )

    def _replace_file(self, file: Element, media: NewMedia, offset: Fraction) -> None:
        """Name the new media; where the old one is described here, the next item that uses it describes it now."""
        old_id = file.get("id")
        described = self._files[old_id]
        key = (old_id, str(media.path))
        if key in self._added:
            new = self._files[self._added[key]].copy()
        else:
            new = self._described(described, media, offset)
            self._added[key] = new.get("id")
            self._files[new.get("id")] = new
        parent = file.parent
        assert parent is not None  # a file lies in its item
        if file is described:
            self._hand_over(described)
        parent.replace(file, new)
        self._describe_once(new.get("id"))

    def _describe_once(self, file_id: str) -> None:
        """The first item that uses a file describes it, the others name its id."""
        used = [element for element in self._xml.root.walk() if element.name == "file" and element.get("id") == file_id]
        self._files[file_id] = used[0]
        for element in used[1:]:
            if element.parent is not None:
                element.parent.replace(element, Element("file", {"id": file_id}))

    def _hand_over(self, described: Element) -> None:
        for element in self._xml.root.walk():
            if element.name == "file" and element is not described and element.get("id") == described.get("id"):
                twin = described.copy()
                if element.parent is not None:
                    element.parent.replace(element, twin)
                self._files[described.get("id")] = twin
                return

    def _described(self, old: Element, media: NewMedia, offset: Fraction) -> Element:
        new = old.copy()
        rate = self._read.rate(old, media.rate)
        number = 1
        while f"{old.get('id')}-vedit-{number}" in self._files:
            number += 1
        new.set("id", f"{old.get('id')}-vedit-{number}")
        _set(new, media.name, "name")
        _set(new, address_of(media.path, like=old.text_of("pathurl")), "pathurl")
        _set(new, str(media.frames), "duration")
        clock = self._read.rate(old, rate, "timecode")
        frame = self._read.first_frame(old, clock) + round(offset * clock)
        _set(new, str(frame), "timecode", "frame")
        if old.text_of("timecode", "string"):
            _set(new, format_timecode(frame, clock, drop=drops(old) and can_drop(clock)), "timecode", "string")
        return new

    def _shift(self, item: Element, rate: Fraction, offset: Fraction, media: NewMedia) -> None:
        frames = round(offset * rate)
        if speed_of(item) == 1:
            _set(item, str(round(media.frames / media.rate * rate)), "duration")
        if not offset:
            return
        for name in ("in", "out"):
            _set(item, str(self._read.number(item, name) - frames), name)
        for name in ("pproTicksIn", "pproTicksOut"):
            if item.find(name) is not None:
                _set(item, str(self._read.number(item, name) - round(offset * TICKS)), name)
        for marker in item.elements("marker"):
            for name in ("in", "out"):
                if self._read.number(marker, name, default=-1) >= 0:
                    _set(marker, str(self._read.number(marker, name) - frames), name)
        for filtered in item.elements("filter"):
            for element in filtered.walk():
                if element.name == "when" and is_whole(unpointed(element.text).lstrip("-")):
                    element.set_text(str(whole(unpointed(element.text)) - frames))

    def _markers(self, item: Element, rate: Fraction) -> Iterator[Marker]:
        for marker in item.elements("marker"):
            begin = self._read.number(marker, "in", default=0)
            color = marker.text_of("pproColor")
            note = marker.text_of("comment")
            yield Marker(name=marker.text_of("name"), note=note, color=color, start=begin / rate)


def _set(element: Element, text: str, *path: str) -> None:
    """Give a descendant another text, if it is there."""
    found = element.find(*path)
    if found is not None and found.text.strip() != text:
        found.set_text(text)
