"""Where may be written: never over the source, through a link, into nowhere, or over a file without being told to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import MediaError
from vedit.media.place import Stamp, stands
from vedit.media.sequence import find_sequence

if TYPE_CHECKING:
    from vedit.media.numbered import NumberedFiles


def check_target(
    path: Path,
    source: Path,
    pictures: NumberedFiles | None,
    *,
    overwrite: bool,
    replaces: Collection[Stamp] = (),
) -> None:
    """Refuse a file that may not or cannot be written.

    Args:
        path: of the file, or the pattern of an image sequence.
        source: the clip that is rendered, or its pattern.
        pictures: the files of the pattern; None for one file.
        overwrite: files that are there may be replaced.
        replaces: those that may be without it.

    Raises:
        MediaError: the output is the source, a link or a folder, exists, or its folder is absent or closed.
    """
    folder = path.parent
    if not folder.is_dir():
        raise MediaError(f"the folder {folder} does not exist", remedy="make it first")
    # Files that are there under the pattern's numbers, whatever they are, and those that will be.
    names = [folder / name for name in pictures.names] if pictures is not None else [path]
    there = pictures.present() if pictures is not None else []
    for file in dict.fromkeys([*there, *names]):
        _check_file(file)
    sequence = find_sequence(source)
    own = sequence.files if sequence is not None else (source,)
    found = {_identity(file) for file in [*there, *names] if file.exists()}
    if found and any(_identity(file) in found for file in own if file.exists()):
        raise MediaError(f"{path} is the source", remedy="name another output; the source is never written")
    exists = [file for file in there or names if file.exists() and not stands(file, replaces)]
    if exists and not overwrite:
        raise MediaError(f"{exists[0]} exists", remedy="use --overwrite, or name another output")
    trial = folder / f".{secrets.token_hex(8)}.part"
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise MediaError(
            f"{folder} cannot be written to: {error.strerror}", remedy="name an output elsewhere"
        ) from error
    trial.unlink()


def _check_file(path: Path) -> None:
    if path.is_symlink():
        raise MediaError(f"{path} is a symbolic link", remedy="name the file itself; links are not written through")
    if path.is_dir():
        raise MediaError(f"{path} is a folder", remedy="name a file in it")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
