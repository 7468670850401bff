"""Metrics that are easy to foresee, for tests of what is around metrics."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest

from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.metric import Setting, Step
from vedit.registry import metrics as listed
from vedit.registry.entry import Entry


class Difference:
    """The mean absolute difference of luma, in levels; where it is, as heat."""

    figures = (
        Definition(
            name="difference",
            title="Difference from the source",
            unit="levels",
            better="lower",
            ideal=0.0,
            variant="mean |result - source| of luma over all pixels and frames, x 255",
        ),
        Definition(name="brightness", title="Brightness", unit="", better="neither", ideal=None, variant="mean luma"),
    )
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> DifferenceMeasure:
        """A measure of it."""
        return DifferenceMeasure(setting)


class DifferenceMeasure:
    """`Difference` at work."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.levels: dict[int, float] = {}
        self.light: dict[int, float] = {}

    def push(self, step: Step) -> None:
        """One frame."""
        self.levels[step.frame] = float(self.heat(step).mean())
        self.light[step.frame] = float(step.result.luma.mean())

    def heat(self, step: Step) -> npt.NDArray[np.float32]:
        """Levels by pixel."""
        return np.asarray(np.abs(step.result.luma - step.source.luma) * 255, np.float32)

    def finish(self) -> Sequence[Score]:
        """Both."""
        return [
            Score(name="difference", value=float(np.mean(list(self.levels.values()))), series=self.levels),
            Score(name="brightness", value=float(np.mean(list(self.light.values()))), series=self.light),
        ]


class Steps:
    """How many frames have one before them in their shot, and how many have eight: what `Step.back` gives."""

    figures = tuple(
        Definition(name=name, title=name, unit="frames", better="neither", ideal=None, variant="counted")
        for name in ("steps", "eights")
    )
    quick = False
    whole_shot = True

    def start(self, setting: Setting) -> StepsMeasure:
        """A measure of it."""
        return StepsMeasure()


class StepsMeasure:
    """`Steps` at work."""

    def __init__(self) -> None:
        self.steps = self.eights = 0

    def push(self, step: Step) -> None:
        """One frame."""
        self.steps += step.back(1) is not None
        self.eights += step.back(8) is not None

    def finish(self) -> Sequence[Score]:
        """The second is left out, which a metric may."""
        return [Score(name="steps", value=float(self.steps))]


DIFFERENCE, STEPS = Difference(), Steps()


def toy(name: str, **more: object) -> Entry:
    """The entry of one of them."""
    return Entry(name=name, summary="a toy", target=f"{__name__}:{name.upper()}", **more)  # pyright: ignore[reportArgumentType]


@contextmanager
def only(*entries: Entry) -> Generator[None]:
    """There are no metrics but these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listed, "_METRICS", entries)
        listed.metrics.cache_clear()
        yield
    listed.metrics.cache_clear()
