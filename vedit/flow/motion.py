"""Where the pixels of a frame lie in another frame of the shot: motion between neighbours, one pair after the other.

Motions are joined step by step, and a way is believed as far as its least certain step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vedit.flow.planes import moved

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.flow.confidence import ConfidentFlow

    Floats = npt.NDArray[np.float32]
    Step = npt.NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class Motion:
    """From each pixel of one frame to where it lies in another."""

    to: Floats
    """(h, w, 2) pixels, x then y, as `vedit.flow.planes.moved` takes them."""
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
    each = (flow.pair(number) for number in range(len(flow.forward)))
    return [Pair(ahead=_motion(_packed(one, "forward")), back=_motion(_packed(one, "backward"))) for one in each]


def step(flow: ConfidentFlow, way: Literal["forward", "backward"]) -> Step:
    """(h, w, 4): motion x, y and confidence of one pair, as `outwards` takes them, and nothing.

    In half precision, as many are held: a motion of up to 16 pixels is right to a 128th of one.
    """
    return _packed(flow, way).astype(np.float16)


def outwards(steps: Iterable[Step]) -> Iterator[Motion]:
    """The motions from a frame to those in one direction, the nearest frame's first.

    Args:
        steps: of the frame itself, of its neighbour in that direction, and so on; see `step`.
    """
    motion: Motion | None = None
    for one in steps:
        if motion is None:
            motion = _motion(one.astype(np.float32))
        else:
            there = moved(one.astype(np.float32), motion.to)
            motion = Motion(to=motion.to + there[..., :2], seen=np.minimum(motion.seen, there[..., 2]))
        yield motion


def _packed(flow: ConfidentFlow, way: Literal["forward", "backward"]) -> Floats:
    """(h, w, 4): of four channels it takes a third of the time to sample as of three."""
    vectors, confidence = getattr(flow, way)[0].numpy(), getattr(flow, f"{way}_confidence")[0].numpy()
    return np.stack([*vectors, *confidence, np.zeros_like(confidence[0])], axis=-1)


def _motion(packed: Floats) -> Motion:
    return Motion(to=packed[..., :2].copy(), seen=packed[..., 2].copy())
