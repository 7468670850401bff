"""Where may be written: never over the source, through a link, into nowhere, or over a file without being told to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import MediaError
from vedit.media.reading.sequence import find_sequence
from vedit.media.writing.atomic import Stamp, stands

if TYPE_CHECKING:
    from vedit.media.writing.numbered import NumberedFiles


TEMPORARY = len(".") + len(".01234567.part")
"""Letters by which the name of an unfinished file is longer than that of the finished one."""
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
"""Bytes that nearly every file system takes, where the system itself does not say."""


def check_target(
    path: Path,
    source: Path | None,
    pictures: NumberedFiles | None = None,
    *,
    overwrite: bool,
    replaces: Collection[Stamp] = (),
) -> None:
    """Refuse a file that may not or cannot be written; nothing of the source is read for it.

    Args:
        path: of the file, or the pattern of an image sequence.
        source: the clip that is rendered, or its pattern; None is none.
        pictures: the files of the pattern; None for one file.
        overwrite: files that are there may be replaced.
        replaces: those that may be without it.

    Raises:
        MediaError: the output is the source, a link or a folder, exists, or its folder is absent or closed, or a name
            is too long.
    """
    path = path.absolute()
    folder = path.parent
    check_name(path)
    _check_there(folder)
    # Files that are there under the pattern's numbers, whatever they are, and those that will be.
    names = [folder / name for name in pictures.names] if pictures is not None else [path]
    there = pictures.present() if pictures is not None else []
    for file in dict.fromkeys([*there, *names]):
        _check_file(file)
    sequence = find_sequence(source) if source is not None else None
    own = sequence.files if sequence is not None else filter(None, (source,))
    found = {_identity(file) for file in [*there, *names] if file.exists()}
    if found and any(_identity(file) in found for file in own if _there(file)):
        raise MediaError(f"{path} is the source", remedy="name another output; the source is never written")
    exists = [file for file in there or names if file.exists() and not stands(file, replaces)]
    if exists and not overwrite:
        raise MediaError(f"{exists[0]} exists", remedy="use --overwrite, or name another output")
    _try_out(folder, path.name)


def check_folder(folder: Path, name: str) -> None:
    """Raises MediaError where nothing can be written in a folder; what is tried is named after the file to come."""
    _check_there(folder)
    _try_out(folder, name)


def _check_there(folder: Path) -> None:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise MediaError(f"the folder {folder} {what}", remedy="make it first, or name an output elsewhere")


def _try_out(folder: Path, name: str) -> None:
    trial = folder / f".{name}.{secrets.token_hex(4)}.part"
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise MediaError(
            f"{folder} cannot be written to: {error.strerror}", remedy="name an output elsewhere"
        ) from error
    trial.unlink()


def check_name(path: Path) -> None:
    """Raises MediaError where the name of a file, or of one that is made beside it, is longer than the system takes."""
    if "\0" in os.fspath(path):
        raise MediaError(f"{os.fspath(path)!r} holds a zero byte", remedy="use another name")
    folder = next(
        (parent for parent in path.absolute().parents if _there(parent) and parent.is_dir()), Path(path.anchor or ".")
    )
    longest_name, longest_path = _limit(folder, "PC_NAME_MAX", _LONGEST_NAME), _LONGEST_PATH
    for number, part in enumerate(path.parts, 1):
        # Its last part is what unfinished files are named after.
        spare = TEMPORARY if number == len(path.parts) else 0
        if _bytes(part) + spare > longest_name:
            raise MediaError(
                f"the name {_short(part)} has {_bytes(part)} bytes",
                remedy=f"use one of at most {longest_name - spare}",
            )
    if _bytes(os.fspath(path)) + TEMPORARY > longest_path:
        raise MediaError(
            f"the path {_short(os.fspath(path))} has {_bytes(os.fspath(path))} bytes",
            remedy=f"use one of at most {longest_path - TEMPORARY}",
        )


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long or holds a zero byte
        return False


def _limit(folder: Path, name: str, usual: int) -> int:
    if not hasattr(os, "pathconf"):
        return usual
    try:
        return os.pathconf(folder, name)
    except (OSError, ValueError):
        return usual


def _bytes(name: str) -> int:
    return len(os.fsencode(name))


def _short(name: str) -> str:
    return f"{name[:40]}..." if len(name) > 43 else name


def _check_file(path: Path) -> None:
    if path.is_symlink():
        raise MediaError(f"{path} is a symbolic link", remedy="name the file itself; links are not written through")
    if path.is_dir():
        raise MediaError(f"{path} is a folder", remedy="name a file in it")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
