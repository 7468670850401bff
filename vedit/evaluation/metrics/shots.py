"""Whether shots share one look: what a colour of the source becomes in one shot, against the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.picture import measuring_size
from vedit.evaluation.tally import changing
from vedit.geometry import resize

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Setting, Step

    Numbers = npt.NDArray[np.float64]

ROWS = 64
"""Squares to the shorter side of a frame, over which colours are averaged: a look's strokes are no colours."""
BOX = 5
"""CIE L*a*b* units to a side of the boxes in which colours of the source are alike."""
_LEAST_OF_BOX, _LEAST_SHARED = 0.001, 0.05
"""Of a shot's squares: a box with fewer of them tells nothing, nor do shots that share fewer."""
_SIDES = (100 // BOX + 1, 256 // BOX + 2, 256 // BOX + 2)
"""Boxes along L*, a* and b*."""
_LOWEST = np.array([0, -128, -128], np.float32)
"""L*, a* and b* of the first box."""
_ALONE, _UNLIKE = "the clip has one shot", "the shots have hardly a colour in common"

_SHARED = (
    f"a shot against all others together: squares of 1/{ROWS} of the shorter side, colours averaged, are sorted by "
    f"their source's CIE L*a*b* (D65, 1976) into boxes of {BOX} units a side; a box counts by the smaller of the two "
    "shares of squares that it holds, and not below 0.1 %"
)
FIGURES = (
    Definition(
        name="shots_colour",
        title="The same colours differ between shots by",
        unit="ΔE",
        better="lower",
        ideal=0.0,
        variant=(
            "length of the difference of the mean changes, result minus source, that a shot and the others make of "
            f"like colours; {_SHARED}; the weighted mean over boxes and shots; inside the mask where there is one. One "
            "look may make two things of one colour: read it beside that of another result"
        ),
        places=2,
    ),
    Definition(
        name="shots_shared",
        title="Colours that shots have in common",
        unit="%",
        better="neither",
        ideal=None,
        variant=f"sum of the smaller shares of the squares; {_SHARED}; mean over shots",
        places=0,
    ),
)


class Shots:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> ShotsMeasure:
        return ShotsMeasure()


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What became of colours: of each box the number of its squares, then the sums of their changes."""

    boxes: npt.NDArray[np.int64]
    """(n,) in order; those that hold any."""
    sums: Numbers
    """(4, n)."""

    def dense(self) -> Numbers:
        """(4, boxes)."""
        found = np.zeros((4, int(np.prod(_SIDES))))
        found[:, self.boxes] = self.sums
        return found


class ShotsMeasure:
    """The metric at work."""

    def __init__(self) -> None:
        self._shots: dict[int, tuple[int, _Table]] = {}
        """Number of a shot -> its first frame, and its table."""

    def push(self, step: Step) -> None:
        inside, size = changing(step), measuring_size(*step.source.size, ROWS)
        before, after = (_lab(resize(picture.rgb, size)) for picture in (step.source, step.result))
        if inside is not None:
            within = resize(inside[..., None].astype(np.float32), size)[..., 0] >= 0.5
            before, after = before[within], after[within]
        before, after = before.reshape(-1, 3), after.reshape(-1, 3)
        places = np.floor((before - _LOWEST) / BOX).astype(np.int64)
        boxes, place = np.unique(np.ravel_multi_index(tuple(places.T), _SIDES, mode="clip"), return_inverse=True)
        sums = [np.bincount(place, weights, len(boxes)) for weights in (None, *(after - before).T)]
        self._add(step, _Table(boxes=boxes, sums=np.stack(sums).astype(np.float64)))

    def _add(self, step: Step, more: _Table) -> None:
        first, table = self._shots.get(step.shot.number, (step.frame, more))
        if table is not more:
            boxes = np.union1d(table.boxes, more.boxes)
            sums = np.zeros((4, len(boxes)))
            for part in (table, more):
                sums[:, np.searchsorted(boxes, part.boxes)] += part.sums
            table = _Table(boxes=boxes, sums=sums)
        self._shots[step.shot.number] = first, table

    def finish(self) -> tuple[Score, ...]:
        whole = sum((table.dense() for _, table in self._shots.values()), np.zeros(()))
        found = {first: apart(table.dense(), whole) for first, table in self._shots.values()}
        colour, shared = FIGURES[0].name, FIGURES[1].name
        if len(found) < 2:
            return Score(name=colour, value=None, why=_ALONE), Score(name=shared, value=None, why=_ALONE)
        common = sum(share for _, share in found.values())
        series = {frame: off / share for frame, (off, share) in found.items() if share >= _LEAST_SHARED}
        shares = Score(
            name=shared,
            value=100 * common / len(found),
            series={frame: 100 * share for frame, (_, share) in found.items()},
        )
        if common < _LEAST_SHARED * len(found):
            return Score(name=colour, value=None, why=_UNLIKE), shares
        return Score(name=colour, value=sum(off for off, _ in found.values()) / common, series=series), shares


METRIC = Shots()


def apart(own: Numbers, whole: Numbers) -> tuple[float, float]:
    """How far a shot's changes are from those of all others.

    Args:
        own: (4, n) of the shot: of each box the number of its squares, then the sums of their changes.
        whole: the same of all shots.

    Returns:
        The sum of lengths, each times what the two share of its box; and the sum of these shares, in [0, 1].
    """
    others = whole - own
    counts = own[0].sum(), others[0].sum()
    if not all(counts):
        return 0.0, 0.0
    shares = np.minimum(own[0] / counts[0], others[0] / counts[1])
    used = shares >= _LEAST_OF_BOX
    changes = [table[1:, used] / table[0, used] for table in (own, others)]
    lengths = np.linalg.norm(changes[0] - changes[1], axis=0)
    return float((shares[used] * lengths).sum()), float(shares[used].sum())


def _lab(rgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2Lab), np.float32)
