"""What every benchmark comes down to: clips with a prompt each, and a place where the scorer looks for the result."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vedit.errors import InputError
from vedit.media.reading.sequence import SUFFIXES, find_sequence

_LONGEST = 240
"""Bytes of one name; file systems end at 255, and files that are being written have longer names."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A result as a folder of numbered pictures."""

    suffix: str
    """".jpg" or ".png"."""
    first: int
    """The number of the first one."""
    digits: int = 5

    def name(self, number: int) -> str:
        """Of the picture of a frame, counted from 0."""
        return f"{self.first + number:0{self.digits}d}{self.suffix}"


@dataclass(frozen=True, kw_only=True)
class Film:
    """A result as one file."""

    suffix: str = ".mp4"


Form = Pictures | Film


@dataclass(frozen=True, kw_only=True)
class Item:
    """One clip under one prompt."""

    name: str
    """As it is listed, for instance "edit1 0: 0001_bus"."""
    source: Path
    """A film, or a folder of numbered pictures."""
    prompt: str
    """What the result shall show."""
    place: tuple[str, ...]
    """Names of folders below the output, the last one of the result itself; a film's without its ending."""
    form: Form
    source_prompt: str = ""
    """What the source shows; empty where the benchmark does not say."""
    mask: Path | None = None
    """A folder of pictures named as the source's, white where the edit is; None where the benchmark has none."""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further columns of the scorer's tables."""

    def target(self, out: Path) -> Path:
        """Where the scorer looks: the folder of pictures, or the film."""
        folder = out.joinpath(*self.place)
        return folder.with_name(folder.name + self.form.suffix) if isinstance(self.form, Film) else folder


@dataclass(frozen=True, kw_only=True)
class Need:
    """Weights or a program that figures of a benchmark are measured with."""

    name: str
    """As the scorer names it."""
    size: str
    """Of the download, in words; empty where it is not known here."""
    figures: tuple[str, ...]
    """Of the scorer's table that need it."""
    repo: str = ""
    """On the hub, where this program can use it: then the figures are measured here as soon as it is there."""
    processor: str = ""
    """The repository with the tokenizer, where `repo` comes without one."""
    beside: tuple[str, ...] = ()
    """Figures of `vedit evaluate` that ask nearly the same; none of them is the benchmark's."""


class Layout(Protocol):
    """One benchmark."""

    @property
    def title(self) -> str: ...

    @property
    def scorer(self) -> str:
        """How its own scorer is told where the results are, in one line; {out} and {folder} are filled in."""
        ...

    @property
    def figures(self) -> Mapping[str, str]:
        """Column of the scorer's table -> name of the function of `published.measuring` that measures it here; empty
        where only the scorer does."""
        ...

    @property
    def needs(self) -> Sequence[Need]:
        """Everything that its figures are measured with, beyond pictures and arithmetic."""
        ...

    def items(self, folder: Path) -> Iterable[Item]:
        """All there is to render, in the order of the prompt files. Raises InputError where the folder is not so."""
        ...

    def write(self, item: Item, result: Path, out: Path) -> Path:
        """Put a finished result where the scorer looks, whole or not at all.

        Args:
            item: that was rendered.
            result: a folder of pictures 0..n-1 in the item's form, or a film; it is moved.
            out: folder of all results.
        """
        ...

    def index(self, items: Sequence[Item], out: Path) -> Sequence[Path]:
        """Write the files that the scorer reads beside the results, and tell which."""
        ...

    def table(self, rows: Sequence[tuple[Item, Mapping[str, float]]], folder: Path) -> Sequence[Path]:
        """Write what was measured here in the form of the scorer's tables, and tell where.

        Args:
            rows: items with those of `figures` that could be measured.
            folder: for the tables.
        """
        ...


def one_name(text: str, told: str) -> str:
    """A name out of a prompt file, as the name of one folder or file. Raises InputError where it is none or leads out.

    Args:
        text: the name.
        told: the file and entry that say it, for the error.
    """
    reached = text.replace("\\", "/")
    if not text or text in (".", "..") or "/" in reached or "\0" in text or len(text.encode()) > _LONGEST:
        raise InputError(
            f"{told} names {text!r}, which is not the name of one file or folder",
            remedy="mend that entry; nothing is read or written outside the folders that were given",
        )
    return text


def inside(folder: Path, text: str, told: str) -> Path:
    """A path out of a prompt file, which lies in its folder. Raises InputError where it does not.

    Args:
        folder: of the benchmark.
        text: relative to it; "videos/a.mp4".
        told: the file and entry that say it.
    """
    if "\0" not in text and text.strip():
        found = Path(os.path.normpath(folder / text))
        # A link that leads out counts as outside too.
        if not Path(text).is_absolute() and found.resolve().is_relative_to(folder.resolve()):
            return found
    raise InputError(
        f"{told} names {text!r}, which is not inside {folder}",
        remedy="mend that entry; nothing is read or written outside the folders that were given",
    )


def source_at(film: Path, pictures: Path, told: str) -> Path:
    """The clip as pictures where they are there, since masks and scorers go by them; else as a film.

    Raises:
        InputError: neither is there, or the pictures are no sequence without a gap.
    """
    if pictures.is_dir():
        find_sequence(pictures)
        return pictures
    if film.is_file():
        return film
    raise InputError(
        f"{told} has neither {pictures} nor {film}", remedy="unpack the benchmark's archive of videos or frames"
    )


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names; empty where there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError:
        return []
