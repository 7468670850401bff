"""CMX 3600 EDL: a clip relinked by its `FROM CLIP NAME` and `SOURCE FILE`; reel, timecodes and all else stay.

A dissolve or wipe is an event of two lines: the outgoing clip, with no length, and the incoming one. The outgoing clip
goes on under the transition, so it belongs to the clip that the event before showed; so does what follows the incoming
line without a break.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from vedit.errors import InputError
from vedit.nle.cover import check_cover
from vedit.nle.formats.edl_lines import NO_MEDIA, Decisions, Event, Statement, parse_lines, said_value, with_value
from vedit.nle.media_paths import MediaRules, is_still, run_from
from vedit.nle.model import Marker, MediaReference, NewMedia, Timeline, TimelineClip, TimeSpan


@dataclass(eq=False)
class _Piece:
    """One line of an event."""

    statement: Statement
    position: int
    """Of the line in its statement."""
    source: tuple[int, int]
    record: tuple[int, int]

    @property
    def event(self) -> Event:
        """The line."""
        return self.statement.events[self.position]


@dataclass(eq=False)
class _Run:
    """Pieces that show one clip without a break."""

    pieces: list[_Piece] = field(default_factory=list[_Piece])

    @property
    def first(self) -> _Piece:
        """The piece that the clip begins with."""
        return self.pieces[0]

    @property
    def source(self) -> tuple[int, int]:
        """First frame of the source, and the one behind the last."""
        return self.pieces[0].source[0], self.pieces[-1].source[1]

    @property
    def record(self) -> tuple[int, int]:
        """The same of the timeline."""
        return self.pieces[0].record[0], self.pieces[-1].record[1]

    def names(self, lines: Sequence[str]) -> list[str]:
        """What the list's lines call the clip."""
        return [
            said_value(lines[index]) for piece in self.pieces for index in piece.statement.naming(piece.position)[1]
        ]

    def files(self, lines: Sequence[str]) -> list[str]:
        """The files that the list's lines name for the clip."""
        return [said_value(lines[index]) for piece in self.pieces for index in piece.statement.files(piece.position)]


