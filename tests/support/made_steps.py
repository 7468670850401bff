"""Steps of clips that are made up, for what is told of them one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from vedit.evaluation.measure import Seen, steps
from vedit.evaluation.metric import Frame, Heated, Metric, Setting, Step
from vedit.evaluation.motion import FlowOf, FlowPair, estimator
from vedit.evaluation.picture import Picture
from vedit.types import FrameRange, Shot

Frames = npt.NDArray[np.float32]
_NOTHING = Frame(pixels=np.zeros((3, 1, 1), np.uint8), bit_depth=8)


def one_shot(frames: int, *, number: int = 1, start: int = 0) -> Shot:
    return Shot(number=number, frames=FrameRange(start=start, stop=start + frames))


def steps_of(
    source: Frames, result: Frames, *, shots: tuple[Shot, ...] | None = None, flow: FlowOf | None = None
) -> Iterator[Step]:
    """Of float (T, H, W, 3) in [0, 1]; a step holds only until the next is asked for. Decoded frames are none."""
    shots = (one_shot(len(source)),) if shots is None else shots
    seen = (
        Seen(number=number, shot=shot, full=_NOTHING, picture=Picture(source[number]))
        for shot in shots
        for number in range(shot.frames.start, shot.frames.stop)
    )

    def shown(one: Seen) -> tuple[Frame, Picture]:
        return _NOTHING, Picture(result[one.number])

    for _, step in steps(seen, {"it": shown}, flow or estimator("dis"), first=True):
        yield step


def heats_of(metric: Metric, source: Frames, result: Frames) -> list[Frames | None]:
    """The heat of each frame, as it is told of it."""
    size = (source.shape[1], source.shape[2])
    measure = metric.start(Setting(size=size, full_size=size, rate=25, shots=(one_shot(len(source)),)))
    heats: list[Frames | None] = []
    for step in steps_of(source, result):
        measure.push(step)
        assert isinstance(measure, Heated)
        heats.append(measure.heat(step))
    return heats


def uniform_pair(height: int, width: int, dx: float, dy: float) -> FlowPair:
    """Everything moves by so many pixels, and back."""
    forward = torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()
    return FlowPair(forward, -forward)
