"""Temporal profiles: one row and one column of pixels over time, the source's above the result's.

What runs in clean lines is steady, what is frayed flickers, and a line that stays level while the source's climbs is
stuck to the screen. Seen at a glance where no figure says as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Step
    from vedit.evaluation.picture import Picture, Plane

    Bytes = npt.NDArray[np.uint8]

MOST_COLUMNS = 1200
"""Of a profile over time: of a longer clip every second, fourth, ... frame is kept."""
LONGEST_LINE = 480
"""Pixels of a line; longer ones are averaged down."""
LOOK_AT = 4
"""Pairs of frames at the beginning of a shot by whose motion its lines are chosen."""
_GAP = 4
"""Grey pixels between source and result."""


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Pictures of lines over time, uint8 (2 * pixels + gap, T, 3) RGB: time to the right, source above result."""

    row: Bytes
    """Of a row of pixels, its left end on top."""
    column: Bytes
    """Of a column of pixels."""
    frames: tuple[int, ...]
    """Of the source, of each of the T columns."""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """Lines of one frame, uint8 (pixels, 3): row and column of the source, row and column of the result."""

    frame: int
    lines: tuple[Bytes, Bytes, Bytes, Bytes]


class Profile:
    """Lines of the frames that it is told of, in order.

    In each shot these are the row and the column that move most in its first frames; the middle ones where nothing
    moves. Memory is bounded: `MOST_COLUMNS` frames at most are kept.
    """

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self._every, self._count = 1, 0
        self._shot: int | None = None
        self._waiting: list[tuple[int, Picture, Picture]] = []
        self._speed: Plane | None = None
        self._pairs = 0
        self._chosen: tuple[int, int] | None = None

    def push(self, step: Step) -> None:
        """The next frame."""
        if step.shot.number != self._shot:
            self._decide()
            self._shot, self._speed, self._pairs, self._chosen = step.shot.number, None, 0, None
        if self._chosen is not None:
            self._keep(step.frame, step.source, step.result)
            return
        self._waiting.append((step.frame, step.source, step.result))
        if step.motion.step is not None:
            speed = np.linalg.norm(step.motion.step.backward, axis=2)
            self._speed = speed if self._speed is None else self._speed + speed
            self._pairs += 1
        if self._pairs >= LOOK_AT:
            self._decide()

    def pictures(self) -> Profiles | None:
        """All of it; None where there was no frame."""
        self._decide()
        if not self._samples:
            return None
        rows, columns = (
            np.concatenate([self._over_time(which), self._gap(), self._over_time(which + 2)]) for which in (0, 1)
        )
        return Profiles(row=rows, column=columns, frames=tuple(sample.frame for sample in self._samples))

    def _decide(self) -> None:
        """Choose the lines of the shot, and take those of the frames that have waited for it."""
        if not self._waiting:
            return
        height, width = self._waiting[0][1].size
        self._chosen = height // 2, width // 2
        if self._speed is not None and self._speed.mean() > 0.1 * self._pairs:
            self._chosen = _busiest(self._speed.mean(axis=1)), _busiest(self._speed.mean(axis=0))
        for frame, source, result in self._waiting:
            self._keep(frame, source, result)
        self._waiting.clear()

    def _keep(self, frame: int, source: Picture, result: Picture) -> None:
        """Its lines, where it is one of those that are kept."""
        assert self._chosen is not None
        if self._count % self._every == 0:
            if len(self._samples) == MOST_COLUMNS:
                del self._samples[1::2]
                self._every *= 2
            if self._count % self._every == 0:
                y, x = self._chosen
                of_source, of_result = (
                    (_line(picture.rgb[y]), _line(picture.rgb[:, x])) for picture in (source, result)
                )
                self._samples.append(_Sample(frame=frame, lines=(*of_source, *of_result)))
        self._count += 1

    def _over_time(self, which: int) -> Bytes:
        return np.stack([sample.lines[which] for sample in self._samples], axis=1)

    def _gap(self) -> Bytes:
        return np.full((_GAP, len(self._samples), 3), 128, np.uint8)


def _busiest(speeds: Plane) -> int:
    """The fastest line, leaving out the outer tenths, where the flow is least sure."""
    margin = len(speeds) // 10
    return margin + int(np.argmax(speeds[margin : len(speeds) - margin]))


def _line(pixels: Plane) -> Bytes:
    """(n, 3) in [0, 1] -> uint8 (at most LONGEST_LINE, 3)."""
    if len(pixels) > LONGEST_LINE:
        shrunk = cv2.resize(pixels[:, None], (1, LONGEST_LINE), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(shrunk, np.float32).reshape(LONGEST_LINE, 3)
    return np.rint(pixels * 255).astype(np.uint8)
