"""Temporal steadying: what optical flow says should not have changed between frames is pulled together.

Frames sampled one beside the other agree in what they show; what is left is flicker of brightness and colour, and
strokes that are drawn anew in every frame. Each result frame becomes a weighted mean of the frames around it, `REACH`
to either side, moved onto it along the source's own motion. How they are joined is told in
`vedit.finishing.joining`; here is which frames are.

- Both sides are looked at, so a fade is not held back, what the model begins to draw is there at once, and a frame is
  steadied by the same frames whichever way time runs. What lies farther than `REACH` is forgotten, but for flat parts.
- A shot goes on before its first frame and behind its last as its mirror image. Its beginning is then as settled as
  its middle, and a clip that runs forth and back comes back to the same picture.
- Where the source is flat, strokes go on from frame to frame, from the shot's beginning on: the mean of some would keep
  there what is drawn alike in the same place of the screen.
- Nothing depends on how a shot is cut into pieces: a frame is given out when the frames after it have come.

What the autoencoder loses of the source is averaged along the same ways, for the enlargement that makes it good
(`vedit.finishing.guided`): the steadied result has lost as much, and the loss of one frame alone would be flicker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING

import numpy as np
import torch

from vedit.finishing.joining import Neighbour, Prepared, joined, prepared
from vedit.flow.confidence import ConfidentFlow, confident_flow
from vedit.flow.estimate import estimate_flow
from vedit.flow.motion import outwards, step
from vedit.flow.planes import as_frame, as_image, moved
from vedit.progress.spent import spent_on
from vedit.threads import each_on_a_thread

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.flow.motion import Step

    Floats = npt.NDArray[np.float32]
    _Sums = tuple[Floats, Floats]
    """Of a weighted mean: (H, W, C), and the weights (H, W)."""

REACH = 10
"""Frames to either side that a frame is steadied by."""


def steady(source: torch.Tensor, result: torch.Tensor, *, motion: ConfidentFlow | None = None) -> torch.Tensor:
    """Steady a whole shot.

    Args:
        source: (T, 3, H, W) in [0, 1], at the working size.
        result: the same frames restyled.
        motion: of the source's T - 1 pairs; None estimates it.

    Returns:
        The steadied frames, (T, 3, H, W) in [0, 1].
    """
    if not len(result):
        return result
    steadying = Steadying()
    done = [*steadying.push(source, result, motion=motion), *steadying.finish()]
    return torch.stack([one.result for one in done])


@dataclass(frozen=True, kw_only=True)
class Steadied:
    """A frame that is done."""

    result: torch.Tensor
    """(3, H, W) in [0, 1]."""
    lost: torch.Tensor | None
    """(3, H, W): what the model's view of the source has beyond the source; None where no view was given."""


