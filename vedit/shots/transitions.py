"""Fades and dissolves: runs of frames that are one picture mixed into another, evenly.

Between two pictures A and B a dissolve shows (1 - w) A + w B with w rising evenly from 0 to 1; a fade is one where A or
B is black or white. Every run of up to `LONGEST` frames is tried as such a mix of its own first and last frame: on a
thumbnail, each frame between is projected on B - A, and must lie near that line and near its place on it. A picture
that only brightens, or a slow pan, is an even mix too, but its first and last frame look alike, which those of a
dissolve do not. Strong motion inside a dissolve hides it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vedit.shots.small_frames import alike, is_blank
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.shots.small_frames import Row

TransitionKind = Literal["fade in", "fade out", "dissolve"]
LENGTHS = (6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72)
"""Frames between the two pictures that are tried, plus one."""
LONGEST = LENGTHS[-1]
_CHANGE = 14.0
"""Levels of 255, RMS, that the two pictures differ in at least."""
_OFF_LINE = 0.3
"""Of that difference, RMS, that a frame between may lie beside the line."""
_OFF_PLACE = 0.12
"""Of the line, that a frame may be ahead or behind."""
_ALIKE = 0.5
"""Correlation of the two pictures above which one is the other with other light, or moved a little."""


@dataclass(frozen=True, kw_only=True)
class Transition:
    """Frames that are a mix of what is before and behind them."""

    kind: TransitionKind
    frames: FrameRange


@dataclass(frozen=True)
class _Match:
    transition: Transition
    score: float


class TransitionDetector:
    """Finds transitions in the rows of frames that are shown in order; holds `LONGEST` of them."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=LONGEST + 1)
        self._next = 0
        self._best: _Match | None = None
        self._found: list[_Match] = []

    def see(self, row: Row, number: int) -> None:
        """The next frame."""
        self._rows.append(row)
        self._next = number + 1
        self._look()

    def finish(self) -> tuple[Transition, ...]:
        """All transitions, in order, without overlap."""
        self._settle()
        return tuple(match.transition for match in self._found)

    def _look(self) -> None:
        """Every run that ends with the newest frame."""
        rows = np.stack(self._rows)
        matches = [match for length in LENGTHS if (match := self._match(rows, length)) is not None]
        best = max(matches, key=lambda match: match.score, default=None)
        if best is None:
            if self._best is not None and self._next - self._best.transition.frames.stop > LENGTHS[0]:
                self._settle()
            return
        if self._best is not None and best.transition.frames.start >= self._best.transition.frames.stop:
            self._settle()
        if self._best is None or best.score > self._best.score:
            self._best = best

    def _settle(self) -> None:
        best, self._best = self._best, None
        if best is None:
            return
        # A fade may be taken for over where it pauses, and be found again as a whole.
        while self._found and self._found[-1].transition.frames.stop > best.transition.frames.start:
            best = max(best, self._found.pop(), key=lambda match: match.score)
        self._found.append(best)

    def _match(self, rows: Row, length: int) -> _Match | None:
        """The run of the last `length` + 1 frames as a transition, or None."""
        if len(rows) <= length:
            return None
        first, last, between = rows[-1 - length], rows[-1], rows[-length:-1]
        line = last - first
        square = float(line @ line)
        change = (square / len(line)) ** 0.5
        if change < _CHANGE:
            return None
        away = between - first
        places = away @ line / square
        off_place = float(np.abs(places - np.arange(1, length) / length).max())
        if off_place > _OFF_PLACE:
            return None
        beside = away - places[:, None] * line
        off_line = float(np.sqrt((beside**2).mean(1)).max()) / change
        if off_line > _OFF_LINE:
            return None
        kind = _kind(first, last)
        if kind is None:
            return None
        frames = FrameRange(start=self._next - length, stop=self._next - 1)
        return _Match(Transition(kind=kind, frames=frames), change * (1 - 3 * off_place - off_line))


def _kind(first: Row, last: Row) -> TransitionKind | None:
    before, behind = is_blank(first), is_blank(last)
    if before != behind:
        return "fade in" if before else "fade out"
    if before:
        return None
    return "dissolve" if alike(first, last) < _ALIKE else None
