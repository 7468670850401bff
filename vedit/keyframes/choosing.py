"""Which frames of a shot are drawn: the farthest that still shows nearly all of the key before it, along the motion.

The first frame and the last are keys, so that every other has one on both sides. From a key on, frame after frame is
followed back to it; where too much of the picture cannot be followed any more, or no longer looks the same, the next
key is due. A key is never farther than asked, nor nearer than a frame that is worth carrying; unless the model draws,
and something is left between two keys that neither knows (`vedit.keyframes.unknown`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from vedit.flow.motion import Motion, Pair, carried, led, standing
from vedit.keyframes.carrying import Frame, trusted
from vedit.keyframes.unknown import unknown_frames

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
    drawn: bool = True,
) -> tuple[int, ...]:
    """The numbers of the keys of a shot, in order.

    Args:
        start: number of the shot's first frame.
        frames: of the shot, in order: the source (h, w, C) in [0, 1] at the working size, and the pair that it ends;
            None with the first.
        spacing: between keys.
        fixed: frames that are keys in any case; the shot's first and last are too.
        drawn: a model draws keys, so that further ones show what these do not.
    """
    span: list[tuple[Floats, Pair | None]] = []
    """From the key before on."""

    def held() -> Iterator[tuple[Floats, Pair | None]]:
        for one in frames:
            span.append(one)
            yield one

    keys: list[int] = []
    for number, _ in weighed_keys(start, held(), spacing, fixed=fixed):
        if drawn and keys:
            pairs = [pair for _, pair in span[1:] if pair is not None]
            keys += [keys[-1] + place for place in unknown_frames([frame for frame, _ in span], pairs)]
        keys.append(number)
        del span[:-1]
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
