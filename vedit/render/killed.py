"""What a run that was killed at its very end left, and how the next one of the same output ends it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vedit.checks.structured import parse_json
from vedit.errors import InputError
from vedit.media.writing.atomic import Pairs, Stamp, stamp
from vedit.media.writing.commit import JOURNAL, end_commit
from vedit.store.unit_files import write_whole
from vedit.store.units import BESIDE, UnitStore, is_ours, work_folder
from vedit.types import FrameRange


class BesideJournal:
    """Notes how a comparison video was written before it gets its name: a killed run's may be replaced by the next.

    Args:
        folder: of the work on the result, which is finished later.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BESIDE

    def begin(self, results: Pairs, companions: Pairs, stale: Sequence[Path]) -> None:
        """Raises VeditError where the disk refuses."""
        seen = [(final, stamp(temporary)) for temporary, final in (*results, *companions)]
        told = [[str(final), one.inode, one.size, one.changed] for final, one in seen if one is not None]
        write_whole(self._path, json.dumps(told).encode())

    def drop(self) -> None:
        """The comparison did not get its name."""
        self._path.unlink(missing_ok=True)


def beside_of(output: Path) -> tuple[Stamp, ...]:
    """How the comparison video stands that a killed render of this output had finished; none where there is none."""
    try:
        told = parse_json((work_folder(output.absolute()) / BESIDE).read_text("utf-8"), BESIDE)
        return tuple(
            Stamp(path=Path(path), inode=int(inode), size=int(size), changed=int(changed))
            for path, inode, size, changed in told
        )
    except (InputError, OSError, ValueError, TypeError):
        return ()


def finish_killed(output: Path) -> Mapping[str, Any] | None:
    """End what a run of this output was doing when it was killed while its files got their names, and clean its folder.

    Returns:
        What that run told of itself, where its result stands now as it was written and checked; else None.

    Raises:
        OSError: the disk refuses.
    """
    folder = work_folder(output.absolute())
    try:
        if folder.is_symlink() or not folder.is_dir() or not is_ours(folder):
            return None
        if not any(folder.iterdir()):
            folder.rmdir()  # killed as it cleaned
            return None
    except OSError:
        return None
    if not (folder / JOURNAL).is_file():
        return None
    try:
        with FileLock(folder / "lock", timeout=0):
            told = end_commit(folder, output.absolute())
    except Timeout:
        return None  # it lives
    if told is None:
        (folder / JOURNAL).unlink(missing_ok=True)
        return None
    with UnitStore(output.absolute()) as work:
        keep, rendered = told.get("keep"), told.get("rendered")
        work.done(
            keep=frozenset(map(str, keep)) if isinstance(keep, list) else frozenset(),
            rendered=FrameRange(start=int(rendered[0]), stop=int(rendered[1])) if isinstance(rendered, list) else None,
        )
    return told
