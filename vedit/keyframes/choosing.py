"""Which frames of a shot are drawn: the farthest that still shows nearly all of the key before it, along the motion.

The first frame and the last are keys, so that every other has one on both sides. From a key on, frame after frame is
followed back to it; where too much of the picture cannot be followed any more, or no longer looks the same, the next
key is due. A key is never farther than asked, nor nearer than a frame that is worth carrying.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np

from vedit.keyframes.carrying import Frame, trusted
from vedit.keyframes.motion import Pair, carried, led, standing

if TYPE_CHECKING:
    from vedit.keyframes.motion import Floats
    from vedit.options.keyframes import Spacing

LEAST_KNOWN = 0.8
"""The share of a frame that can be followed to the key before it, and looks the same there, below which the next key
is due. What it hides is mostly seen from the key behind, so the keys at its rim may know less of it together."""


def choose_keys(
    start: int,
    frames: Iterable[tuple[Floats, Pair | None]],
    spacing: Spacing,
    *,
    fixed: Collection[int] = (),
) -> tuple[int, ...]:
    """The numbers of the keys of a shot, in order.

    Args:
        start: number of the shot's first frame.
        frames: of the shot, in order: the source (h, w, C) in [0, 1] at the working size, and the pair that it ends;
            None with the first.
        spacing: between keys.
        fixed: frames that are keys in any case; the shot's first and last are too.
    """
    keys: list[int] = []
    last, image = start, np.empty(0, np.float32)
    motion = None
    for number, (frame, pair) in enumerate(frames, start=start):
        last = number
        if pair is None or motion is None:
            keys, image, motion = [number], frame, standing((frame.shape[0], frame.shape[1]))
            continue
        motion = led(pair.back, motion)
        apart = number - keys[-1]
        due = apart >= spacing.farthest or number in fixed
        if not due and apart >= spacing.closest:
            known = trusted(motion, Frame.of(frame), carried(image, motion))
            due = float(known.mean()) < LEAST_KNOWN
        if due:
            keys.append(number)
            image, motion = frame, standing(motion.seen.shape)
    if keys and keys[-1] != last:
        keys.append(last)
    return tuple(keys)
