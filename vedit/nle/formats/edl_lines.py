"""The lines of a CMX 3600 edit decision list: events, and what is said about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from vedit.checks.rationals import rational, shown
from vedit.errors import InputError
from vedit.media.timecode import can_drop, is_drop, parse_timecode

_TIMECODE = r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;.,]\d{2,3}"
_EVENT = re.compile(
    rf"^\s*(?P<number>\d+[A-Za-z]?)\s+(?P<reel>\S+)\s+(?P<channels>\S+)\s+(?P<edit>[CDKW]\S*(?:\s+[BO])?)"
    rf"(?:\s+(?P<length>\d{{1,9}}))?\s+(?P<times>{_TIMECODE}(?:\s+{_TIMECODE}){{3}})\s*$"
)
_LIKE_EVENT = re.compile(rf"^\s*\d+[A-Za-z]?\s+\S.*{_TIMECODE}")
_SPEED = re.compile(rf"^M2\s+(?P<reel>\S+)\s+(?P<rate>-?\d+(?:\.\d+)?)\s+(?P<time>{_TIMECODE})\s*$")
_SAID = re.compile(
    r"^\*?\s*(?P<key>FROM CLIP NAME|TO CLIP NAME|SOURCE FILE|KEY CLIP NAME)\s*:\s*(?P<value>.*?)\s*$",
    re.I,
)
_LOCATOR = re.compile(rf"^\*\s*LOC\s*:\s*{_TIMECODE}\s+(?P<color>\S+)\s*(?P<note>.*?)\s*$", re.I)
_LOCATOR_TIME = re.compile(rf"LOC\s*:\s*({_TIMECODE})", re.I)
_VEDIT = re.compile(r"^\*\s*(VEDIT\s*:.*?)\s*$", re.I)
FROM, TO, FILE = "FROM CLIP NAME", "TO CLIP NAME", "SOURCE FILE"
NO_MEDIA = ("BL", "BLACK", "BARS")
"""Reels that are no recording."""
_PICTURE = re.compile(r"^(V\d*|B|A*/?V|VA.*|AA?/V)$", re.I)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of an edit; the times are frames."""

    line: int
    """Its index among the lines."""
    number: str
    reel: str
    channels: str
    edit: str
    length: int
    """Frames of the dissolve, wipe or key; 0 for a cut."""
    source: tuple[int, int]
    record: tuple[int, int]

    @property
    def has_picture(self) -> bool:
        """Whether it edits a video track."""
        return _PICTURE.match(self.channels) is not None


@dataclass(frozen=True, kw_only=True)
class Said:
    """A comment that names a clip or a file."""

    line: int
    """Its index among the lines."""
    key: str
    after: int
    """How many of its statement's events stand before it."""


@dataclass(eq=False)
class Statement:
    """An event, of one line or of the two of a transition, and what is said about it up to the next."""

    events: list[Event] = field(default_factory=list[Event])
    said: list[Said] = field(default_factory=list[Said])
    speeds: dict[str, Fraction] = field(default_factory=dict[str, Fraction])
    """Frames per second of the media by reel."""
    faults: list[int] = field(default_factory=list[int])
    """Lines that tell a speed that is not understood."""
    locators: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    """Record frame, colour and text."""
    notes: list[str] = field(default_factory=list[str])

    def naming(self, position: int) -> tuple[str, list[int]]:
        """What names the clip of an event's line, or would if it were written: the key, and the lines that hold it.

        `FROM CLIP NAME` is the outgoing clip of a transition and `TO CLIP NAME` the incoming one; a list that writes
        names between the two lines of a transition, or comes from black, has FROM for the incoming one too.
        """
        between = self._lines(FROM, {position + 1}) if position + 1 < len(self.events) else []
        behind, to = self._lines(FROM, {len(self.events)}), self._lines(TO)
        if not self._is_incoming(position):
            return FROM, between + (behind if to or not between else [])
        if to:
            return TO, to
        named = bool(self._lines(FROM, set(range(1, len(self.events)))))
        if named or self.events[position - 1].reel.upper() in NO_MEDIA:
            return (FROM, behind) if behind else (TO, [])
        return TO, []

    @property
    def last_name(self) -> int:
        """The line that a name is added behind."""
        return max([self.events[-1].line, *self._lines(FROM), *self._lines(TO)])

    def files(self, position: int) -> list[int]:
        """The lines that tell the file of an event's line."""
        sides = [self._is_incoming(index) for index in range(len(self.events))]
        if not any(sides):
            return self._lines(FILE)
        behind = [said for said in self.said if said.after == len(self.events)]
        found: list[tuple[int, bool]] = [
            (said.line, sides[said.after - 1])
            for said in self.said
            if said.key == FILE and said.after < len(self.events)
        ]
        incoming = self.naming(len(self.events) - 1)[0]
        for number, said in enumerate(behind):
            if said.key == FILE:
                earlier = {other.key for other in behind[:number]}
                # The first is the outgoing clip's, unless only the incoming one was named before it.
                found.append((said.line, FILE in earlier or earlier == {incoming}))
        return [line for line, side in found if side == sides[position]]

    def _is_incoming(self, position: int) -> bool:
        changes = self.events[position].edit.startswith(("D", "W"))
        return changes and (position > 0 or bool(self._lines(TO)))

    def _lines(self, key: str, after: set[int] | None = None) -> list[int]:
        return [said.line for said in self.said if said.key == key and (after is None or said.after in after)]


