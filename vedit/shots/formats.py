"""Lists of shots in the formats of other programs: CSV, CMX 3600 EDL, OTIO, and pages of pictures to pick from."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.display.contact_sheet import contact_sheet
from vedit.errors import InputError
from vedit.media.reading.addresses import address_of
from vedit.media.reading.sequence import find_sequence
from vedit.media.timecode import can_drop, format_timecode, is_drop, parse_timecode
from vedit.media.writing.atomic import write_whole
from vedit.shots.corrections import ShotList, span_text
from vedit.thumbnail import image_html, png, thumbnail
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.types import Clip, FrameIndex, IntFrames

COLUMNS = (
    "number",
    "start",
    "stop",
    "start_seconds",
    "stop_seconds",
    "start_timecode",
    "stop_timecode",
    "transition",
)
PER_ROW = 4
SIDE = 320
"""Pixels of the longer side of a picture."""


@dataclass(frozen=True, kw_only=True)
class ListedShots:
    """A clip and its shots, to be written."""

    reader: Reader
    found: ShotList

    @property
    def name(self) -> str:
        """Of the file."""
        return self.reader.metadata.path.name

    @property
    def index(self) -> FrameIndex:
        return self.reader.index()

    def rows(self) -> list[dict[str, object]]:
        """Each shot as plain values, seconds exact; the last frame is `stop` - 1."""
        return [
            {
                "number": shot.number,
                "start": shot.frames.start,
                "stop": shot.frames.stop,
                "start_seconds": self.index.span(shot.frames)[0],
                "stop_seconds": self.index.span(shot.frames)[1],
                "start_timecode": self._timecode(shot.frames.start),
                "stop_timecode": self._timecode(shot.frames.stop),
                "transition": self._transition(shot),
            }
            for shot in self.found.shots
        ]

    def csv(self) -> str:
        """A table with a head, seconds as decimals."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in self.rows():
            table.writerow([f"{float(v):.6f}" if isinstance(v, Fraction) else v for v in row.values()])
        return out.getvalue()

    def edl(self) -> str:
        """CMX 3600, the shots as cuts of one reel from record time 01:00:00:00 on.

        Raises:
            InputError: a variable frame rate, which no EDL can say.
        """
        rate, drop = self._rate("an EDL"), self._drop()
        title = "".join(c if c.isascii() and c.isprintable() else "_" for c in self.name)
        lines = [f"TITLE: {title}", f"FCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}", ""]
        hour = parse_timecode(f"01:00:00{';' if drop else ':'}00", rate)
        for shot in self.found.shots:
            at = [
                format_timecode(start + frame, rate, drop=drop)
                for start in (self._start(rate), hour)
                for frame in (shot.frames.start, shot.frames.stop)
            ]
            lines += [f"{shot.number:03d}  AX       V     C        {' '.join(at)}", f"* FROM CLIP NAME: {title}"]
        return "\n".join(lines) + "\n"

    def otio(self) -> str:
        """An OpenTimelineIO timeline, one clip for each shot, fades and dissolves as markers.

        Raises:
            InputError: a variable frame rate, in which a time names no frame.
        """
        rate = float(self._rate("a timeline"))
        start = self._start(self._rate("a timeline"))

        def span(frames: FrameRange, base: int = start) -> dict[str, object]:
            def time(value: int) -> dict[str, object]:
                return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": float(value)}

            return {
                "OTIO_SCHEMA": "TimeRange.1",
                "start_time": time(base + frames.start),
                "duration": time(len(frames)),
            }

        whole = span(FrameRange(start=0, stop=len(self.index)))
        media = {**self._media(rate), "available_range": whole, "metadata": {}}
        clips = [
            {
                "OTIO_SCHEMA": "Clip.2",
                "name": f"{Path(self.name).stem} shot {shot.number}",
                "source_range": span(shot.frames),
                "media_references": {"DEFAULT_MEDIA": media},
                "active_media_reference_key": "DEFAULT_MEDIA",
                "enabled": True,
                "effects": [],
                "markers": [
                    {
                        "OTIO_SCHEMA": "Marker.2",
                        "name": found.kind,
                        "color": "YELLOW",
                        "marked_range": span(found.frames),
                        "metadata": {},
                    }
                    for found in self.found.transitions
                    if shot.frames.start <= found.frames.start < shot.frames.stop
                ],
                "metadata": {},
            }
            for shot in self.found.shots
        ]
        track = {"OTIO_SCHEMA": "Track.1", "name": "V1", "kind": "Video", "enabled": True, "children": clips}
        stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "enabled": True, "children": [track]}
        timeline = {"OTIO_SCHEMA": "Timeline.1", "name": self.name, "tracks": stack, "metadata": {}}
        return json.dumps(timeline, indent=2) + "\n"

    def _media(self, rate: float) -> dict[str, object]:
        """The clip as OpenTimelineIO refers to it, by its full address: the list may lie in any folder."""
        path = self.reader.metadata.path
        sequence = find_sequence(path)
        if sequence is None:
            return {"OTIO_SCHEMA": "ExternalReference.1", "target_url": address_of(path.absolute(), like="file:")}
        return {
            "OTIO_SCHEMA": "ImageSequenceReference.1",
            "target_url_base": address_of(sequence.folder.absolute(), like="file:") + "/",
            "name_prefix": sequence.prefix,
            "name_suffix": sequence.suffix,
            "start_frame": sequence.first,
            "frame_step": 1,
            "frame_zero_padding": sequence.digits,
            "rate": rate,
            "missing_frame_policy": "error",
        }

    def html(self) -> str:
        """A page of the shots' middle frames that needs no other file."""
        figures = [
            image_html(
                png(thumbnail(clip.frames[0], clip.bit_depth, side=SIDE)),
                f"{shot.number}: {span_text(self.index, shot)} {self._transition(shot)}".rstrip(),
            )
            for shot, clip in ((shot, self._middle(shot)) for shot in self.found.shots)
        ]
        name = self.name.encode("utf-8", "replace").decode()  # a name need not be Unicode, a page must be
        title = html.escape(f"{name}: {len(figures)} shots")
        style = "body{font:14px sans-serif;background:#181818;color:#ddd}figcaption{padding:2px 0 8px}"
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{style}</style></head>\n<body><h1>{title}</h1>\n" + "\n".join(figures) + "\n</body></html>\n"
        )

    def sheet(self, path: Path) -> None:
        """The shots' middle frames as one PNG. Raises InputError where it cannot be written."""
        cells = [(self._small(shot), self._label(shot)) for shot in self.found.shots]
        rows = [cells[at : at + PER_ROW] for at in range(0, len(cells), PER_ROW)]
        frames, labels = [[cell[0] for cell in row] for row in rows], [[cell[1] for cell in row] for row in rows]
        contact_sheet(frames, labels, path)

    def _small(self, shot: Shot) -> IntFrames:
        # A sheet is held in memory as a whole: of a long clip that may not be frames at full size.
        clip = self._middle(shot)
        return thumbnail(clip.frames[0], clip.bit_depth, side=2 * SIDE).transpose(2, 0, 1)

    def _label(self, shot: Shot) -> str:
        return f"{shot.number}: {span_text(self.index, shot)}"

    def _middle(self, shot: Shot) -> Clip:
        number = (shot.frames.start + shot.frames.stop - 1) // 2
        return self.reader.read(FrameRange(start=number, stop=number + 1))

    def _transition(self, shot: Shot) -> str:
        found = self.found.into(shot)
        return "" if found is None else f"{found.kind} #{found.frames.start}..#{found.frames.stop}"

    def _timecode(self, frame: int) -> str:
        rate = self.index.rate
        return "" if rate is None else format_timecode(self._start(rate) + frame, rate, drop=self._drop())

    def _start(self, rate: Fraction) -> int:
        timecode = self.reader.metadata.timecode
        return 0 if timecode is None else parse_timecode(timecode, rate)

    def _drop(self) -> bool:
        timecode, rate = self.reader.metadata.timecode, self.index.rate
        return timecode is not None and rate is not None and is_drop(timecode) and can_drop(rate)

    def _rate(self, what: str) -> Fraction:
        if self.index.rate is None:
            raise InputError(
                f"{self.name} has a variable frame rate, which {what} cannot say", remedy="write CSV or JSON"
            )
        return self.index.rate


_TEXTS: dict[str, Callable[[ListedShots], str]] = {
    ".csv": ListedShots.csv,
    ".edl": ListedShots.edl,
    ".otio": ListedShots.otio,
    ".html": ListedShots.html,
}
SUFFIXES = (*_TEXTS, ".json", ".png")


def write_shots(listed: ListedShots, path: Path, as_json: Callable[[], str]) -> None:
    """Write a list in the format that the file's extension names.

    Args:
        listed: the shots.
        path: one of `SUFFIXES`; it appears complete or not at all.
        as_json: the content of a .json file.

    Raises:
        InputError: an extension that is not known, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path} is no list of shots", remedy=f"use one of {', '.join(SUFFIXES)}")
    if suffix == ".png":
        listed.sheet(path)
        return
    text = as_json() if suffix == ".json" else _TEXTS[suffix](listed)
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """A text file that appears complete or not at all. Raises InputError where it cannot be written."""
    write_whole(path, text.encode())
