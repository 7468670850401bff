"""A temporary file of frames, for preprocessors that have to see a shot twice without holding it in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType

import numpy as np
import torch


class Spool:
    """Tensors of one shape, written one after the other and read back in order as often as needed.

    The file has no name where the system allows that, and is gone when the spool is closed, is garbage-collected or
    the process ends, however it ends. Its folder is Python's for temporary files (`TMPDIR`). As a context manager it
    closes at the end; a generator that holds it in a `with` closes it when it is closed or dropped itself.

    Args:
        dtype: of what is stored; every numpy has.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._file = tempfile.TemporaryFile(prefix="vedit-")  # noqa: SIM115 - closed by close()
        self._dtype = dtype
        self._shape: torch.Size | None = None
        self._count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Frames appended so far."""
        return self._count

    def __getitem__(self, number: int) -> torch.Tensor:
        """One frame, (...), by its number from 0: for reading backwards. Raises IndexError where there is none."""
        if self._shape is None or not 0 <= number < self._count:
            raise IndexError(f"the spool holds {self._count} frames, asked for #{number}")
        kind = torch.empty(0, dtype=self._dtype).numpy().dtype
        each = self._shape.numel() * kind.itemsize
        self._file.seek(number * each)
        return torch.from_numpy(np.frombuffer(bytearray(self._file.read(each)), kind)).reshape(self._shape)

    def append(self, frames: torch.Tensor) -> None:
        """Write frames (T, ...) behind those before, converted to the spool's dtype.

        Raises:
            ValueError: frames of another shape than those before.
            OSError: the disk is full.
        """
        if self._shape is None:
            self._shape = frames.shape[1:]
        elif frames.shape[1:] != self._shape:
            raise ValueError(f"the spool holds frames of shape {tuple(self._shape)}, got {tuple(frames.shape[1:])}")
        self._file.seek(0, 2)
        self._file.write(frames.detach().to("cpu", self._dtype).contiguous().numpy().tobytes())
        self._count += len(frames)

    def read(self, size: int) -> Iterator[torch.Tensor]:
        """All frames from the first on, in tensors (up to `size`, ...); several readings may go on side by side."""
        if self._shape is None:
            return
        kind = torch.empty(0, dtype=self._dtype).numpy().dtype
        each = self._shape.numel() * kind.itemsize
        for start in range(0, self._count, size):
            number = min(size, self._count - start)
            self._file.seek(start * each)
            data = np.frombuffer(bytearray(self._file.read(number * each)), kind)
            yield torch.from_numpy(data).reshape(number, *self._shape)

    def close(self) -> None:
        """Give the disk space back; nothing can be read any more."""
        self._file.close()
