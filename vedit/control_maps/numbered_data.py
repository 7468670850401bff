"""Control maps as numbered data files: raw depth and other floats as OpenEXR, optical flow of every pair of frames."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from vedit.errors import ContractError
from vedit.media.writing.atomic import Stamp, sync
from vedit.media.writing.numbered import NumberedFiles, move_in_place, numbered
from vedit.media.writing.target import check_target
from vedit.media.writing.unfinished import hold, let_go, not_written, sweep, unfinished_name


@dataclass(frozen=True, kw_only=True)
class _ChosenFiles(NumberedFiles):
    """Files of a pattern with numbers of their own: a pair of frames at a cut has none."""

    numbers: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}{number:0{self.digits}d}{self.suffix}" for number in self.numbers)


class DataFiles:
    """Writes numbered files that get their names together; use it as a context manager.

    Leaving the block without `finish`, or by an error, removes what was written.

    Args:
        pattern: such as `depth_%04d.exr`.
        numbers: of the files, in the order in which they come.
        source: the clip they are made of.
        overwrite: files of the pattern may be replaced.
        replaces: those that may be without it.

    Raises:
        MediaError: the pattern has no counter, files exist, or the folder cannot be written to.
        VeditError: the disk refuses later.
    """

    def __init__(
        self, pattern: Path, numbers: Sequence[int], source: Path, *, overwrite: bool, replaces: Collection[Stamp] = ()
    ) -> None:
        whole = numbered(pattern.absolute(), first=numbers[0] if numbers else 1, count=len(numbers))
        self._files = _ChosenFiles(
            folder=whole.folder,
            prefix=whole.prefix,
            digits=whole.digits,
            suffix=whole.suffix,
            first=whole.first,
            count=whole.count,
            numbers=tuple(numbers),
        )
        self._overwrite = overwrite
        self._replaces = replaces
        self._written = 0
        check_target(pattern.absolute(), source, self._files, overwrite=overwrite, replaces=replaces)
        self._pattern = pattern.absolute()
        self._temporary = whole.folder / unfinished_name(self._pattern)
        self._held: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all files are there that may be replaced, and no other of the pattern."""
        present = {file.name for file in self._files.present()}
        return present == set(self._files.names) and len(self._replaces) == len(present)

    def __enter__(self) -> Self:
        sweep(self._pattern)
        try:
            self._temporary.mkdir()
            self._held = hold(self._temporary)
        except OSError as error:
            raise not_written(self._pattern, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)
        let_go(self._held)

    def write(self, save: Callable[[Path], object]) -> None:
        """The next file, by a function of its path. Raises ValueError where all are written."""
        if self._written >= len(self._files.numbers):
            raise ValueError(f"{len(self._files.numbers)} files were planned")
        try:
            save(self._temporary / self._files.names[self._written])
        except OSError as error:
            raise not_written(self._pattern, error) from error
        self._written += 1

    def finish(self) -> None:
        """Give the files their names.

        Raises:
            ContractError: some are missing.
            VeditError: the disk refuses, or a file appeared under a final name.
        """
        if self._written != len(self._files.numbers):
            raise ContractError(f"{self._written} of {len(self._files.numbers)} files were written")
        try:
            for name in self._files.names:
                sync(self._temporary / name)
            move_in_place(self._files, self._temporary, replace=self._overwrite, replaces=self._replaces)
            sync(self._files.folder)
        except OSError as error:
            raise not_written(self._pattern, error) from error
