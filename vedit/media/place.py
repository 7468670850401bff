"""Finished files get their final names together, or none of them does."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.errors import InputError, VeditError


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


def put_in_place(moves: Sequence[tuple[Path, Path]], stale: Iterable[Path] = ()) -> None:
    """Rename finished files, in order; what was there before is lost only when all of them have their names.

    Old files are set aside in a hidden folder beside the new ones, last first, then the new ones take their names,
    first to last. So the last pair names what is complete only with the others: at no moment does it lie, old or new,
    beside the companions of another render. A kill in between leaves it without its name, and both in hidden files.

    Args:
        moves: (temporary, final) pairs; all final names are in one folder.
        stale: files in that folder that belong to what is replaced, and get no successor.

    Raises:
        OSError: the disk refuses; what was there before is there again.
    """
    finals = [final for _, final in moves]
    replaced = dict.fromkeys([*reversed(finals), *stale])
    old = [path for path in replaced if path.is_file() and not path.is_symlink()]
    aside = finals[-1].parent / f".{secrets.token_hex(8)}.old"
    gone: list[Path] = []
    done: list[Path] = []
    try:
        if old:
            aside.mkdir()
        for path in old:
            path.replace(aside / path.name)
            gone.append(path)
        for temporary, final in moves:
            temporary.replace(final)
            done.append(final)
    except BaseException:
        for final in reversed(done):
            with contextlib.suppress(OSError):
                final.unlink(missing_ok=True)
        for path in reversed(gone):
            with contextlib.suppress(OSError):  # the others are still worth bringing back
                (aside / path.name).replace(path)
        with contextlib.suppress(OSError):
            aside.rmdir()  # not where one could not be brought back
        raise
    # The new files stand: an old one that cannot be removed is no reason to call the render failed.
    with contextlib.suppress(OSError):
        for path in gone:
            (aside / path.name).unlink(missing_ok=True)
        if old:
            aside.rmdir()


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
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
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
