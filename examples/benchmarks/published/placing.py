"""Finished results put where scorers look: a folder or a file appears whole, or not at all."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from published.item import Film, Item, picture_files
from vedit.errors import InputError, VeditError
from vedit.media.writing.atomic import write_whole


def place(item: Item, result: Path, out: Path) -> Path:
    """Move a result to its target; what lies there goes first.

    Args:
        item: that was rendered.
        result: beside `out` on the same disk: a film, or a folder of its pictures, which are numbered here.
        out: folder of all results.

    Raises:
        VeditError: the disk refuses.
    """
    target = item.target(out)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(item.form, Film):
            result.replace(target)
            return target
        renumber(result, item)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        result.rename(target)
    except OSError as error:
        raise VeditError(
            f"cannot write {target}: {error.strerror}", remedy="make room, or name another folder"
        ) from None
    return target


def renumber(folder: Path, item: Item) -> None:
    """Give the pictures of a folder, in their order, the names that a scorer reads, and remove all else."""
    assert not isinstance(item.form, Film)
    found = [path for path in picture_files(folder) if path.suffix == item.form.suffix]
    for path in set(folder.iterdir()) - set(found):
        path.unlink()
    names = [item.form.name(number) for number in range(len(found))]
    # Towards higher numbers the last one goes first: no name is taken by one that still has to go.
    pairs = list(zip(found, names, strict=True))
    for path, name in reversed(pairs) if found and names[0] > found[0].name else pairs:
        path.rename(folder / name)


def whole(item: Item, out: Path, frames: int) -> bool:
    """Whether the result of an item is there, with so many frames."""
    target = item.target(out)
    if isinstance(item.form, Film):
        return target.is_file()
    return [path.name for path in picture_files(target)] == [item.form.name(number) for number in range(frames)]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Path:
    """A table with a line of headings; what a row lacks is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return _written(path, text.getvalue())


def write_json(path: Path, value: object) -> Path:
    """Readable JSON."""
    return _written(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _written(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path.parent}: {error.strerror}", remedy="name another") from None
    write_whole(path, text.encode())
    return path