@dataclass(eq=False)
class Decisions:
    """A whole list."""

    title: str
    rate: Fraction
    drop: bool
    statements: list[Statement]
    notes: list[str]
    """Of the lines that are not understood."""


@dataclass(frozen=True, eq=False)
class _Line:
    """A line of an event as it stands there, and what was counted by when it came."""

    index: int
    match: re.Match[str]
    drop: bool


class _BadLineError(ValueError):
    """One line that says nothing that can be; the others hold without it."""


def parse_lines(lines: list[str], name: str, rate: Fraction | None) -> Decisions:
    """Lines -> statements, each an event (of one or two lines) and what is said about it.

    A line that is not understood is left out, with a note.

    Args:
        lines: without their ends.
        name: the file, as errors call it.
        rate: frames per second; None where the list itself must tell.

    Raises:
        InputError: it holds no event, nothing tells the rate, or a timecode is none at that rate.
    """
    title, drop, notes = "", False, list[str]()
    raw: list[_Line] = []
    faults: list[int] = []
    for index, line in enumerate(lines):
        stripped = line.strip()
        if stripped.upper().startswith("TITLE:"):
            title = stripped[6:].strip()
        elif stripped.upper().startswith("FCM:"):
            said = " ".join(stripped[4:].upper().split())
            if said in ("DROP FRAME", "NON-DROP FRAME", "NON DROP FRAME"):
                drop = said == "DROP FRAME"
            else:
                notes.append(_note(index, stripped, "is neither drop frame nor non-drop frame"))
        elif match := _EVENT.match(line):
            fault = _event_fault(match)
            if fault:
                notes.append(_note(index, stripped, fault))
                faults.append(index)
            else:
                raw.append(_Line(index, match, drop))
        elif _LIKE_EVENT.match(line):
            notes.append(_note(index, stripped, "is no event: number, reel, track, edit, four timecodes"))
            faults.append(index)
    if not raw:
        why = f" ({notes[0]})" if notes else ""
        raise InputError(f"{name}: it holds no event{why}", remedy="export the timeline as a CMX 3600 EDL")
    rate = rate or _told_rate([line.match["times"] for line in raw], name, any(line.drop for line in raw))
    statements: list[Statement] = []
    for line in raw:
        try:
            event = _event(line, name, rate)
        except _BadLineError as error:
            notes.append(_note(line.index, lines[line.index].strip(), str(error)))
            faults.append(line.index)
            continue
        if not statements or not _goes_with(event, statements[-1].events[-1], faults):
            statements.append(Statement())
        statements[-1].events.append(event)
    _attach(lines, statements, sorted(faults), rate, notes)
    return Decisions(title, rate, any(line.drop for line in raw), statements, notes)


def _goes_with(event: Event, before: Event, faults: list[int]) -> bool:
    """Whether a line is of the same event as the one before it.

    Two lines without another between them are, by their number; where a frame code, a comment or a blank line stands
    between them, the second line of a transition is.
    """
    if event.number != before.number or any(before.line < fault < event.line for fault in faults):
        return False
    changes = event.edit.startswith(("D", "W", "K")) and before.edit.startswith("C")
    same_place = event.channels == before.channels and event.record[0] == before.record[1]
    return event.line == before.line + 1 or (changes and same_place)


