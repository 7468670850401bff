"""Which of the changes that a detector reports are cuts.

A detector compares a frame with the one before it, by hue and saturation too. In near black these are noise, so a fade
has cuts in it; a flash, and the frame at which a codec begins anew, differ from their predecessor as well. A cut is
more: from one frame to the next the picture becomes another one, and stays so. Here that is looked at on averages of
32 x 18 parts, in plain levels:

- The change is a step: most of what the frames around differ by happens at once. A fade or dissolve is no step.
- What follows is another picture: the same one, coded better or worse, differs by little.
- The old picture does not come back after a few frames that show it in other light, or nothing: that is a flash.
- One of the two pictures shows something: nothing is cut in black.

A picture that fades out to black (or white) and another that fades in from there are two shots though nothing is cut:
the second begins where the blank picture begins to change.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vedit.shots.small_frames import alike, difference, is_blank

if TYPE_CHECKING:
    from vedit.shots.small_frames import Row

_STEP = 0.6
"""Of the largest difference between the frames around, that a cut makes up at least."""
_AROUND = 2
"""More frames on either side that count as around."""
_FLASH = 8
"""Frames that a flash takes at most."""
_SAME, _NEARLY_SAME = 3.0, 8.0
"""Levels below which pictures are one in any case, and where they are alike."""
_ALIKE = 0.8
"""Correlation from which pictures show the same, in whatever light."""
_RETURNED = 0.25
"""Of a step, that the picture behind a flash may still differ by from the one before."""
_STILL = 0.75
"""Levels below which a blank picture does not change."""


class CutCheck:
    """Sees the row of every frame in order, and is told of changes; holds few rows. Frames count from 0."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=2 * _FLASH + 4)
        self._count = 0
        self._waiting: list[int] = []
        self._cuts: list[int] = []
        self._flashes: list[int] = []
        self._blank_from: int | None = None
        self._last_still = 0
        self._blanks: list[tuple[int, int, int]] = []

    def see(self, row: Row) -> None:
        """The next frame."""
        self._rows.append(row)
        self._count += 1
        self._watch_blank(row)
        while self._waiting and self._waiting[0] + _FLASH < self._count:
            self._judge(self._waiting.pop(0))

    def change(self, frame: int) -> None:
        """A detector reports a change at a frame that was seen, few frames ago; ascending."""
        if frame > 0 and (not self._waiting or self._waiting[-1] < frame):
            self._waiting.append(frame)

    def finish(self) -> tuple[list[int], list[int]]:
        """Where it is cut; and where, besides, a picture comes out of the blank that another one went into."""
        for frame in self._waiting:
            if frame < self._count:
                self._judge(frame)
        self._waiting = []
        sharp = [*self._cuts, *self._flashes]
        gradual = [
            begins
            for start, stop, begins in self._blanks
            if start > 0 and not any(start - 1 <= frame <= stop + 1 for frame in sharp)
        ]
        return self._cuts, gradual

    def _row(self, frame: int) -> Row:
        """That of a frame, or of the nearest that is held."""
        first = self._count - len(self._rows)
        return self._rows[min(max(frame, first), self._count - 1) - first]

    def _judge(self, frame: int) -> None:
        before, after = self._row(frame - 1), self._row(frame)
        if is_blank(before) and is_blank(after) and difference(before, after) < 100:  # black to white is a cut
            return
        step = difference(before, after)
        if step < _SAME or (step < _NEARLY_SAME and alike(before, after) > _ALIKE):
            return
        span = max(
            difference(self._row(frame + ahead), self._row(frame - 1 - back))
            for ahead in range(_AROUND + 1)
            for back in range(_AROUND + 1)
        )
        # The old picture may be back within the frames around; then they differ by less than the step.
        if step < _STEP * span:
            return
        (self._flashes if self._is_flash(frame, step) else self._cuts).append(frame)

    def _is_flash(self, frame: int, step: float) -> bool:
        """Whether a flash begins or ends there."""
        return any(
            self._returns(kept=frame + side, lit=[frame + side - way * n for n in range(1, length + 1)], step=step)
            for way, side in ((-1, -1), (1, 0))
            for length in range(1, _FLASH)
        )

    def _returns(self, *, kept: int, lit: list[int], step: float) -> bool:
        """Whether the frame behind those that are lit shows what the one before them does."""
        behind = lit[-1] + (lit[0] - kept)
        if not max(0, self._count - len(self._rows)) <= behind < self._count:
            return False
        picture = self._row(kept)
        if difference(picture, self._row(behind)) > max(_SAME, _RETURNED * step):
            return False
        return all(is_blank(row) or alike(row, picture) > _ALIKE for row in (self._row(number) for number in lit))

    def _watch_blank(self, row: Row) -> None:
        number = self._count - 1
        if is_blank(row):
            if self._blank_from is None:
                self._blank_from, self._last_still = number, number
            elif difference(row, self._rows[-2]) < _STILL:
                self._last_still = number
        elif self._blank_from is not None:
            self._blanks.append((self._blank_from, number, self._last_still + 1))
            self._blank_from = None
