"""Files and folders that are being written: their names, who holds them, and what killed programs left of them.

Whoever writes one holds a lock on it (flock), which ends with the process, however it ends. So what nobody holds is
dead, and the next program that writes the same output removes it. Where the system knows no such locks nothing is
taken for dead; Windows does not remove a file that is open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from pathlib import Path

from vedit.errors import VeditError
from vedit.media.reading.sequence import split_counter

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FULL = frozenset(filter(None, (errno.ENOSPC, getattr(errno, "EDQUOT", None))))


def unfinished_name(target: Path, *, kind: str = "part") -> str:
    """A name for what will be `target`, with its ending, or for what was set aside of it (`old`)."""
    return f".{target.stem.replace('%', '')}.{secrets.token_hex(4)}.{kind}{target.suffix}"


def hold(path: Path) -> int | None:
    """Lock a file or folder that this process writes, until `let_go`; None where the system cannot."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def let_go(handle: int | None) -> None:
    """End a lock of `hold`."""
    if handle is not None:
        with contextlib.suppress(OSError):
            os.close(handle)


def sweep(target: Path) -> None:
    """Remove what killed programs left beside an output: halves of it, and older ones that were set aside."""
    stem, suffix = re.escape(target.stem.replace("%", "")), re.escape(target.suffix)
    name = re.escape(target.name)
    mark = "[0-9a-f]{8}"
    forms = [rf"{stem}\.{mark}\.(part|old){suffix}", rf"{stem}\.{mark}\.part\.mka", rf"{name}\.{mark}\.part"]
    counter = split_counter(target.name)
    if counter is not None:  # older pictures are set aside under the name of the last
        forms.append(rf"{re.escape(counter[0])}\d+\.{mark}\.old{suffix}")
    left = re.compile(rf"\.({'|'.join(forms)})")
    try:
        found = [entry for entry in target.parent.iterdir() if left.fullmatch(entry.name)]
    except OSError:
        return
    for path in found:
        remove_dead(path)


def remove_dead(path: Path) -> None:
    """Remove a file or folder that a killed program was writing; what somebody holds stays."""
    if path.is_symlink():
        return  # made by somebody else
    handle = hold(path)
    if handle is None and (fcntl is not None or path.is_dir()):
        return
    try:
        with contextlib.suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        let_go(handle)


def not_written(path: Path, error: Exception, *, kept: str = "") -> VeditError:
    """What to say where the system refuses to go on with a file; the remedy is that of the reason.

    Args:
        path: of the file or folder that is written.
        error: an OSError, or FFmpeg's, which has its number too.
        kept: what is not lost by it.
    """
    number, told = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
    folder = path if path.is_dir() else path.parent
    behind = f"; {kept}" if kept else ""
    if not folder.is_dir():
        return VeditError(
            f"{path.name} could not be written: the folder {folder} was removed meanwhile",
            remedy=f"make it again, and run the same command{behind}",
        )
    if number in FULL:
        remedy = f"free some space, or write to another folder{behind}"
    elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = f"write to another folder{behind}"
    elif number in (errno.EIO, errno.ENXIO, errno.ENODEV, getattr(errno, "ESTALE", None)):
        remedy = f"check the disk, or write to another{behind}"
    else:
        remedy = f"write a .mkv file or to another folder{behind}"
    return VeditError(f"{path.name} could not be written: {told}", remedy=remedy)