def _event_fault(match: re.Match[str]) -> str:
    """What no list can mean, at whatever rate; empty where there is nothing."""
    for time in match["times"].split():
        hours, minutes, seconds, _ = (int(part) for part in re.split(r"[:;.,]", time))
        if hours > 23 or minutes > 59 or seconds > 59:
            return f"has the timecode {time}, which no clock shows"
    return ""


def _told_rate(times: list[str], name: str, drop: bool) -> Fraction:
    """Only drop-frame tells a rate: 29.97, or 59.94 where frames from 30 on are counted."""
    if not drop and not any(is_drop(time) for text in times for time in text.split()):
        raise InputError(
            f"{name}: the list does not tell its frame rate", remedy="give it: --rate 25, or --rate 24000/1001"
        )
    highest = max(int(re.split(r"[:;.,]", time)[3]) for text in times for time in text.split())
    return Fraction(60000 if highest >= 30 else 30000, 1001)


def _event(line: _Line, name: str, rate: Fraction) -> Event:
    """Raises InputError where a timecode does not exist at the rate: then the rate is in doubt, and not the line."""
    match = line.match
    try:
        times = [_frames(text, rate, line.drop) for text in match["times"].split()]
    except InputError as error:
        remedy = "; ".join(filter(None, (error.remedy, f"is {rate} the list's rate?")))
        raise InputError(f"{name}, line {line.index + 1}: {error.message}", remedy=remedy) from None
    source, record = (times[0], times[1]), (times[2], times[3])
    if record[1] < record[0] or source[1] < source[0]:
        raise _BadLineError("ends before it begins")
    return Event(
        line=line.index,
        number=match["number"],
        reel=match["reel"],
        channels=match["channels"].upper(),
        edit=match["edit"].upper(),
        length=int(match["length"] or 0),
        source=source,
        record=record,
    )


def _frames(text: str, rate: Fraction, drop: bool) -> int:
    """Drop-frame counts as the list says it; a semicolon says it for one timecode."""
    last = re.split(r"[:;.,]", text)
    separator = text[-len(last[3]) - 1]
    plain = f"{last[0]}:{last[1]}:{last[2]}{separator}{last[3]}"
    return parse_timecode(plain, rate, drop=(drop or separator != ":") and can_drop(rate))


def _attach(lines: list[str], statements: list[Statement], faults: list[int], rate: Fraction, notes: list[str]) -> None:
    """Give each statement what the lines up to the next event say; what follows an event left out is left out, too."""
    starts = [statement.events[0].line for statement in statements]
    for statement, stop in zip(statements, [*starts[1:], len(lines)], strict=True):
        first = statement.events[0].line
        stop = min((fault for fault in faults if first < fault < stop), default=stop)
        events = {event.line for event in statement.events}
        after = 0
        for index in range(first, stop):
            if index in events:
                after += 1
            else:
                _attach_line(lines[index].strip(), index, after, statement, rate, notes)


def _attach_line(line: str, index: int, after: int, statement: Statement, rate: Fraction, notes: list[str]) -> None:
    if match := _SAID.match(line):
        key = " ".join(match["key"].upper().split())
        statement.said.append(Said(line=index, key=key, after=after))
    elif line.upper().startswith("M2 "):
        match = _SPEED.match(line)
        try:
            if match is None:
                raise ValueError
            statement.speeds[match["reel"]] = rational(match["rate"])
        except ValueError:
            notes.append(_note(index, line, "is no speed: M2, reel, frames per second, timecode"))
            statement.faults.append(index)
    elif match := _LOCATOR.match(line):
        time = _LOCATOR_TIME.search(line)
        try:
            frame = _frames(time[1], rate, False) if time else 0
        except InputError:
            notes.append(_note(index, line, "marks no time"))
            return
        statement.locators.append((frame, match["color"], match["note"]))
    elif match := _VEDIT.match(line):
        statement.notes.append(match[1])


def _note(index: int, line: str, why: str) -> str:
    return f"line {index + 1} is left out: {shown(line)} {why}"


def said_value(line: str) -> str:
    """`* FROM CLIP NAME:  x` -> x."""
    match = _SAID.match(line.strip())
    return match["value"] if match else ""


def with_value(line: str, value: str) -> str:
    """The same statement with another value, its spacing and trailing space kept."""
    lead = line[: len(line) - len(line.lstrip())]
    tail = line[len(line.rstrip()) :]
    match = _SAID.match(line.strip())
    if match is None:
        return line
    return f"{lead}{line.strip()[: match.start('value')]}{value}{tail}"
