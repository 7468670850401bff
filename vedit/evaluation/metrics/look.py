"""Whether a result of the embedded model wears the look that was asked for, and no other.

The pictures that the model was taught are not in the package. Statistics of them are (`look_statistics.json`): where
each look lies by `vedit.evaluation.look_features`, and how far its pictures lie around it: a linear discriminant with
one covariance for all looks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import ModelError
from vedit.evaluation import look_features
from vedit.evaluation.definition import Definition
from vedit.evaluation.tally import Tally, changing, spread
from vedit.models.resolve import resolve
from vedit.models.source import DEFAULT

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Setting, Step

STATISTICS = Path(look_features.__file__).with_name("look_statistics.json")
FRAMES = 12
"""At most, of a clip."""
_SHOWN = 3
_HOW = (
    "of 67 numbers of source and result (colours in fifths of the source's brightness, bands of fine detail, outlines, "
    "repetition) at a shorter side of 256, mean over at most 12 frames evenly spread over the clip"
)

FIGURES = (
    Definition(
        name="look_rank",
        title="Asked look's place among the model's looks",
        unit="",
        better="lower",
        ideal=None,
        variant=(
            f"1 where the result is nearer to the pictures that taught the asked look than to those of any other, by "
            f"the distance look_distance; {_HOW}. For results of the embedded model whose prompt names one look"
        ),
        paper="Fisher, The Use of Multiple Measurements in Taxonomic Problems, 1936",
        places=0,
    ),
    Definition(
        name="look_distance",
        title="Distance to the asked look",
        unit="spreads",
        better="lower",
        ideal=None,
        variant=(
            "distance to the mean of the pictures that taught the asked look, in root mean square deviations of such "
            f"pictures (their own have about 0.8, 9 of 10 below 1.4), along 24 discriminant directions; {_HOW}"
        ),
        places=2,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Where looks lie."""

    names: tuple[str, ...]
    middle: np.ndarray
    """(67,)."""
    directions: np.ndarray
    """(67, D): to where the pictures of a look have a covariance of 1."""
    places: np.ndarray
    """(looks, D)."""

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(looks): of features (67,), in root mean square deviations."""
        place = (features - self.middle) @ self.directions
        return np.sqrt(np.square(place - self.places).mean(axis=1))


class Look:
    """The metric."""

    figures = FIGURES
    quick = False
    whole_shot = False

    def start(self, setting: Setting) -> LookMeasure:
        return LookMeasure(setting)


class LookMeasure:
    """The metric at work."""

    def __init__(self, setting: Setting) -> None:
        self._asked, why = asked_look(setting)
        self._frames = spread(setting.shots, FRAMES)
        self._rank, self._distance = (Tally(figure.name, why) for figure in FIGURES)
        self._total = np.zeros(look_features.COUNT)

    def push(self, step: Step) -> None:
        if self._asked is None or step.frame not in self._frames:
            return
        inside = changing(step)
        if inside is not None and not inside.all():
            self._rank.nothing = self._distance.nothing = "only a part of the picture wears the look"
            return
        pictures = (look_features.to_side(picture.rgb) for picture in (step.source, step.result))
        features = look_features.look_features(*pictures)
        self._total += features
        distances = statistics().distances(features)
        self._distance.add(step.frame, float(distances[self._asked]))
        self._rank.add(step.frame, 1 + int((distances < distances[self._asked]).sum()))

    def finish(self) -> tuple[Score, ...]:
        if self._asked is None or not self._rank.series:
            return self._rank.score(), self._distance.score()
        known = statistics()
        distances = known.distances(self._total / len(self._rank.series))
        nearest = ", ".join(known.names[number] for number in np.argsort(distances)[:_SHOWN])
        rank = 1 + int((distances < distances[self._asked]).sum())
        why = f"of {len(known.names)}; nearest: {nearest}"
        return self._rank.score_of(rank, why), self._distance.score_of(float(distances[self._asked]), why)


METRIC = Look()


def asked_look(setting: Setting) -> tuple[int | None, str]:
    """The place in the statistics of the look that was asked for; None, and why."""
    if setting.model != DEFAULT:
        return None, f"looks are known of the model {DEFAULT} alone"
    if len(setting.prompts) != 1:
        return None, "several prompts were asked for" if setting.prompts else "no prompt was given"
    try:
        known = resolve(DEFAULT).vocabulary
    except ModelError as error:
        return None, str(error)
    look = known.named_alone(setting.prompts[0]) if known else None
    names = statistics().names
    if look is None or look.name not in names:
        return None, f"the prompt {setting.prompts[0]!r} does not name one look of the model"
    return names.index(look.name), "no frame was looked at"


@cache
def statistics() -> Statistics:
    """Those that ship."""
    told = json.loads(STATISTICS.read_text("utf-8"))
    middle, directions, places = (np.array(told[key], np.float64) for key in ("middle", "directions", "places"))
    return Statistics(names=tuple(told["names"]), middle=middle, directions=directions, places=places)
