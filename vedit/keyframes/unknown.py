"""Frames between two keys that neither of them knows well enough, and that are drawn themselves therefore.

What comes into sight and goes again between two keys, and what moves too wildly to be followed, is shown by neither.
Carried, such a place keeps the source's own detail under the colours of what lies around (`vedit.keyframes.carrying`),
which in a strong look is a hole in the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vedit.flow.motion import Motion, carried, led, standing
from vedit.keyframes.carrying import SURE, Frame, trusted

if TYPE_CHECKING:
    from vedit.flow.motion import Floats, Pair

MOST_UNKNOWN = 0.02
"""The share of a frame that may be known by neither key; beyond it the frame is drawn. Where little moves it is below
0.01, in hair and hands of somebody who runs up to 0.05."""
KNOWN = SURE / 2
"""Trust from which on a pixel is known: below, more of it comes from what lies around than from the key."""


def unknown_frames(frames: Sequence[Floats], pairs: Sequence[Pair]) -> tuple[int, ...]:
    """Find the places of the frames between two keys that are to be keys as well, in order.

    The frame of which most is unknown becomes a key, and what lies on either side of it is looked at anew: a key in the
    middle mostly does for its neighbours.

    Args:
        frames: the source from a key to the next, (h, w, C) in [0, 1] at the working size.
        pairs: of neighbours among them, one less than frames.
    """
    shares = _unknown_shares(frames, pairs)
    if not shares or max(shares) <= MOST_UNKNOWN:
        return ()
    worst = 1 + int(np.argmax(shares))
    before = unknown_frames(frames[: worst + 1], pairs[:worst])
    behind = unknown_frames(frames[worst:], pairs[worst:])
    return (*before, worst, *(worst + place for place in behind))


def _unknown_shares(frames: Sequence[Floats], pairs: Sequence[Pair]) -> list[float]:
    """The share of each frame between the first and the last that neither of these shows; where the first alone shows
    enough, what it does not."""
    motion = standing((frames[0].shape[0], frames[0].shape[1]))
    unknown: list[Floats] = []
    for frame, pair in zip(frames[1:-1], pairs, strict=False):
        motion = led(pair.back, motion)
        unknown.append(_unknown(motion, frame, frames[0]))
    motion = standing(motion.seen.shape)
    for place in range(len(unknown) - 1, -1, -1):
        motion = led(pairs[place + 1].ahead, motion)
        if float(unknown[place].mean()) > MOST_UNKNOWN:
            unknown[place] = unknown[place] * _unknown(motion, frames[place + 1], frames[-1])
    return [float(one.mean()) for one in unknown]


def _unknown(motion: Motion, frame: Floats, key: Floats) -> Floats:
    """(h, w): 1 where a key, (h, w, C), does not show what a frame does, else 0."""
    return np.asarray(trusted(motion, Frame.of(frame), carried(key, motion)) < KNOWN, np.float32)
