"""Computed mattes on disk, one grey picture for each frame: what is computed once is read from then on."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.errors import VeditError

if TYPE_CHECKING:
    from vedit.masks.source import MatteSource, Plane
    from vedit.types import FrameRange, Shot

_WHOLE, _NONE = "whole", "none"
"""What the marker of a computed shot says: it has mattes, or no mask."""


class ShotStore:
    """Mattes that are computed shot by shot, when first asked for; memory holds what a call returns.

    The folder is touched when it is read, so that it does not look forgotten to whoever tidies up around it; what went
    away or is damaged all the same is computed again.

    Args:
        folder: of the pictures; made where it is missing.
        source: the clip.
        compute: gives the mattes of a shot, (H, W) each, with their frame numbers, in any order. None: the shot has
            no mask.
    """

    def __init__(
        self, folder: Path, source: MatteSource, compute: Callable[[Shot], Iterable[tuple[int, Plane]] | None]
    ) -> None:
        self.folder = folder
        self._source = source
        self._compute = compute

    def __call__(self, frames: FrameRange) -> Plane:
        """Float32 (T, H, W) in [0, 1] in steps of 1/255: what was computed a moment ago is read back too.

        Raises:
            VeditError: the disk refuses, or what was computed again cannot be read either.
        """
        with contextlib.suppress(OSError):
            os.utime(self.folder)
        out = np.zeros((len(frames), *self._source.size), np.float32)
        for shot in self._source.shots:
            first, last = max(frames.start, shot.frames.start), min(frames.stop, shot.frames.stop)
            if first >= last or not self._ready(shot):
                continue
            wanted = range(first, last)
            try:
                self._read(wanted, out[first - frames.start :])
            except VeditError:
                self._compute_all(shot)
                self._read(wanted, out[first - frames.start :])
        return out

    def _read(self, wanted: Iterable[int], out: Plane) -> None:
        for place, number in enumerate(wanted):
            out[place] = load(self._picture(number))

    def _ready(self, shot: Shot) -> bool:
        """Compute a shot unless that was done; whether it has mattes."""
        try:
            told = self._done(shot).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            told = ""
        return told == _WHOLE if told in (_WHOLE, _NONE) else self._compute_all(shot)

    def _compute_all(self, shot: Shot) -> bool:
        done = self._done(shot)
        with contextlib.suppress(OSError):
            done.unlink()
        found = self._compute(shot)
        for number, plane in found or ():
            save(self._picture(number), plane)
        try:
            # Written last: a shot that was interrupted is computed again.
            self.folder.mkdir(parents=True, exist_ok=True)
            done.write_text(_NONE if found is None else _WHOLE, "utf-8")
        except OSError as error:
            raise _refused(self.folder, error) from error
        return found is not None

    def _done(self, shot: Shot) -> Path:
        return self.folder / f"shot-{shot.frames.start:06d}-{shot.frames.stop:06d}"

    def _picture(self, number: int) -> Path:
        return self.folder / f"{number:06d}.png"


def save(path: Path, plane: Plane) -> None:
    """Write a matte as an 8-bit picture; it appears whole. Raises VeditError where the disk refuses."""
    grey = np.round(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    done, data = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    # A name of its own: two runs may share the folder of a mask.
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data.tobytes() if done else b"")
        part.replace(path)
    except OSError as error:
        raise _refused(path.parent, error) from error


def load(path: Path) -> Plane:
    """Read a matte that `save` wrote. Raises VeditError where it is gone or damaged."""
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise VeditError(f"{path} is gone or damaged", remedy=f"remove the folder {path.parent} and start again")
    return np.asarray(image, np.float32) / np.float32(255)


def _refused(folder: Path, error: OSError) -> VeditError:
    return VeditError(f"cannot keep a mask in {folder}: {error.strerror or error}", remedy="free some space")


def name_of(kind: str, source: MatteSource, *parts: object) -> str:
    """A folder name that tells all that the mattes of a kind depend on: the clip, its shots, and `parts`."""
    digest = hashlib.sha256()
    file = source.metadata.path
    try:
        status = file.stat()
        identity: tuple[object, ...] = (str(file.absolute()), status.st_size, status.st_mtime_ns)
    except OSError:  # a sequence: a pattern is no file
        identity = (str(file),)
    spans = tuple((shot.frames.start, shot.frames.stop) for shot in source.shots)
    for part in (kind, identity, source.size, source.index.pts[:1], source.index.pts[-1:], len(source.index), spans):
        digest.update(repr(part).encode() + b"\0")
    for part in parts:
        digest.update((part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()) + b"\0")
    return f"{kind}-{digest.hexdigest()[:20]}"
