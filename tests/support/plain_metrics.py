"""A metric whose values are seen at once, and a clip to measure with it, for tests of what is made of figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from tests.support.toy_metrics import only, toy
from vedit.evaluation.definition import Definition, Score
from vedit.registry.entry import Entry

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Measure, Setting, Step

    Picture = npt.NDArray[np.uint8]


class Alike:
    """Where higher is better, and one that nothing is known of."""

    figures = (
        Definition(
            name="alike",
            title="alike",
            unit="",
            better="higher",
            ideal=1.0,
            variant="1 - difference / 255.",
            paper="Nobody, 'On <Nothing>', 2001",
        ),
        Definition(name="unknown", title="Unknown", unit="px", better="lower", ideal=None, variant="Nothing."),
    )
    quick, whole_shot = True, False

    def start(self, setting: Setting) -> Measure:
        return _Likeness()


class _Likeness:
    def __init__(self) -> None:
        self._series: dict[int, float] = {}

    def push(self, step: Step) -> None:
        self._series[step.frame] = 1 - float(np.abs(step.result.luma - step.source.luma).mean())

    def finish(self) -> Sequence[Score]:
        value = sum(self._series.values()) / len(self._series)
        return [
            Score(name="alike", value=value, series=self._series),
            Score(name="unknown", value=None, why="nothing <moves> here"),
        ]


ALIKE = Alike()


def plain_metrics() -> AbstractContextManager[None]:
    """This and the toy of the same kind that shows where are all metrics there are."""
    return only(toy("difference"), Entry(name="alike", summary="alike", target=f"{__name__}:ALIKE"))


def moving(count: int, *, height: int = 72, width: int = 96) -> list[Picture]:
    """Frames of a soft pattern that moves to the right, (height, width, 3), around a grey of 110."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin((columns - t) / 9) * np.cos(rows / 7) for t in range(count)]
    return [np.repeat(np.rint(110 + 60 * wave).astype(np.uint8)[..., None], 3, axis=2) for wave in waves]