class Steadying:
    """A shot that is steadied as its frames come; the last `REACH` of them are waited for."""

    def __init__(self) -> None:
        self._begin()

    @spent_on("steady")
    def push(
        self,
        source: torch.Tensor,
        result: torch.Tensor,
        seen: torch.Tensor | None = None,
        *,
        motion: ConfidentFlow | None = None,
    ) -> list[Steadied]:
        """The next frames of the shot.

        Args:
            source: (T, 3, H, W) in [0, 1], at the working size.
            result: the same frames restyled.
            seen: the same frames as the model sees them, of all frames of a shot or of none.
            motion: of the source's pairs that end in these frames: T, or T - 1 at the shot's beginning; None estimates
                it.

        Returns:
            The frames that are done by now, in order, from the first that was not.
        """
        frames = source if self._last is None else torch.cat([self._last, source])
        flow = confident_flow(frames, estimate_flow(frames)) if motion is None else motion
        first = len(flow.forward) - len(source)
        done: list[Steadied] = []
        for t, frame in enumerate(each_on_a_thread(lambda t: prepared(source[t], result[t]), range(len(source)))):
            if first + t >= 0:
                pair = flow.pair(first + t)
                self._ahead[self._count - 1] = step(pair, "forward")
                self._back[self._count] = step(pair, "backward")
            self._frames[self._count] = frame
            if seen is not None:
                self._lost[self._count] = as_image(seen[t] - source[t]).astype(np.float16)
            self._count += 1
            if self._count > self._next + REACH:
                done.append(self._finished())
        self._last = source[-1:] if len(source) else self._last
        return done

    @spent_on("steady")
    def finish(self) -> list[Steadied]:
        """The frames that were waited for: no more will come. A new shot can begin."""
        done: list[Steadied] = []
        while self._next < self._count:
            done.append(self._finished())
        self._begin()
        return done

    def _begin(self) -> None:
        self._frames: dict[int, Prepared] = {}
        self._ahead: dict[int, Step] = {}
        """From a frame to the next."""
        self._back: dict[int, Step] = {}
        """From a frame to the one before."""
        self._lost: dict[int, npt.NDArray[np.float16]] = {}
        """What the model's view has beyond the source, (H, W, 3)."""
        self._last: torch.Tensor | None = None
        self._settled: Floats | None = None
        """The last frame that was given out."""
        self._count = self._next = 0

    def _finished(self) -> Steadied:
        """The next frame in turn, and what no later one looks at let go."""
        t = self._next
        weights = window(t, self._count)
        own = weights.pop(t)
        lost = (self._loss_of(t, own), self._loss_of(t, 0)) if self._lost else None
        before, behind = (
            self._beside(t, weights, way, sums) for way, sums in zip((-1, 1), lost or (None, None), strict=True)
        )
        settled = None if self._settled is None else (self._settled, next(outwards([self._back[t]])))
        self._settled = joined(self._frames[t], own, before, behind, settled)
        self._next += 1
        self._frames.pop(self._next - REACH - 1, None)
        self._back.pop(self._next - REACH, None)
        self._ahead.pop(t, None)
        self._lost.pop(self._next - REACH - 1, None)
        return Steadied(result=as_frame(self._settled), lost=None if lost is None else as_frame(_mean_of(*lost)))

    def _beside(self, t: int, weights: dict[int, float], way: int, lost: _Sums | None) -> Iterator[Neighbour]:
        """The frames on one side, the nearest first; what is lost of each is added, moved with it."""
        steps, numbers = (self._ahead, range(t + 1, self._count)) if way > 0 else (self._back, range(t - 1, -1, -1))
        beside = [number for number in numbers[:REACH] if number in weights]
        for number, path in zip(beside, outwards(steps[number - way] for number in beside), strict=True):
            if lost is not None:
                total, weight = lost
                share = np.float32(weights[number]) * path.seen
                total += share[..., None] * moved(self._lost[number].astype(np.float32), path.to)
                weight += share
            yield Neighbour(frame=self._frames[number], path=path, weight=weights[number])

    def _loss_of(self, t: int, own: float) -> _Sums:
        """Of a frame itself by its weight, to which that of others on one side is added."""
        loss = self._lost[t].astype(np.float32)
        return loss * np.float32(own), np.full(loss.shape[:2], own, np.float32)


def window(frame: int, count: int) -> dict[int, float]:
    """The weights with which the frames of a shot go into one of them, by their numbers.

    A raised cosine (von Hann) over `REACH` frames to either side: nothing enters or leaves it with a jump. Beyond its
    ends the shot goes on as its mirror image, whose frames are those of the shot.

    Args:
        frame: its number, from 0.
        count: frames of the shot that there are. That it goes on makes no difference as long as all `REACH` behind
            the frame have come.
    """
    weights: dict[int, float] = {}
    for away in range(-REACH, REACH + 1):
        number = _mirrored(frame + away, count)
        weights[number] = weights.get(number, 0.0) + cos(pi * away / (2 * (REACH + 1))) ** 2
    return weights


def _mean_of(first: _Sums, second: _Sums) -> Floats:
    """(H, W, C): of what both sides add up to."""
    return np.asarray((first[0] + second[0]) / (first[1] + second[1])[..., None], np.float32)


def _mirrored(number: int, count: int) -> int:
    if count == 1:
        return 0
    within = number % (2 * (count - 1))
    return min(within, 2 * (count - 1) - within)
