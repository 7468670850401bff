"""The keys of a shot in a temporary file: their number grows with the shot, memory does not."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from vedit.keyframes.carrying import Key

if TYPE_CHECKING:
    pass

_PLANES = 11
"""Source, change and loss, where it says something, where it is painted."""


@dataclass
class _Held:
    opinion: bool
    painted: bool


class StoredKeys:
    """Keys by their place, from 0, in half precision, in a file without a name that is gone with the process.

    Use it as a context manager.

    Args:
        size: (h, w) of their pictures.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._shape = (*size, _PLANES)
        self._bytes = int(np.prod(self._shape)) * 2
        self._file = tempfile.TemporaryFile(prefix="vedit-")  # noqa: SIM115 - closed on leaving the block
        self._there: list[_Held] = []

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
            opinion=np.ascontiguousarray(planes[..., 9]) if held.opinion else None,
            painted=np.ascontiguousarray(planes[..., 10]) if held.painted else None,
        )

    def __setitem__(self, place: int, key: Key) -> None:
        """Write a key in the place of one that is there, or behind the last."""
        held = _Held(opinion=key.opinion is not None, painted=key.painted is not None)
        if place == len(self._there):
            self._there.append(held)
        self._there[place] = held
        planes = np.zeros(self._shape, np.float16)
        planes[..., :3], planes[..., 3:6], planes[..., 6:9] = key.source, key.change, key.loss
        for plane, one in ((9, key.opinion), (10, key.painted)):
            if one is not None:
                planes[..., plane] = one
        self._file.seek(place * self._bytes)
        self._file.write(planes.tobytes())

    def append(self, key: Key) -> None:
        """Write a key behind the last."""
        self[len(self)] = key
