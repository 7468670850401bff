"""The seam for metrics: what one is given of each frame, and what it gives in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from vedit.evaluation.definition import Definition, Score
    from vedit.evaluation.motion import FlowOf, FlowPair, Motion
    from vedit.evaluation.picture import Picture, Plane
    from vedit.types import IntFrames, Shot


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of a measurement before its first frame."""

    size: tuple[int, int]
    """(h, w) at which frames are measured."""
    full_size: tuple[int, int]
    """(height, width) of the source."""
    rate: float
    """Frames a second."""
    shots: tuple[Shot, ...]
    """Of the source, those that are measured."""
    joins: tuple[int, ...] = ()
    """Frames of the source at which a window of the render began inside a shot, as far as its record says."""
    cell: float | None = None
    """Pixels of a full-size frame for each cell of the model's latents, where the record says; it may be a fraction."""
    model: str | None = None
    """That rendered, where the record says: a name or a place."""
    prompts: tuple[str, ...] = ()
    """What the result was to look like; empty where nobody knows."""
    masked: bool = False
    """A mask says where the picture may change; each step has it."""
    quick: bool = False


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame as it was decoded: what is measured to the last code value."""

    pixels: IntFrames
    """(3 or 4, H, W) integers."""
    bit_depth: int


class Step:
    """One frame of the source beside the same of a result.

    `back(k)` gives the step k frames earlier in the same shot, so that a metric need not keep any itself.
    """

    def __init__(
        self,
        *,
        frame: int,
        shot: Shot,
        source: Picture,
        result: Picture,
        motion: Motion,
        flow: FlowOf,
        earlier: Sequence[Step],
        full: tuple[Frame, Frame],
        mask: Plane | None = None,
        full_mask: Plane | None = None,
    ) -> None:
        self.frame, self.shot = frame, shot
        self.source, self.result = source, result
        self.motion = motion
        """The source's, up to this frame."""
        self._full: tuple[Frame, Frame] | None = full
        self.mask = mask
        """(h, w) in [0, 1], 1 where the picture may change; None where there is no mask."""
        self.full_mask = full_mask
        """The same at the source's size."""
        self._flow, self._earlier = flow, earlier

    def back(self, lag: int) -> Step | None:
        """`lag` frames earlier, 1 to `vedit.evaluation.motion.LAG`; None where that is before the shot."""
        return self._earlier[-lag] if 1 <= lag <= len(self._earlier) else None

    @property
    def full_source(self) -> Frame:
        """As it was decoded; only inside `Measure.push`."""
        assert self._full is not None, "a step lets go of its decoded frames"
        return self._full[0]

    @property
    def full_result(self) -> Frame:
        """The same of the result."""
        assert self._full is not None, "a step lets go of its decoded frames"
        return self._full[1]

    @property
    def is_source(self) -> bool:
        """The source is measured against itself."""
        return self.result is self.source

    @cached_property
    def result_motion(self) -> FlowPair | None:
        """The result's own motion from the frame before to this; None at the first of a shot."""
        before = self.back(1)
        if before is None:
            return None
        return self.motion.step if self.is_source else self._flow(before.result, self.result)

    def forget(self) -> None:
        """Let go of what no later step asks for: all but the pictures and the mask."""
        self.__dict__.pop("result_motion", None)
        self._full = self.full_mask = None
        if not self.is_source:
            self.result.forget()
        self._earlier = ()


class Measure(Protocol):
    """A metric at work on one result: told of each frame in order, it adds up, in memory that does not grow but by a
    number or so a frame. Each result is measured in a thread of its own."""

    def push(self, step: Step) -> None: ...

    def finish(self) -> Sequence[Score]:
        """One score for each of the metric's figures."""
        ...


@runtime_checkable
class Heated(Protocol):
    """A measure that can show where in a frame its figure comes from."""

    def heat(self, step: Step) -> Plane | None:
        """(h, w), 0 where all is well; None where the frame has none."""
        ...


@runtime_checkable
class Metric(Protocol):
    """What an entry of `vedit.metrics` names."""

    @property
    def figures(self) -> tuple[Definition, ...]:
        """All that it gives, the main one first."""
        ...

    @property
    def quick(self) -> bool:
        """It is measured with `--quick` too."""
        ...

    @property
    def whole_shot(self) -> bool:
        """It follows the scene back to the first frame of the shot (`Motion.to_first`)."""
        ...

    def start(self, setting: Setting) -> Measure: ...
