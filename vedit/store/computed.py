"""What was computed of a clip, kept on disk by what decides it: control maps, mattes and inversions of earlier renders.

An entry is a folder named by a hash, with one PNG for each frame or a file of tensors: it appears whole by renaming,
so a reader never meets half of one. The oldest are removed beyond a limit, and what nobody used for long; nothing in
here is ever needed for more than speed, and what went away or is damaged is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch
from safetensors import SafetensorError

from vedit.errors import VeditError
from vedit.media.writing.sidecar import versions
from vedit.memory import is_out_of_memory
from vedit.store.cache_folder import FOLDER, KEPT, TENSORS, WHOLE, cache_folder, is_entry, oldest_seconds, use_of
from vedit.store.cache_folder import limit_bytes as cache_limit

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import FrameRange

FORMAT = 1
"""Raised where entries of an older vedit must not be used any more."""
PARTIAL = ".vedit-part-"
_ABANDONED = 24 * 3600
"""Seconds without a change after which an entry that was never finished is taken for that of a killed process."""
_LARGEST = 4
"""An entry of tensors is at most this part of the limit: a larger one would put everything else out."""
_LEFT_FREE = 2 * 10**9
"""Bytes of the disk that tensors never take: the result may be written there."""
_MARK = 1
"""Bytes of the file that says that a folder is kept: there is something in it from the start."""
_TIDIED = 0.1
"""The part of the limit that may be written before the oldest entries are removed in the middle of a render."""

Make = Callable[[], Iterable["torch.Tensor"]]
"""Float (T, 3, H, W) in [0, 1] in chunks, in all one for each frame of an entry; each call makes them anew."""


def entry_key(facts: Mapping[str, object]) -> str:
    """The name of an entry: SHA-256 of what decides it and of the packages that compute it, as canonical JSON."""
    told = json.dumps({"format": FORMAT, "versions": versions(), **facts}, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


class ComputedCache:
    """Entries on disk; use it as a context manager. A folder that cannot be written is replaced by a temporary one.

    The oldest entries beyond the limit are removed on leaving the block, and in it those that are not in use.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int | None = None) -> None:
        self._folder = folder or cache_folder()
        self._limit = cache_limit() if limit_bytes is None else limit_bytes
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._used: set[Path] = set()
        """Entries that were handed out."""
        self._written = 0
        """Bytes of tensors since the oldest entries were removed last."""

    def __enter__(self) -> ComputedCache:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
        except OSError:
            self._limit = 0
        if self._limit <= 0:
            self._own = tempfile.TemporaryDirectory(prefix="vedit-")
            self._folder = Path(self._own.name)
        return self

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.cleanup()
        else:
            for path in self._used:
                # Another process may have removed it, and what was computed since then lies in a new folder.
                if path.is_dir() and not is_entry(path):
                    with contextlib.suppress(OSError):
                        _mark(path)
            _prune(self._folder, self._limit, own=self._used)
        self._used.clear()

    def folder(self, facts: Mapping[str, object]) -> Path:
        """A folder of one's own for what these facts decide; it may hold what an earlier run has left.

        Raises:
            VeditError: the disk refuses.
        """
        path = self._folder / entry_key(facts)
        try:
            path.mkdir(exist_ok=True)
            _mark(path)
        except OSError as error:
            raise _refused(self._folder, error) from error
        _touch(path)
        self._used.add(path)
        return path

    def frames(self, facts: Mapping[str, object], frames: FrameRange, make: Make) -> CachedFrames:
        """The entry that the facts decide; made where it is absent, and again where it goes away while it is used.

        Args:
            facts: everything that decides the frames, JSON-able.
            frames: which frames of the source they belong to.
            make: called only where it is needed.

        Raises:
            VeditError: another number of frames was made, or the disk refuses.
        """
        path = self._folder / entry_key({**facts, "frames": [frames.start, frames.stop]})
        if not (path / WHOLE).is_file():
            self._make(path, frames, make())
        _touch(path)
        self._used.add(path)
        return CachedFrames(path, frames, lambda: self._make(path, frames, make()))

    def tensors(self, facts: Mapping[str, object]) -> Mapping[str, torch.Tensor] | None:
        """Tensors that `keep_tensors` has kept, to the last bit; None where there are none, or no memory for them.

        What is damaged goes.
        """
        from safetensors.torch import load

        path = self._folder / entry_key(facts)
        try:
            data = (path / TENSORS).read_bytes()
            if hashlib.sha256(data).hexdigest() == (path / WHOLE).read_text("utf-8"):
                _touch(path)
                return load(data)
        except (FileNotFoundError, MemoryError):
            return None
        except (OSError, ValueError, SafetensorError):
            pass
        shutil.rmtree(path, ignore_errors=True)
        return None

    def keep_tensors(
        self, facts: Mapping[str, object], tensors: Mapping[str, torch.Tensor], *, needed_again: bool = False
    ) -> None:
        """Keep tensors as the entry that the facts decide, in the place of one that is there.

        They are at hand already, so they are not kept where they would be a large part of the limit, where little
        would be left of the disk or of memory, where the disk refuses, and where nothing outlives the render.

        Args:
            facts: everything that decides them, JSON-able.
            tensors: by name.
            needed_again: they are asked for again before the render ends: where nothing outlives it, they are kept
                until then.
        """
        from safetensors.torch import save

        size = sum(values.nbytes for values in tensors.values())
        fits = needed_again if self._own is not None else size <= self._limit // _LARGEST
        if not fits:
            return
        path = self._folder / entry_key(facts)
        partial: Path | None = None
        try:
            if shutil.disk_usage(self._folder).free < size + _LEFT_FREE:
                return
            data = save({name: values.detach().contiguous().cpu() for name, values in tensors.items()})
            partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self._folder))
            (partial / TENSORS).write_bytes(data)
            (partial / WHOLE).write_text(hashlib.sha256(data).hexdigest(), "utf-8")
            shutil.rmtree(path, ignore_errors=True)
            partial.rename(path)
        except (OSError, MemoryError):
            pass
        except RuntimeError as error:
            # Told on, it would be taken for a window that is too large.
            if not is_out_of_memory(error):
                raise
        finally:
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)
        self._written += size
        if self._own is None and self._written > _TIDIED * self._limit:
            _prune(self._folder, self._limit, spare=self._used)
            self._written = 0

    def _make(self, path: Path, frames: FrameRange, make: Iterable[torch.Tensor]) -> None:
        try:
            partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self._folder))
        except OSError as error:
            raise _refused(self._folder, error) from error
        try:
            number = 0
            for chunk in make:
                for image in chunk:
                    _write(partial / _name(number), image)
                    number += 1
            if number != len(frames):
                raise VeditError(f"{number} maps were made of {len(frames)} frames")
            (partial / WHOLE).touch()
            shutil.rmtree(path, ignore_errors=True)
            # Another process may have put the same entry there in the meantime: it is as good as this one.
            with contextlib.suppress(OSError):
                partial.rename(path)
            if not (path / WHOLE).is_file():
                raise VeditError(f"{path} could not be written", remedy=f"free some space, or set {FOLDER}")
        except OSError as error:
            raise _refused(self._folder, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


class CachedFrames:
    """Frames of an entry by their number in the source.

    Args:
        path: of the entry.
        frames: of the source, in their order in the entry.
        again: makes the entry anew where another process has removed it.
    """

    def __init__(self, path: Path, frames: FrameRange, again: Callable[[], None]) -> None:
        self._path, self._frames, self._again = path, frames, again

    def __getitem__(self, number: int) -> torch.Tensor:
        """Float (3, H, W) in [0, 1].

        Raises:
            VeditError: the disk refuses.
        """
        if number not in self._frames:
            raise IndexError(f"frame {number} is not among {self._frames}")
        path = self._path / _name(number - self._frames.start)
        _touch(self._path)  # a render of hours must not look forgotten to the others
        image = _image(path)
        if image is None:
            self._again()
            image = _image(path)
        if image is None:
            raise VeditError(f"{path} cannot be read", remedy="run the command again")
        return torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))).float() / 255