class EdlDocument:
    """An edit decision list; see `TimelineDocument`.

    Args:
        data: the file's content, UTF-8 or Latin-1.
        name: the file, as errors call it.
        rules: where media may lie.
        rate: frames per second; None where the list itself must tell.

    Raises:
        InputError: it is no edit decision list, or a line is not understood.
    """

    def __init__(self, data: bytes, name: str, rules: MediaRules, rate: Fraction | None = None) -> None:
        self._bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        data = data[len(self._bom) :]
        if b"\0" in data:
            raise InputError(f"{name} is no text", remedy="export the timeline as a CMX 3600 EDL")
        try:
            text, self._encoding = data.decode(), "utf-8"
        except UnicodeDecodeError:
            text, self._encoding = data.decode("latin-1"), "latin-1"
        whole = text.splitlines(keepends=True)
        self._lines = [line.rstrip("\r\n") for line in whole]
        self._ends = [line[len(bare) :] for line, bare in zip(whole, self._lines, strict=True)]
        self._inserted: dict[int, set[str]] = {}
        self._rules = rules
        decisions = parse_lines(self._lines, name, rate)
        self._rate = decisions.rate
        self._runs = _join(decisions)
        skipped = sum(not event.has_picture for statement in decisions.statements for event in statement.events)
        begin = min(event.record[0] for statement in decisions.statements for event in statement.events)
        self._timeline = Timeline(
            name=decisions.title,
            rate=self._rate,
            start=begin / self._rate,
            drop=decisions.drop,
            clips=tuple(self._clip(number, run, begin) for number, run in enumerate(self._runs, start=1)),
            format="CMX 3600 EDL",
            notes=tuple(_notes(decisions, skipped)),
        )

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`."""
        clip = self._timeline.clips[number - 1]
        check_cover(clip, media)
        for piece in self._runs[number - 1].pieces:
            key, named = piece.statement.naming(piece.position)
            for index in (*named, *piece.statement.files(piece.position)):
                self._lines[index] = with_value(self._lines[index], media.path.name)
            if not named:
                added = self._inserted.setdefault(piece.statement.last_name, set())
                added.add(f"* {key}: {media.path.name}")

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        parts: list[str] = []
        for index, (line, end) in enumerate(zip(self._lines, self._ends, strict=True)):
            added = sorted(self._inserted.get(index, ()))
            newline = end or self._ends[0] or "\n"
            parts.append(line + (newline if added else end))
            parts.extend(text + (newline if end or text is not added[-1] else "") for text in added)
        return self._bom + "".join(parts).encode(self._encoding, "replace")

    def _clip(self, number: int, run: _Run, begin: int) -> TimelineClip:
        event, record, rate = run.first.event, run.record, self._rate
        names, files = run.names(self._lines), run.files(self._lines)
        name = names[0] if names else files[0] if files else event.reel
        speed = _speed(run, rate)
        start, frames = run.source[0], _source_frames(run, speed)
        located = self._rules.locate_name((*files[:1], *names[:1], event.reel))
        path = run_from(located.path, frames) if located.path is not None else None
        clip = TimelineClip(
            number=number,
            name=name,
            kind="clip",
            track=event.channels if event.channels.startswith("V") and event.channels != "V" else "V1",
            sequence="",
            record=TimeSpan(start=(record[0] - begin) / rate, duration=(record[1] - record[0]) / rate),
            source=TimeSpan(start=start / rate, duration=frames / rate),
            media=MediaReference(
                written=files[0] if files else name,
                name=name,
                path=path,
                problem=located.problem,
                rate=rate,
                reel=event.reel,
            ),
            speed=speed,
            markers=tuple(
                Marker(name=note, color=color, start=(start + frame - record[0]) / rate)
                for piece in run.pieces
                for frame, color, note in piece.statement.locators
            ),
            notes=tuple(note for piece in run.pieces for note in piece.statement.notes),
            with_sound=event.channels.startswith(("B", "A")),
            line=event.line + 1,
        )
        return _as_it_can_be_edited(clip, run, path)


def _source_frames(run: _Run, speed: Fraction) -> int:
    """How many frames of its source a clip shows."""
    frames = run.source[1] - run.source[0]
    if speed == 0:
        return max(frames, 1)
    if speed == 1:
        return frames
    # Some systems write the record length into the source columns of a retimed event.
    return max(frames, -int(-abs(speed) * (run.record[1] - run.record[0])))


def _as_it_can_be_edited(clip: TimelineClip, run: _Run, path: Path | None) -> TimelineClip:
    """The clip, with the reason where it cannot be edited."""
    event = run.first.event
    if event.reel.upper() in NO_MEDIA:
        return replace(clip, kind="generator", media=None, source=None, refusal="black or bars")
    if is_still(path):
        return replace(clip, kind="still", refusal="a still picture")
    if event.edit.startswith("K"):
        return replace(clip, refusal="a key event")
    fault = next((line for piece in run.pieces for line in piece.statement.faults), None)
    if fault is not None:
        return replace(clip, speed=None, refusal=f"its speed in line {fault + 1} is not understood")
    if clip.speed is not None and clip.speed < 0:
        return replace(clip, refusal="it runs backwards: bake the retime first")
    return clip


def _notes(decisions: Decisions, skipped: int) -> Iterator[str]:
    yield from decisions.notes
    if skipped:
        yield f"{skipped} {'line' if skipped == 1 else 'lines'} of sound not listed"
    uneven = [
        event.number
        for statement in decisions.statements
        for event in statement.events
        if event.has_picture
        and not statement.speeds
        and event.source[1] - event.source[0] != event.record[1] - event.record[0]
    ]
    if uneven:
        yield (
            f"at {decisions.rate} frames a second the source and record times of event {uneven[0]} differ in length; "
            "is that the list's rate?"
        )


def _join(decisions: Decisions) -> list[_Run]:
    """The clips: what a transition divides is put together again."""
    runs: list[_Run] = []
    for statement in decisions.statements:
        pieces: list[_Piece] = []
        for position, event in enumerate(statement.events):
            if not event.has_picture:
                continue
            source, record = event.source, event.record
            under = statement.events[position + 1].length if position + 1 < len(statement.events) else 0
            if under and source[0] == source[1]:
                source, record = (source[0], source[0] + under), (record[0], record[0] + under)
            if record[0] != record[1]:  # what a transition that was left out began with shows nothing
                pieces.append(_Piece(statement, position, source, record))
        for piece in pieces:
            before = _goes_on(runs, piece)
            if before is not None:
                before.pieces.append(piece)
            else:
                runs.append(_Run([piece]))
    return runs


def _goes_on(runs: list[_Run], piece: _Piece) -> _Run | None:
    """The run that a piece continues: same reel, next frame, at one side of a transition, none of the two retimed."""
    for run in runs[-2:][::-1]:
        last = run.pieces[-1]
        over_transition = len(last.statement.events) > 1 or len(piece.statement.events) > 1
        unbroken = last.source[1] == piece.source[0] and last.record[1] == piece.record[0]
        retimed = last.statement.speeds or piece.statement.speeds
        if (
            over_transition
            and unbroken
            and last.event.reel == piece.event.reel
            and not retimed
            and last.event is not piece.event
        ):
            return run
    return None


def _speed(run: _Run, rate: Fraction) -> Fraction:
    for piece in run.pieces:
        if piece.event.reel in piece.statement.speeds:
            return piece.statement.speeds[piece.event.reel] / rate
    return Fraction(1)
