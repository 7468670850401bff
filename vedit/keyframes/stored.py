"""The keys of a shot in a temporary file: their number grows with the shot, memory does not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from vedit.keyframes.carrying import Key

_MARKS = ("opinion", "painted", "lead")
"""Planes that a key may lack."""
_PLANES = 9 + len(_MARKS)
"""Source, change and loss, and these."""


class StoredKeys:
    """Keys by their place, from 0, in half precision, in a file without a name that is gone with the process.

    Use it as a context manager.

    Args:
        size: (h, w) of their pictures.
        folder: on the disk that the file goes to; None is the system's for temporary files, which may be in memory.
    """

    def __init__(self, size: tuple[int, int], folder: Path | None = None) -> None:
        self._shape = (*size, _PLANES)
        self._bytes = int(np.prod(self._shape)) * 2
        self._file = tempfile.TemporaryFile(prefix="vedit-", dir=folder)  # noqa: SIM115 - closed on leaving the block
        self._there: list[frozenset[str]] = []
        """The marks that each has."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._there)

    def __getitem__(self, place: int) -> Key:
        """A key. Raises IndexError where there is none."""
        held = self._there[place]
        self._file.seek(place * self._bytes)
        planes = np.frombuffer(self._file.read(self._bytes), np.float16).reshape(self._shape).astype(np.float32)
        return Key(
            source=np.ascontiguousarray(planes[..., :3]),
            change=np.ascontiguousarray(planes[..., 3:6]),
            loss=np.ascontiguousarray(planes[..., 6:9]),
            **{name: np.ascontiguousarray(planes[..., 9 + plane]) for plane, name in enumerate(_MARKS) if name in held},
        )

    def __setitem__(self, place: int, key: Key) -> None:
        """Write a key in the place of one that is there, or behind the last."""
        marks = {name: one for name in _MARKS if (one := getattr(key, name)) is not None}
        if place == len(self._there):
            self._there.append(frozenset())
        self._there[place] = frozenset(marks)
        planes = np.zeros(self._shape, np.float16)
        planes[..., :3], planes[..., 3:6], planes[..., 6:9] = key.source, key.change, key.loss
        for plane, name in enumerate(_MARKS, start=9):
            if name in marks:
                planes[..., plane] = marks[name]
        self._file.seek(place * self._bytes)
        self._file.write(planes.tobytes())

    def append(self, key: Key) -> None:
        """Write a key behind the last."""
        self[len(self)] = key
