"""The source under a render: whether it is still the file that was looked at when the render began."""

from __future__ import annotations

from pathlib import Path

from vedit.errors import MediaError, VeditError
from vedit.media.reading.sequence import find_sequence
from vedit.media.writing.atomic import Stamp, stamp


class Watch:
    """How the files of a source stand now; `check` and `check_all` compare with that.

    Args:
        source: the file, or the pattern of an image sequence.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._stamps = self._look()

    def check(self) -> None:
        """Raises VeditError where the one file of the source is another one now; cheap enough for every read."""
        if self._stamps is None or len(self._stamps) == 1:
            self.check_all()

    def check_all(self) -> None:
        """Raises VeditError where any file of the source is another one now, shorter, or gone."""
        now = self._look()
        if now == self._stamps and now is not None:
            return
        name = self._source.name
        if now is None:
            raise VeditError(f"{name} was removed while it was read", remedy="bring it back, and run the command again")
        what = "changed or replaced"
        if self._stamps is not None and len(now) == len(self._stamps) == 1 and now[0].inode == self._stamps[0].inode:
            before, after = self._stamps[0].size, now[0].size
            what = f"cut short ({after} of {before} bytes)" if after < before else "written to"
        raise VeditError(f"{name} was {what} while it was read", remedy="wait until it is whole, and run it again")

    def _look(self) -> tuple[Stamp, ...] | None:
        """None where a file is absent."""
        try:
            sequence = find_sequence(self._source)
        except MediaError:
            return None
        found = [stamp(path) for path in (sequence.files if sequence is not None else (self._source,))]
        stamps = tuple(one for one in found if one is not None)
        return stamps if stamps and len(stamps) == len(found) else None
