"""Clips that are made so that it is known what should come out: an eye that opens, and a clip that comes back.

Both are made of one real frame or clip, as looks do little to flat drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.picture import picture_of

if TYPE_CHECKING:
    from vedit.types import IntFrames

OPENS, LOOKED_AT, FRAMES = 12, 15, 24
"""Frames of the eye: the first with it open, the one that it is looked at in, and all."""
PAN = 2
"""Pixels a frame that the eye's clip moves by, to the left."""
PERIODS, HALF = 3, 12
"""Of the clip that comes back, and how many frames it goes forth."""
SETTLED = 2
"""First frame from which a clip that comes back is to be the same."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A rectangle of a frame."""

    top: int
    left: int
    height: int
    width: int

    def of(self, plane: np.ndarray) -> np.ndarray:
        """That part of (H, W)."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]


def eye_place(size: tuple[int, int], number: int) -> Place:
    """Where the eye is in a frame of the eye's clip, (height, width)."""
    height, width = size[0] // 7, size[0] // 5
    # In the middle of the clip it is in the middle of the frame.
    middle = size[1] // 2 + PAN * (FRAMES // 2 - number)
    return Place(top=(size[0] - height) // 2, left=middle - width // 2, height=height, width=width)


def opening_eye(still: IntFrames) -> list[IntFrames]:
    """A pan over a real picture with a closed eye in it that opens at frame `OPENS`.

    Args:
        still: (3, H, W) of 8 bits; so much of its width as is panned over is cut off.
    """
    height, width = int(still.shape[1]), int(still.shape[2]) - PAN * FRAMES
    frames: list[IntFrames] = []
    for number in range(FRAMES):
        frame = np.array(still[:, :, PAN * number : PAN * number + width].transpose(1, 2, 0), np.uint8, order="C")
        _draw_eye(frame, eye_place((height, width), number), open_=number >= OPENS)
        frames.append(np.ascontiguousarray(frame.transpose(2, 0, 1)))
    return frames


def _draw_eye(frame: np.ndarray, place: Place, *, open_: bool) -> None:
    """A lid with its crease; open, the white, the iris and the light in it."""
    middle = place.left + place.width // 2, place.top + place.height // 2
    axes = place.width // 2 - 3, place.height // 2 - 3
    line = max(1, place.height // 14)
    cv2.ellipse(frame, middle, axes, 0, 0, 360, (196, 158, 132), -1, cv2.LINE_AA)
    if open_:
        cv2.ellipse(frame, middle, (axes[0] - line, axes[1] - line), 0, 0, 360, (238, 236, 230), -1, cv2.LINE_AA)
        cv2.circle(frame, middle, axes[1] - line, (70, 92, 60), -1, cv2.LINE_AA)
        cv2.circle(frame, middle, axes[1] // 2, (16, 14, 14), -1, cv2.LINE_AA)
        cv2.circle(frame, (middle[0] + line, middle[1] - line), line, (250, 250, 250), -1, cv2.LINE_AA)
    cv2.ellipse(
        frame, middle, axes, 0, 0 if not open_ else 180, 180 if not open_ else 360, (60, 40, 34), line, cv2.LINE_AA
    )


def share_there(drawn: IntFrames, result: IntFrames, place: Place) -> float:
    """How much of the fine detail that was drawn in a place is in the result: 1 all, 0 nothing.

    The slope of a regression: detail of another shape counts nothing, however strong it is.
    """
    size = int(drawn.shape[1]), int(drawn.shape[2])
    own, found = (np.asarray(place.of(picture_of(frame, 8, size).fine), np.float64) for frame in (drawn, result))
    return float(np.vdot(own, found) / np.vdot(own, own))


def there_and_back(frames: Sequence[IntFrames]) -> list[IntFrames]:
    """The first `HALF` frames forth and back, `PERIODS` times, and the first once more."""
    once = [*frames[:HALF], *frames[HALF - 2 : 0 : -1]]
    return [*once * PERIODS, frames[0]]


def period() -> int:
    """Frames after which a clip that comes back shows the same."""
    return 2 * (HALF - 1)


def furthest_return(frames: Sequence[IntFrames], *, settled: int = SETTLED) -> float:
    """Of a result: the largest mean difference of 255 between frames that show the same, a period or more apart.

    Args:
        frames: all of it.
        settled: the first frame that is looked at.
    """
    planes = [np.asarray(frame, np.float32) for frame in frames]
    apart = [
        float(np.abs(a - b).mean())
        for phase in range(period())
        for a, b in combinations([planes[n] for n in range(phase, len(planes), period()) if n >= settled], 2)
    ]
    return max(apart)