def _name(number: int) -> str:
    return f"{number:07d}.png"


def _write(path: Path, image: torch.Tensor) -> None:
    """8 bits: what ControlNets were trained on, and the same whether a map comes from the disk or was just made."""
    pixels = (image.float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy().transpose(1, 2, 0)
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise VeditError(f"{path.name} could not be encoded")
    path.write_bytes(data.tobytes())


def _image(path: Path) -> npt.NDArray[np.uint8] | None:
    """BGR (H, W, 3) of a picture; None where it is gone or damaged. From bytes: a file name makes OpenCV complain."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        return cast("npt.NDArray[np.uint8] | None", cv2.imdecode(data, cv2.IMREAD_COLOR))
    except (OSError, cv2.error):  # gone, or empty
        return None


def _refused(folder: Path, error: OSError) -> VeditError:
    return VeditError(
        f"{folder} could not be written to: {error.strerror or error}",
        remedy=f"free some space, or set {FOLDER} to another folder",
    )


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _mark(path: Path) -> None:
    (path / KEPT).write_bytes(bytes(_MARK))


def _prune(folder: Path, limit: int, *, spare: Container[Path] = (), own: Container[Path] = ()) -> None:
    """Remove what nobody used for long, of the rest what was used longest ago until it fits, and what killed processes
    left.

    What another process uses may be among them: it makes it again. Of those that hold nothing only `own` ones go, and
    those that are old: another process may be about to fill the rest.
    """
    with contextlib.suppress(OSError):
        found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        for path in found:
            if path.name.startswith(PARTIAL) and time.time() - path.stat().st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)
        entries = sorted((*use_of(path), path) for path in found if is_entry(path))
        total, oldest = sum(size for _, size, _ in entries), oldest_seconds()
        for used, size, path in entries:
            age = time.time() - used
            empty = size <= _MARK and (path in own or age > _ABANDONED)
            old = oldest is not None and age > oldest and path not in own
            if path in spare or (total <= limit and not empty and not old):
                continue
            shutil.rmtree(path, ignore_errors=True)
            total -= size
