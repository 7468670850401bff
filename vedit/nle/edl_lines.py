"""The lines of a CMX 3600 edit decision list: events, and what is said about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from vedit.errors import InputError
from vedit.media.timecode import can_drop, is_drop, parse_timecode

_TIMECODE = r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;.,]\d{2,3}"
_EVENT = re.compile(
    rf"^\s*(?P<number>\d+[A-Za-z]?)\s+(?P<reel>\S+)\s+(?P<channels>\S+)\s+(?P<edit>[CDKW]\S*(?:\s+[BO])?)"
    rf"(?:\s+(?P<length>\d+))?\s+(?P<times>{_TIMECODE}(?:\s+{_TIMECODE}){{3}})\s*$"
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


@dataclass(eq=False)
class Statement:
    """What follows an event's lines, up to the next event."""

    events: list[Event] = field(default_factory=list[Event])
    names: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """FROM CLIP NAME, TO CLIP NAME, SOURCE FILE -> the lines that say it."""
    speeds: dict[str, Fraction] = field(default_factory=dict[str, Fraction])
    """Frames per second of the media by reel."""
    locators: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    """Record frame, colour and text."""
    notes: list[str] = field(default_factory=list[str])


@dataclass(eq=False)
class Decisions:
    """A whole list."""

    title: str
    rate: Fraction
    drop: bool
    statements: list[Statement]


def parse_lines(lines: list[str], name: str, rate: Fraction | None) -> Decisions:
    """Lines -> statements, each an event (of one or two lines) and what is said about it.

    Args:
        lines: without their ends.
        name: the file, as errors call it.
        rate: frames per second; None where the list itself must tell.

    Raises:
        InputError: it is no edit decision list, a line is not understood, or nothing tells the rate.
    """
    title, drop = "", False
    statements: list[Statement] = []
    raw: list[tuple[int, re.Match[str], Statement, bool]] = []
    for index, line in enumerate(lines):
        stripped = line.strip()
        if stripped.upper().startswith("TITLE:"):
            title = stripped[6:].strip()
        elif stripped.upper().startswith("FCM:"):
            drop = _frame_code(stripped, index, name)
        elif match := _EVENT.match(line):
            if not raw or raw[-1][1]["number"] != match["number"] or raw[-1][0] != index - 1:
                statements.append(Statement())
            raw.append((index, match, statements[-1], drop))
        elif _LIKE_EVENT.match(line):
            raise _fault(
                name, index, f"{stripped!r} is no event", "an event is: number, reel, track, edit, four timecodes"
            )
    if not raw:
        raise InputError(f"{name}: it holds no event", remedy="export the timeline as a CMX 3600 EDL")
    rate = rate or _told_rate([match["times"] for _, match, _, _ in raw], name, drop)
    for index, match, statement, dropping in raw:
        statement.events.append(_event(index, match, name, rate, dropping))
    _attach(lines, statements, name, rate)
    return Decisions(title=title, rate=rate, drop=any(dropping for _, _, _, dropping in raw), statements=statements)


def _frame_code(line: str, index: int, name: str) -> bool:
    said = " ".join(line[4:].upper().split())
    if said not in ("DROP FRAME", "NON-DROP FRAME", "NON DROP FRAME"):
        raise _fault(name, index, f"{line!r} is neither drop frame nor non-drop frame", "")
    return said == "DROP FRAME"


def _told_rate(times: list[str], name: str, drop: bool) -> Fraction:
    """Only drop-frame tells a rate: 29.97, or 59.94 where frames from 30 on are counted."""
    if not drop and not any(is_drop(time) for text in times for time in text.split()):
        raise InputError(
            f"{name}: the list does not tell its frame rate", remedy="give it: --rate 25, or --rate 24000/1001"
        )
    highest = max(int(re.split(r"[:;.,]", time)[3]) for text in times for time in text.split())
    return Fraction(60000 if highest >= 30 else 30000, 1001)


def _event(index: int, match: re.Match[str], name: str, rate: Fraction, drop: bool) -> Event:
    try:
        times = [_frames(text, rate, drop) for text in match["times"].split()]
    except InputError as error:
        raise _fault(name, index, error.message, error.remedy) from None
    source, record = (times[0], times[1]), (times[2], times[3])
    if record[1] < record[0] or source[1] < source[0]:
        raise _fault(name, index, "it ends before it begins", "")
    return Event(
        line=index,
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


def _attach(lines: list[str], statements: list[Statement], name: str, rate: Fraction) -> None:
    """Give each statement what the lines up to the next event say."""
    starts = [statement.events[0].line for statement in statements]
    for statement, stop in zip(statements, [*starts[1:], len(lines)], strict=True):
        for index in range(statement.events[-1].line + 1, stop):
            line = lines[index]
            if match := _SAID.match(line.strip()):
                statement.names.setdefault(" ".join(match["key"].upper().split()), []).append(index)
            elif match := _SPEED.match(line.strip()):
                statement.speeds[match["reel"]] = Fraction(match["rate"])
            elif line.strip().upper().startswith("M2 "):
                raise _fault(
                    name, index, f"{line.strip()!r} is no speed", "it is: M2, reel, frames per second, timecode"
                )
            elif match := _LOCATOR.match(line.strip()):
                time = _LOCATOR_TIME.search(line)
                frame = _frames(time[1], rate, False) if time else 0
                statement.locators.append((frame, match["color"], match["note"]))
            elif match := _VEDIT.match(line.strip()):
                statement.notes.append(match[1])


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


def _fault(name: str, index: int, message: str, remedy: str) -> InputError:
    return InputError(f"{name}, line {index + 1}: {message}", remedy=remedy)
