"""Where the pixels of a frame lie in another frame of the shot: motion between neighbours, one pair after the other.

Motions are joined step by step: a pixel of frame t is followed to its neighbour, and from the place that it reaches
there on along the neighbour's own motion. A way is believed as far as its least certain step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vedit.flow.moved import moved

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.flow.confidence import ConfidentFlow

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Motion:
    """From each pixel of one frame to where it lies in another."""

    to: Floats
    """(h, w, 2) pixels, x then y."""
    seen: Floats
    """(h, w) in [0, 1]: how far it is believed; 0 where the other frame does not show the place."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two neighbouring frames."""

    ahead: Motion
    """From the earlier frame to the later."""
    back: Motion
    """From the later frame to the earlier."""


def standing(size: tuple[int, int]) -> Motion:
    """The motion of a frame (h, w) to itself."""
    return Motion(to=np.zeros((*size, 2), np.float32), seen=np.ones(size, np.float32))


def led(step: Motion, further: Motion) -> Motion:
    """The motion over a neighbour: `step` leads to it, `further` from it to the other frame."""
    onward, seen = moved(further.to, step.to), moved(further.seen, step.to)
    return Motion(to=step.to + onward, seen=np.minimum(step.seen, seen))


def carried(image: Floats, motion: Motion) -> Floats:
    """A picture (h, w, C) of the other frame, laid over the one that the motion begins in; its edge goes on outside."""
    return moved(image, motion.to, cubic=True)


def pairs_of(flow: ConfidentFlow) -> list[Pair]:
    """The pairs of a flow, one by one."""
    found: list[Pair] = []
    for number in range(len(flow.forward)):
        ways = (flow.forward, flow.forward_confidence), (flow.backward, flow.backward_confidence)
        ahead, back = (
            Motion(
                to=np.ascontiguousarray(vectors[number].numpy().transpose(1, 2, 0), dtype=np.float32),
                seen=np.ascontiguousarray(believed[number, 0].numpy(), dtype=np.float32),
            )
            for vectors, believed in ways
        )
        found.append(Pair(ahead=ahead, back=back))
    return found
