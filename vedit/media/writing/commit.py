"""What a render was about to rename when it was killed, so that the next run ends it: `commit.json` in its work folder.

All files were finished and checked before it is written; what it names is told from anything else by inode, size and
time of change, which a rename keeps.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vedit.media.writing.atomic import Pairs, put_in_place, stamp, write_whole
from vedit.media.writing.unfinished import sweep

JOURNAL = "commit.json"
FORMAT = 1
_LARGEST = 2**28
"""Bytes: a million pictures."""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The journal of one commit; `put_in_place` begins it, and drops it where the disk refuses."""

    folder: Path
    """Of the work, beside the result."""
    told: Mapping[str, object]
    """What the next run wants to know of the render."""

    def begin(self, results: Pairs, companions: Pairs, stale: Sequence[Path]) -> None:
        """Write down what will be renamed. Raises InputError where that fails."""
        content = {
            "format": FORMAT,
            "results": [self._pair(*pair) for pair in results],
            "companions": [self._pair(*pair) for pair in companions],
            "stale": [{"name": path.name, "was": _seen(path)} for path in stale],
            "told": dict(self.told),
        }
        write_whole(self.folder / JOURNAL, json.dumps(content).encode())

    def drop(self) -> None:
        """Nothing was renamed after all."""
        with contextlib.suppress(OSError):
            (self.folder / JOURNAL).unlink(missing_ok=True)

    def _pair(self, temporary: Path, final: Path) -> dict[str, object]:
        inside = temporary.is_relative_to(self.folder)
        base = self.folder if inside else final.parent
        return {
            "inside": inside,
            "temporary": temporary.relative_to(base).as_posix(),
            "name": final.name,
            "is": _seen(temporary),
            "was": _seen(final),
        }


def end_commit(folder: Path, output: Path) -> Mapping[str, Any] | None:
    """Rename what a killed run had ready; what its journal tells, where all files stand as they were written.

    None where there is no journal, or something was changed since, which is left as it is. The journal stays: who
    cleans the folder removes it last. Call it with the folder's lock held.
    """
    told = _read(folder)
    if told is None:
        return None
    try:
        results = [_move(folder, output, entry) for entry in told["results"]]
        companions = [_move(folder, output, entry) for entry in told["companions"]]
        stale = [output.with_name(Path(entry["name"]).name) for entry in told["stale"] if _stale(output, entry)]
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    pending = [pair for pair in results if pair is not None]
    put_in_place(pending, companions=[pair for pair in companions if pair is not None], stale=stale)
    sweep(output)  # what was replaced lies aside still
    return told["told"] if isinstance(told["told"], dict) else {}


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / JOURNAL
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return None
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return told if told["format"] == FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _move(folder: Path, output: Path, entry: Mapping[str, Any]) -> tuple[Path, Path] | None:
    """What is still to be renamed; None where the file has its name. Raises ValueError where either is another now."""
    # The journal is a file that anyone can edit: it reaches nothing beside the output and its folder.
    final = output.with_name(Path(entry["name"]).name)
    parts = Path(entry["temporary"]).parts
    hidden = entry["temporary"].startswith(".")
    if not hidden or not 0 < len(parts) <= 2 or any(part in ("..", "/") for part in parts):
        raise ValueError(entry["temporary"])
    temporary = (folder if entry["inside"] else output.parent).joinpath(*parts)
    if _seen(final) == entry["is"]:
        return None
    if _seen(temporary) != entry["is"] or _seen(final) not in (entry["was"], None):
        raise ValueError(entry["name"])
    return temporary, final


def _stale(output: Path, entry: Mapping[str, Any]) -> bool:
    return entry["was"] is not None and _seen(output.with_name(Path(entry["name"]).name)) == entry["was"]


def _seen(path: Path) -> list[int] | None:
    seen = stamp(path)
    return None if seen is None or path.is_symlink() else [seen.inode, seen.size, seen.changed]
