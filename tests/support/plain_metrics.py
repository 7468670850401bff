"""Two metrics whose values are seen at once, and clips to measure with them, for tests of what is made of figures."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from vedit.evaluation.definition import Definition, Score
from vedit.registry.entry import Entry
from vedit.registry.metrics import metrics

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Measure, Setting, Step
    from vedit.evaluation.picture import Plane

    Picture = npt.NDArray[np.uint8]


class Differs:
    """How far brightness is from the source's, which shows where; and how bright the result is."""

    figures = (
        Definition(
            name="differs",
            title="Brightness is off by",
            unit="levels",
            better="lower",
            ideal=0.0,
            variant="Mean absolute difference of luma over all pixels, mean over the frames.",
            paper="Nobody, 'On <Nothing>', 2001",
            places=2,
        ),
        Definition(
            name="bright", title="How bright it is", unit="levels", better="neither", ideal=None, variant="Mean luma."
        ),
    )
    quick, whole_shot = True, False

    def start(self, setting: Setting) -> Measure:
        return _Differing()


class _Differing:
    def __init__(self) -> None:
        self._off: dict[int, float] = {}
        self._bright: dict[int, float] = {}

    def push(self, step: Step) -> None:
        self._off[step.frame] = float(self.heat(step).mean()) * 255
        self._bright[step.frame] = float(step.result.luma.mean()) * 255

    def heat(self, step: Step) -> Plane:
        return np.abs(step.result.luma - step.source.luma)

    def finish(self) -> Sequence[Score]:
        return [
            Score(name=name, value=sum(series.values()) / len(series), series=series)
            for name, series in (("differs", self._off), ("bright", self._bright))
        ]


class Alike:
    """Where higher is better, and one that nothing is known of."""

    figures = (
        Definition(name="alike", title="Alike", unit="", better="higher", ideal=1.0, variant="1 - difference / 255."),
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


DIFFERS, ALIKE = Differs(), Alike()


@contextmanager
def plain_metrics() -> Generator[None]:
    """These are all metrics there are."""
    entries = tuple(
        Entry(name=name, summary=name, target=f"{__name__}:{name.upper()}") for name in ("differs", "alike")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vedit.registry.metrics._METRICS", entries)
        metrics.cache_clear()
        yield
    metrics.cache_clear()


def moving(count: int, *, height: int = 72, width: int = 96) -> list[Picture]:
    """Frames of a soft pattern that moves to the right, (height, width, 3), around a grey of 110."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin((columns - t) / 9) * np.cos(rows / 7) for t in range(count)]
    return [np.repeat(np.rint(110 + 60 * wave).astype(np.uint8)[..., None], 3, axis=2) for wave in waves]


def save_clip(path: Path, frames: Sequence[Picture], rate: Fraction = Fraction(25)) -> Path:
    """Frames as a file that keeps every bit of them."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path
