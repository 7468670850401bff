"""Finished files get their final names together, or none of them does."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from vedit.errors import VeditError


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


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raises VeditError where a file or link has appeared since the output was planned."""
    if path.is_symlink() or (path.exists() and not overwrite):
        raise appeared(path)


def appeared(path: Path) -> VeditError:
    """It is found when all is rendered, so it is no error of the input."""
    return VeditError(f"{path} appeared meanwhile", remedy="use --overwrite, or name another output")


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
