"""The chapters of a file: titles and times, as editors and players show them as markers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vedit.media.reading.sequence import find_pictures
from vedit.media.reading.source import open_input


@dataclass(frozen=True, kw_only=True)
class NamedChapter:
    """One chapter, in seconds on the file's own clock, the one that pts are on."""

    title: str
    start: Fraction
    stop: Fraction


def read_chapters(path: Path) -> tuple[NamedChapter, ...]:
    """The chapters of a file, in its order; none for pictures. Raises MediaError where it cannot be read."""
    if find_pictures(path) is not None:
        return ()
    with open_input(path) as source:
        return tuple(
            NamedChapter(
                title=str(chapter["metadata"].get("title", "")),
                start=chapter["start"] * base,
                stop=chapter["end"] * base,
            )
            for chapter in source.chapters()
            if (base := chapter["time_base"])
        )
