"""Finished files get their final names together, or none of them does."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vedit.errors import InputError, VeditError
from vedit.media.writing.unfinished import hold, let_go, sweep, unfinished_name

Pairs = Sequence[tuple[Path, Path]]
"""(temporary, final) names."""


class Journal(Protocol):
    """See `vedit.media.writing.commit`."""

    def begin(self, results: Pairs, companions: Pairs, stale: Sequence[Path]) -> None: ...

    def drop(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A file as it was seen at some moment, told from any other of its name without reading it."""

    path: Path
    """Absolute."""
    inode: int
    size: int
    """Bytes."""
    changed: int
    """Nanoseconds of its last change."""


def stamp(path: Path) -> Stamp | None:
    """How a file stands now; None where there is none."""
    try:
        status = path.lstat()
    except (OSError, ValueError):  # ValueError: no name of a file
        return None
    return Stamp(path=path.absolute(), inode=status.st_ino, size=status.st_size, changed=status.st_mtime_ns)


def stands(path: Path, stamps: Collection[Stamp]) -> bool:
    """Whether a file still is as one of the stamps says."""
    return bool(stamps) and stamp(path) in stamps


def put_in_place(
    results: Pairs,
    *,
    companions: Pairs = (),
    stale: Sequence[Path] = (),
    journal: Journal | None = None,
) -> None:
    """Rename finished files to their names; a failure brings back what was there before.

    Under the name of a result there is at each moment either the old file or the new one. Its companions (the record,
    the sound of pictures) never stand beside another render's result: the old ones go first, and where there was an
    old result the new ones come last. A kill in between leaves a result without companions; where nothing was there
    before, companions without a result.

    Args:
        results: (temporary, final) pairs: the film, or all pictures; all final names are in one folder.
        companions: such pairs, in the same folder.
        stale: files in that folder that belong to what is replaced, and get no successor.
        journal: by which the next run ends what a kill has interrupted.

    Raises:
        OSError: the disk refuses; what was there before is there again.
    """
    if journal is None:
        _put(results, companions, stale)
        return
    journal.begin(results, companions, stale)
    try:
        _put(results, companions, stale)
    except BaseException:
        journal.drop()
        raise


def _put(results: Pairs, companions: Pairs, stale: Sequence[Path]) -> None:
    if not (results or companions):
        return
    replaced = [final for _, final in results if _is_file(final)]
    gone = [path for path in dict.fromkeys([*(final for _, final in companions), *stale]) if _is_file(path)]
    if not (replaced or gone):
        _move_all([*companions, *results], (), {}, None)
        return
    with _aside([*companions, *results][-1][1]) as aside:
        moves = [*results, *companions] if replaced else [*companions, *results]
        _move_all(moves, gone, _linked(replaced, aside), aside)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextlib.contextmanager
def _aside(result: Path) -> Generator[Path]:
    """A hidden folder beside a result for what it replaces; it goes at the end, or with the next run after a kill."""
    aside = result.with_name(unfinished_name(result, kind="old"))
    aside.mkdir()
    handle = hold(aside)
    try:
        yield aside
    finally:
        let_go(handle)
        # The new files stand: an old one that cannot be removed is no reason to call the render failed.
        shutil.rmtree(aside, ignore_errors=True)


def _linked(files: Iterable[Path], aside: Path) -> dict[Path, Path]:
    """A second name for each file, by which a failure brings it back; none where the file system has no links."""
    kept: dict[Path, Path] = {}
    for path in files:
        with contextlib.suppress(OSError, NotImplementedError):
            (aside / path.name).hardlink_to(path)
            kept[path] = aside / path.name
    return kept


def _move_all(moves: Pairs, gone: Sequence[Path], kept: dict[Path, Path], aside: Path | None) -> None:
    """Set aside what is to go, then rename in order; after a failure everything has the name that it had."""
    done: list[Path] = []
    hidden: list[tuple[Path, Path]] = []
    try:
        for path in gone:
            assert aside is not None
            path.replace(aside / path.name)
            hidden.append((aside / path.name, path))
        for temporary, final in moves:
            temporary.replace(final)
            done.append(final)
    except BaseException:
        for final in reversed(done):
            with contextlib.suppress(OSError):  # the others are still worth bringing back
                if final in kept:
                    kept[final].replace(final)
                else:
                    final.unlink(missing_ok=True)
        for old, path in reversed(hidden):
            with contextlib.suppress(OSError):
                old.replace(path)
        raise


def check_free(path: Path, *, overwrite: bool, replaces: Collection[Stamp] = ()) -> None:
    """Raises VeditError where a file or link has appeared, or another file, since the output was planned."""
    if path.is_symlink() or (path.exists() and not overwrite and not stands(path, replaces)):
        raise appeared(path)


def appeared(path: Path) -> VeditError:
    """It is found when all is rendered, so it is no error of the input."""
    return VeditError(f"{path} appeared meanwhile", remedy="use --overwrite, or name another output")


def write_whole(path: Path, data: bytes) -> None:
    """A small file that appears complete or not at all, and is never written through a link.

    Raises:
        InputError: it cannot be written; what was there before is still there, and nothing is left beside it.
    """
    sweep(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    handle = None
    try:
        with part.open("xb") as file:
            handle = hold(part)
            file.write(data)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        let_go(handle)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file or folder to the disk; a system that cannot sync folders is left alone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(handle)
