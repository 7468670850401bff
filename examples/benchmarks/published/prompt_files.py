"""Prompt files of the benchmarks, read as what they are: lists of entries with texts. Nothing in them is run or opened.

JSON, JSON lines and CSV are read. A spreadsheet (.xlsx) is not: the one benchmark that has circulated as one, TGVE, is
scored from a CSV of the same sheet, so the sheet is saved as that CSV once and everybody reads the same file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from vedit.errors import InputError

_LARGEST = 64 << 20
"""Bytes of a prompt file; the largest of the benchmarks has one."""


def read_entries(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries of a .json list, of .jsonl lines or of a .csv with a line of headings.

    Returns:
        (how an error names the entry, its keys and values).

    Raises:
        InputError: the file is not there, too large, or not of that form.
    """
    text = _text(path)
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            found: list[Any] = list(csv.DictReader(io.StringIO(text, newline=""), restkey=""))
        elif suffix == ".jsonl":
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            found = _list(json.loads(text))
    except (ValueError, RecursionError, csv.Error) as error:
        raise InputError(
            f"{path} is no {suffix.removeprefix('.') or 'json'}: {error}", remedy="fetch the file anew"
        ) from None
    entries: list[tuple[str, Mapping[str, Any]]] = []
    for number, entry in enumerate(found):
        told = f"{path.name}, entry {number}"
        if not isinstance(entry, dict):
            raise InputError(f"{told} is not an object of keys and values", remedy="fetch the file anew")
        entries.append((told, cast("Mapping[str, Any]", entry)))
    return entries


def word(entry: Mapping[str, Any], key: str, told: str) -> str:
    """A text that an entry has to have; a number is taken as its digits. Raises InputError where it lacks it."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(
            f"{told} has no {key!r}; it has {', '.join(map(str, entry)) or 'nothing'}",
            remedy="is this the prompt file of the layout that was named?",
        )
    return str(value)


def optional(entry: Mapping[str, Any], *keys: str) -> str:
    """The first of several texts that an entry has; empty where it has none."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def first_there(folder: Path, names: Sequence[str], *, whose: str) -> Path:
    """The first file of these names in a folder. Raises InputError where none is there, and says what is."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    there = ", ".join(sorted(path.name for path in _listed(folder))[:6])
    raise InputError(
        f"{folder} has no {' or '.join(names)}, the prompt file of {whose}; it has {there or 'nothing'}",
        remedy="name the folder of the benchmark as it is unpacked",
    )


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        raise InputError(
            f"cannot read the folder {folder}: {error.strerror}", remedy="name the benchmark's own"
        ) from None


def _list(found: Any) -> list[Any]:
    """A list, or the list that is the only value of an object, or an object of objects as their list."""
    if isinstance(found, dict):
        values = list(cast("dict[str, Any]", found).values())
        if len(values) == 1 and isinstance(values[0], list):
            return cast("list[Any]", values[0])
        if values and all(isinstance(value, dict) for value in values):
            return values
    if not isinstance(found, list):
        raise ValueError("no list of entries")
    return cast("list[Any]", found)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} has over {_LARGEST >> 20} MB", remedy="name the benchmark's own prompt file")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", remedy="unpack the benchmark as it comes") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8", remedy="save it as UTF-8") from None
