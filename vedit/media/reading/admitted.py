"""The one door for files of unknown origin: bytes that crash or choke a decoder meet a process of their own first.

Every reader is opened through `vedit.media.reading.read.open_video`, which asks here; whatever takes a file from a
caller asks at its beginning too, so that a file is refused before anything is read, loaded or written.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

from vedit.errors import VeditError
from vedit.media.reading import isolate
from vedit.media.reading.sequence import find_pictures

REMEMBERED = 4096
"""Files of which it is known that they may be opened; the oldest are forgotten."""

_State = tuple[int, ...]
_known: dict[tuple[str, int | None, bool], _State] = {}
_lock = threading.Lock()


def admit(
    path: Path | str, *, rate: Fraction | None = None, track: int | None = None, allow_huge: bool = False
) -> None:
    """See that a file can be opened, in a process of its own; a file that stands as it was seen is not opened again.

    Args:
        path: of the file or image sequence.
        rate: frames per second of an image sequence.
        track: number of the video stream; None is the film.
        allow_huge: as `vedit.media.reading.probe.probe`.

    Raises:
        MediaError: it cannot be opened, or it crashes the decoder, or takes too much time or memory.
    """
    state = _state(path)
    name = str(Path(path).absolute())
    # What was opened within the limits may be opened without them.
    if state is not None and any(_known.get((name, track, huge)) == state for huge in {False, allow_huge}):
        return
    _meet(path, rate=rate, track=track, allow_huge=allow_huge)
    if state is not None:
        with _lock:
            _known.pop((name, track, allow_huge), None)
            _known[name, track, allow_huge] = state
            while len(_known) > REMEMBERED:
                _known.pop(next(iter(_known)))


def forget() -> None:
    """Check every file anew from here on."""
    with _lock:
        _known.clear()


def _meet(path: Path | str, *, rate: Fraction | None, track: int | None, allow_huge: bool) -> None:
    isolate.check_file(path, rate=rate, track=track, allow_huge=allow_huge)


def _state(path: Path | str) -> _State | None:
    """What tells a file from another of its name, and from itself after a change; None where there is none to tell.

    Of an image sequence it is that of its first picture, the one that is opened, and of how many there are.
    """
    try:
        pictures = find_pictures(path)
        file, count = (Path(path), 1) if pictures is None else (pictures.files[0], pictures.count)
        status = file.stat()
    except (VeditError, OSError, ValueError):
        return None  # the check says what is wrong
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, count
