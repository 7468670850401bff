"""Putting host scripts into the folders of editing systems, and taking them out again.

Beside the files lies a record with the path of the `vedit` command and the SHA-256 of each file: a file that a user has
changed since is neither replaced nor removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vedit import __version__
from vedit.errors import InputError
from vedit.nle_hosts.launch import RECORD, read_record
from vedit.nle_hosts.places import Place


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What was done in a folder, or is there."""

    folder: Path
    vedit: str
    """The command that the script calls; "" where nothing is installed."""
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Files that a user has changed."""
    version: str = ""
    """Of the vedit that installed it."""
    known: bool = True


def vedit_command(named: Path | None = None) -> Path:
    """The `vedit` command of this installation, or the one that is named. Raises InputError where it is no file."""
    if named is not None:
        if not named.is_file():
            raise InputError(f"{named} is no file", remedy="name the vedit command with --vedit")
        return named.absolute()
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sysconfig.get_path("scripts")) / f"vedit{suffix}"
    found = beside if beside.is_file() else shutil.which("vedit")
    if found is None:
        raise InputError("the vedit command was not found", remedy="name it with --vedit")
    return Path(found).absolute()


def install(place: Place, command: Path, *, overwrite: bool = False) -> Installed:
    """Write the files of a place; nothing is written where one of them must not be.

    Args:
        place: where.
        command: the `vedit` command to record.
        overwrite: replace files that a user has changed too.

    Raises:
        InputError: a file that was not installed, or was changed since, is in the way.
    """
    recorded = _recorded(place.folder)
    texts = {file.name: file.read() for file in place.files}
    kept: list[str] = []
    for file in place.files:
        path = place.folder / file.name
        if overwrite or not _in_the_way(path, recorded.get(file.name), texts[file.name]):
            continue
        if not file.users:
            raise InputError(f"{path} is not as vedit installed it", remedy="move it, or give --overwrite")
        kept.append(file.name)
    place.folder.mkdir(parents=True, exist_ok=True)
    written = tuple(name for name in texts if name not in kept)
    for name in written:
        _write(place.folder / name, texts[name])
    # The digest of what was shipped: a kept file differs from it and so stays the user's.
    digests = {name: _digest(text.encode()) for name, text in texts.items()}
    record = {"vedit": str(command), "version": __version__, "files": digests}
    _write(place.folder / RECORD, json.dumps(record, indent=2) + "\n")
    return Installed(
        folder=place.folder,
        vedit=str(command),
        written=written,
        kept=tuple(kept),
        version=__version__,
        known=place.known,
    )


def uninstall(place: Place) -> Installed:
    """Remove what `install` has written and nobody has changed since.

    Raises:
        InputError: nothing was installed here.
    """
    recorded = _recorded(place.folder)
    if not recorded:
        raise InputError(f"nothing of vedit is installed in {place.folder}")
    removed: list[str] = []
    kept: list[str] = []
    for name, digest in recorded.items():
        path = place.folder / name
        if _digest_of(path) == digest:
            path.unlink()
            removed.append(name)
        elif path.exists():
            kept.append(name)
    (place.folder / RECORD).unlink()
    if place.own:
        for compiled in place.folder.glob("__pycache__/__init__.*.pyc"):
            compiled.unlink()
        for folder in (place.folder / "__pycache__", place.folder):
            with suppress(OSError):  # absent, or it holds something else
                folder.rmdir()
    return Installed(folder=place.folder, vedit="", removed=tuple(removed), kept=tuple(kept), known=place.known)


def installed(place: Place) -> Installed:
    """What is there now."""
    record = read_record(place.folder)
    recorded = _recorded(place.folder)
    changed = (n for n, digest in recorded.items() if _digest_of(place.folder / n) not in (digest, None))
    return Installed(
        folder=place.folder,
        vedit=str(record.get("vedit", "")) if recorded else "",
        written=tuple(name for name in recorded if (place.folder / name).is_file()),
        kept=tuple(changed),
        version=str(record.get("version", "")),
        known=place.known,
    )


def _recorded(folder: Path) -> Mapping[str, str]:
    """Name -> digest of what was installed; names in other folders, which nobody but a forger writes, are left out."""
    files = read_record(folder).get("files")
    if not isinstance(files, dict):
        return {}
    told = cast("dict[str, Any]", files)
    return {name: str(digest) for name, digest in told.items() if name == Path(name).name and name not in ("", "..")}


def _in_the_way(path: Path, digest: str | None, text: str) -> bool:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return True
    there = _digest_of(path)
    return there is not None and there not in (digest, _digest(text.encode()))


def _digest_of(path: Path) -> str | None:
    return _digest(path.read_bytes()) if path.is_file() and not path.is_symlink() else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all; a link is replaced, not followed."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with part.open("xb") as file:
            file.write(text.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
