"""The motion of a whole shot at the working size: estimated once, kept on the disk, and read in parts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch

from vedit.flow.confidence import ConfidentFlow, confident_flow
from vedit.flow.estimate import estimate_flow
from vedit.flow.motion import Pair, pairs_of
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.diffusion.inversion_cache import TensorCache

FORMAT = 1
"""Raised where the motion of an older vedit must not be used any more."""
PAIRS = 16
"""Pairs that are estimated, kept and read together."""
_HELD = 2
"""Such parts that are held in memory: who follows a shot forth and back stays within them."""
_VECTORS, _MARKS = ("forward", "backward"), ("forward_occlusion", "backward_occlusion")
_CONFIDENCE = ("forward_confidence", "backward_confidence")

SmallFrames = Callable[[FrameRange], torch.Tensor]
"""A range of frames -> (T, 3, h, w) in [0, 1] at the working size, without padding."""


class ShotMotion:
    """The pairs of neighbouring frames of one shot.

    They are filled in where nothing bears them out, see `vedit.flow.confidence`. Vectors and confidence have the half
    precision that they are kept in, whether they were kept or were estimated just now: a thirtieth of a pixel where
    something moves by 60.

    Args:
        shot: its frames.
        frames_of: the source's frames.
        kept: where pairs are kept for other uses and later renders; None: nowhere.
        facts: what decides the frames, JSON-able.
    """

    def __init__(
        self, shot: FrameRange, frames_of: SmallFrames, kept: TensorCache | None, facts: Mapping[str, object]
    ) -> None:
        self._shot, self._frames_of, self._kept = shot, frames_of, kept
        self._facts = {"motion": FORMAT, **facts}
        self._held: OrderedDict[int, list[Pair]] = OrderedDict()

    def pairs(self, frames: FrameRange) -> Iterator[Pair]:
        """The pairs from each of some frames to its next, in order; the shot's last frame begins none."""
        for number in range(frames.start, frames.stop):
            part, place = divmod(number - self._shot.start, PAIRS)
            yield self._part(part)[place]

    def parts(self) -> Iterator[FrameRange]:
        """The frames of the pairs that are estimated together, in order: each part begins with the last frame of the
        part before."""
        for part in range(max(1, -(-(len(self._shot) - 1) // PAIRS))):
            yield self._frames(part)

    def _part(self, part: int) -> list[Pair]:
        found = self._held.get(part)
        if found is None:
            found = pairs_of(self._flow(part))
            self._held[part] = found
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(part)
        return found

    def _flow(self, part: int) -> ConfidentFlow:
        frames = self._frames(part)
        facts = {**self._facts, "frames": [frames.start, frames.stop]}
        found = None if self._kept is None else self._kept.tensors(facts)
        if found is None or not all(name in found for name in (*_VECTORS, *_CONFIDENCE, *_MARKS)):
            small = self._frames_of(frames)
            flow = confident_flow(small, estimate_flow(small))
            found = {name: getattr(flow, name).half() for name in (*_VECTORS, *_CONFIDENCE)}
            found |= {name: getattr(flow, name) for name in _MARKS}
            if self._kept is not None:
                # Who chooses keys, who settles them and who carries them follow the shot each.
                self._kept.keep_tensors(facts, found, needed_again=True)
        whole = {name: found[name].float() for name in (*_VECTORS, *_CONFIDENCE)}
        return ConfidentFlow(**whole, **{name: found[name] for name in _MARKS})

    def _frames(self, part: int) -> FrameRange:
        start = self._shot.start + part * PAIRS
        return FrameRange(start=start, stop=min(start + PAIRS + 1, self._shot.stop))
