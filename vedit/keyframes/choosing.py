"""Which frames of a shot are drawn: the farthest that still shows nearly all of the key before it, along the motion.

The first frame and the last are keys, so that every other has one on both sides. From a key on, frame after frame is
followed back to it; where too much of the picture cannot be followed any more, or no longer looks the same, the next
key is due. A key is never farther than asked, nor nearer than a frame that is worth carrying.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from vedit.flow.motion import Motion, Pair, carried, led, standing
from vedit.keyframes.carrying import Frame, trusted

if TYPE_CHECKING:
    from vedit.flow.motion import Floats
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
    keys = [number for number, _ in weighed_keys(start, frames, spacing, fixed=fixed)]
    return tuple(keys)


def weighed_keys(
    start: int,
    frames: Iterable[tuple[Floats, Pair | None]],
    spacing: Spacing,
    *,
    fixed: Collection[int] = (),
) -> Iterator[tuple[int, float]]:
    """The keys of a shot as `choose_keys` takes them, each with the share of it that the key before it shows."""
    key, number = start, start
    frame = image = np.empty(0, np.float32)
    motion = None
    for number, (frame, pair) in enumerate(frames, start=start):
        if pair is None or motion is None:
            image, motion = frame, standing((frame.shape[0], frame.shape[1]))
            yield number, 0.0
            continue
        motion = led(pair.back, motion)
        apart = number - key
        asked = apart >= spacing.farthest or number in fixed
        if not asked and apart < spacing.closest:
            continue
        known = _known(motion, frame, image)
        if asked or known < LEAST_KNOWN:
            key = number
            yield number, known
            image, motion = frame, standing(motion.seen.shape)
    if motion is not None and key != number:
        yield number, _known(motion, frame, image)


def _known(motion: Motion, frame: Floats, key: Floats) -> float:
    """The share of a frame that is seen in a key, and looks the same there."""
    return float(trusted(motion, Frame.of(frame), carried(key, motion)).mean())
