"""How much fine detail there is beside the source's, and how much of the picture is burnt out or drowned in black."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.definition import Definition
from vedit.evaluation.tally import Tally, changing
from vedit.ranges import full_scale

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Frame, Setting, Step
    from vedit.evaluation.motion import Marks
    from vedit.evaluation.picture import Picture

_LEAST = 1e-12
"""Mean squared gradient, luma a pixel: below it a frame is of one colour."""

FIGURES = (
    Definition(
        name="gradient_energy",
        title="Fine detail, of the source's",
        unit="x",
        better="neither",
        ideal=1.0,
        variant=(
            "squared Sobel gradient of luma (BT.601), summed over the pixels of all frames, result over source; inside "
            "the mask where there is one: below 1 the result is softer, above it has strokes, grain or sharpening"
        ),
    ),
    Definition(
        name="clipped_highlights",
        title="Burnt-out highlights, more than the source's",
        unit="%",
        better="lower",
        ideal=0.0,
        variant=(
            "share of the pixels of a full-size frame whose largest channel is at full scale or within a 250th of "
            "it, result minus source; mean over frames"
        ),
    ),
    Definition(
        name="clipped_shadows",
        title="Blocked shadows, more than the source's",
        unit="%",
        better="lower",
        ideal=0.0,
        variant=(
            "share of the pixels of a full-size frame whose largest channel is 0 or within a 250th of it, result "
            "minus source; mean over frames"
        ),
    ),
)


class Detail:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> DetailMeasure:
        return DetailMeasure()


class DetailMeasure:
    """The metric at work."""

    def __init__(self) -> None:
        self._energy = Tally("gradient_energy", "the source is of one colour")
        self._bright = Tally("clipped_highlights", "no frame was measured")
        self._dark = Tally("clipped_shadows", "no frame was measured")
        self._totals = [0.0, 0.0]

    def push(self, step: Step) -> None:
        inside = changing(step)
        source, result = (gradient_energy(picture, inside) for picture in (step.source, step.result))
        if source > _LEAST:
            self._energy.add(step.frame, result / source)
            self._totals[0] += source
            self._totals[1] += result
        of_source = clipped(step.full_source)
        of_result = of_source if step.is_source else clipped(step.full_result)
        self._bright.add(step.frame, 100 * (of_result[0] - of_source[0]))
        self._dark.add(step.frame, 100 * (of_result[1] - of_source[1]))

    def finish(self) -> tuple[Score, ...]:
        source, result = self._totals
        return (
            self._energy.score_of(result / source if source > 0 else None),
            self._bright.score(),
            self._dark.score(),
        )


METRIC = Detail()


def gradient_energy(picture: Picture, inside: Marks | None = None) -> float:
    """Mean squared gradient of luma, in luma a pixel; 0 where there are no pixels."""
    energy = np.square(picture.gradient).sum(axis=0)
    if inside is None:
        return float(energy.mean(dtype=np.float64))
    return float(energy[inside].mean(dtype=np.float64)) if inside.any() else 0.0


def clipped(frame: Frame) -> tuple[float, float]:
    """Shares of pixels in [0, 1]: white or a full channel, and black."""
    top = full_scale(frame.bit_depth)
    margin = top // 250
    largest = np.maximum(np.maximum(frame.pixels[0], frame.pixels[1]), frame.pixels[2])
    count = largest.size
    return int((largest >= top - margin).sum()) / count, int((largest <= margin).sum()) / count
