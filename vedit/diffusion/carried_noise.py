"""Noise that travels with the scene: drawn at a shot's first frame, and carried on by the source's optical flow.

Noise that is the same in every frame sticks to the screen, and a look's strokes with it, while the picture moves behind
them; noise drawn anew for each frame flickers. So the noise lies on the pixels of the source and moves as they move,
and a latent cell has the sum of its pixels over the root of their number, which is standard normal again.

As in "How I Warped Your Noise" (Chang et al. 2024) it stays white in each frame, whatever the motion does. A pixel that
is seen by several pixels of the next frame is split among them by noise drawn under the condition that their sum is
its own; pixels that fall together are summed over the root of their number; and what comes into sight is drawn anew,
from seed and frame. Pixels hold whole numbers of places, so what is left of a motion, below a pixel, is kept beside
the noise and goes into the next step: else slow motion would be rounded away in every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vedit.diffusion.noise import Drawn, frame_noise
from vedit.flow.estimate import estimate_flow

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import FrameRange, OpticalFlow

    Floats = npt.NDArray[np.float32]
    Whole = npt.NDArray[np.int64]

FORMAT = 1
"""Raised where the noise of an older vedit must not be joined to that of this one."""
_LEFT_OVER = 0.75
"""Pixels that noise may lie off its place; more comes of two motions that meet, and is let go."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """The noise of one frame on the pixel grid."""

    noise: Floats
    """(C, H * W), standard normal."""
    off: Floats
    """(2, H * W): where each pixel's noise truly lies, from the pixel, x then y."""
    size: tuple[int, int]
    """(H, W)."""

    def cells(self, side: int) -> torch.Tensor:
        """(C, H / side, W / side): the noise of latent cells of so many pixels along each side, standard normal."""
        height, width = self.size
        blocks = self.noise.reshape(-1, height // side, side, width // side, side)
        return torch.from_numpy(blocks.sum((2, 4), dtype=np.float64) / side).float()


def first_noise(drawn: Drawn, size: tuple[int, int], frame: int) -> Carried:
    """The noise that a frame (H, W) begins with, by seed and frame."""
    return Carried(noise=_fresh(drawn, size, frame), off=np.zeros((2, size[0] * size[1]), np.float32), size=size)


def carried_on(before: Carried, flow: OpticalFlow, drawn: Drawn, frame: int) -> Carried:
    """The noise of the next frame.

    Args:
        before: of the frame before it.
        flow: of that pair alone, both ways.
        drawn: the seed.
        frame: the next frame's number, which keys what is drawn for it.
    """
    size = before.size
    rows, columns = np.mgrid[: size[0], : size[1]]
    place = np.stack([columns, rows]).astype(np.float32).reshape(2, -1)
    came_from = place + flow.backward[0].numpy().reshape(2, -1)
    near, _ = _pixel(came_from, size)
    source, inside = _pixel(came_from - before.off[:, near], size)
    seen = inside & ~flow.backward_occlusion[0].numpy().reshape(-1)
    noise, off = _fresh(drawn, size, frame), np.zeros_like(before.off)
    left = place[:, source] + before.off[:, source] - came_from
    off[:, seen] = np.where(np.abs(left) <= _LEFT_OVER, left, np.float32(0))[:, seen]
    shares = np.bincount(source[seen], minlength=source.size)
    noise[:, seen] = _split(noise[:, seen], before.noise, source[seen], shares)
    lost = np.flatnonzero((shares == 0) & ~flow.forward_occlusion[0].numpy().reshape(-1))
    there = (place + before.off)[:, lost] + flow.forward[0].numpy().reshape(2, -1)[:, lost]
    target, arrives = _pixel(there, size)
    arrives &= seen[target]
    _join(noise, before.noise, lost[arrives], target[arrives])
    return Carried(noise=noise, off=off, size=size)


def _split(fresh: Floats, before: Floats, source: Whole, shares: Whole) -> Floats:
    """Each source's noise for all pixels that show it: theirs where it is one, else fresh noise moved so that their sum
    over the root of their number is its own."""
    found, several = before[:, source], np.flatnonzero(shares[source] > 1)
    group, number = source[several], shares[source[several]]
    for channel, drawn in zip(found, fresh[:, several], strict=True):
        mean = np.bincount(group, weights=drawn, minlength=shares.size)[group] / number
        channel[several] = drawn - mean + channel[several] / np.sqrt(number)
    return found


def _join(noise: Floats, before: Floats, source: Whole, target: Whole) -> None:
    """Add, in place, the noise of sources that no pixel shows to that of the pixels that they fall on."""
    if not source.size:
        return
    number = np.bincount(target, minlength=noise.shape[1])
    joined = np.flatnonzero(number)
    for channel, given in zip(noise, before[:, source], strict=True):
        total = channel[joined] + np.bincount(target, weights=given, minlength=noise.shape[1])[joined]
        channel[joined] = total / np.sqrt(1 + number[joined])


def _fresh(drawn: Drawn, size: tuple[int, int], frame: int) -> Floats:
    return frame_noise((drawn.channels, size[0] * size[1]), seed=drawn.seed, frames=[frame])[0].numpy()


def _pixel(position: Floats, size: tuple[int, int]) -> tuple[Whole, npt.NDArray[np.bool_]]:
    """The pixels nearest to positions (2, N), counted row by row, and which of them lie in the frame."""
    column, row = (np.floor(axis + 0.5).astype(np.int64) for axis in position)
    inside = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])
    return row.clip(0, size[0] - 1) * size[1] + column.clip(0, size[1] - 1), inside


class SceneNoise:
    """The noise of a shot's frames by their numbers: the same, whichever are asked for, together or one by one.

    It is carried from the shot's first frame on, so what lies between is looked at too. What was asked for last is
    held, and the way goes on from the last frame that was reached; only who goes back begins anew.

    Args:
        drawn: the seed.
        shot: the frames, from the one at which the noise begins.
        frames: reads the shot from its start, (T, 3, H, W) in [0, 1], in chunks of any length.
    """

    def __init__(self, drawn: Drawn, shot: FrameRange, frames: Callable[[], Iterable[torch.Tensor]]) -> None:
        self._drawn, self._shot, self._frames = drawn, shot, frames
        self._held: dict[int, torch.Tensor] = {}
        self._way: Iterator[tuple[int, torch.Tensor]] = iter(())
        self._reached = -1

    def __call__(self, numbers: Sequence[int]) -> torch.Tensor:
        """(T, C, h, w) of frames of the shot, in any order."""
        found = {number: self._held[number] for number in numbers if number in self._held}
        for number in sorted(set(numbers) - found.keys()):
            if number <= self._reached or self._reached < 0:
                self._way = self._walk()
            found[number] = next(cells for at, cells in self._way if at == number)
            self._reached = number
        self._held = found
        return torch.stack([found[number] for number in numbers])

    def close(self) -> None:
        """Let go of what is read."""
        self._way, self._reached, self._held = iter(()), -1, {}

    def _walk(self) -> Iterator[tuple[int, torch.Tensor]]:
        number, carried = self._shot.start, None
        before: torch.Tensor | None = None
        for chunk in self._frames():
            for frame in chunk.split(1):
                if before is None or carried is None:
                    carried = first_noise(self._drawn, (int(frame.shape[-2]), int(frame.shape[-1])), number)
                else:
                    number += 1
                    carried = carried_on(carried, estimate_flow(torch.cat([before, frame])), self._drawn, number)
                before = frame
                yield number, carried.cells(self._drawn.cell)
