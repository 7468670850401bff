"""Contrast: how strong the fine detail of a result is, so that nobody wins by blur."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.definition import Definition, Score

if TYPE_CHECKING:
    from vedit.evaluation.metric import Setting, Step

_LEAST = 0.5 / 255
"""Luma: a source with less has no detail to be held against."""

_RATIO = Definition(
    name="contrast",
    title="Contrast of fine detail, of the source's",
    unit="x",
    better="neither",
    ideal=1.0,
    variant=(
        "root mean square of luma (BT.601) minus its Gaussian (sigma 3/256 of the shorter side), of all pixels of all "
        "frames, over that of the source"
    ),
)
_LEVELS = Definition(
    name="contrast_levels",
    title="Contrast of fine detail",
    unit="levels",
    better="neither",
    ideal=None,
    variant="the root mean square of the same band of the result, of 255",
    places=2,
)


class _Contrast:
    figures = (_RATIO, _LEVELS)
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> _Measure:
        return _Measure()


METRIC = _Contrast()


class _Measure:
    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._result: dict[int, float] = {}
        """Frame -> mean square."""

    def push(self, step: Step) -> None:
        self._own[step.frame], self._result[step.frame] = (
            float(np.square(picture.fine).mean()) for picture in (step.source, step.result)
        )

    def finish(self) -> tuple[Score, ...]:
        own, result = (sqrt(sum(squares.values()) / len(squares)) for squares in (self._own, self._result))
        levels = Score(
            name=_LEVELS.name,
            value=255 * result,
            series={frame: 255 * sqrt(square) for frame, square in self._result.items()},
        )
        if own < _LEAST:
            return Score(name=_RATIO.name, value=None, why="the source has no fine detail"), levels
        series = {
            frame: sqrt(square / self._own[frame])
            for frame, square in self._result.items()
            if self._own[frame] >= _LEAST**2
        }
        return Score(name=_RATIO.name, value=result / own, series=series), levels
