"""Texture anchoring: does what was drawn ride on the scene, or stay on the screen like dirt on a shower door?"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Literal, get_args

import cv2
import numpy as np

from vedit.evaluation.adding import LEAST_SHARE, Kept, Ratio
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.motion import LAG, grid
from vedit.evaluation.texture import FLAT_LEVELS, flat, mean, window

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.definition import Better
    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Picture, Plane

    Marks = npt.NDArray[np.bool_]

RIDES = 0.3
"""Correlation of the source's own detail with itself along the flow from which the flow is believed."""
WHOLE = 0.99
"""Of a mask, from which on a pixel is the result's alone."""
DRAWN_LEVELS = 0.5
"""Of 255: less is not drawn, but the noise of an encoding."""
_NOISE = 1 / 255
"""Luma of the source's detail that is taken for noise when the result is held against it."""

Kind = Literal["textured", "flat"]
Place = Literal["scene", "screen"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _definition(name: str, title: str, better: Better, *, kind: Kind, place: Place) -> Definition:
    where = "luma of the source deviates by less than" if kind == "flat" else "luma of the source deviates by at least"
    how = "moved along the source's flow, bicubic" if place == "scene" else "left in place"
    return Definition(
        name=name,
        title=title,
        unit="",
        better=better,
        ideal=None,
        variant=(
            f"normalised correlation of what was drawn with itself {LAG} frames earlier, {how}, all frames together, "
            f"over pixels where {where} {FLAT_LEVELS} of 255 within four sigmas, that are seen in all frames between "
            "and moved by more than sigma; drawn is fine luma (minus its Gaussian, sigma 3/256 of the shorter side) of "
            "the result minus its local linear regression on the source's (guided filter, box of eight sigmas, noise "
            "of 1 level); of the source itself it is the fine luma. Under a mask only pixels count whose whole box may "
            "change, now and then. Nothing is said where the source's own correlates "
            f"by less than {RIDES} along the flow"
        ),
        paper='"shower door effect": Meier, "Painterly Rendering for Animation", 1996; the measure is vedit\'s',
        places=2,
    )


_SCENE = _definition("anchoring", "Texture rides on the scene", "higher", kind="textured", place="scene")
_SCREEN = _definition("anchoring_screen", "Texture stays on the screen", "lower", kind="textured", place="screen")
_FLAT = _definition("anchoring_flat", "In flat parts, rides on the scene", "higher", kind="flat", place="scene")
_FLAT_SCREEN = _definition(
    "anchoring_flat_screen", "In flat parts, stays on the screen", "lower", kind="flat", place="screen"
)
_LEVELS = Definition(
    name="drawn_levels",
    title="How strong what was drawn is",
    unit="levels",
    better="neither",
    ideal=None,
    variant="root mean square of what was drawn, as `anchoring` has it, over all pixels of all frames, of 255",
    places=1,
)


class _Anchoring:
    figures = (_SCENE, _SCREEN, _FLAT, _FLAT_SCREEN, _LEVELS)
    quick = False
    whole_shot = False

    def start(self, setting: Setting) -> _Measure:
        return _Measure()


METRIC = _Anchoring()


def drawn(source: Picture, result: Picture) -> Plane:
    """(h, w): what a result's fine luma has beyond the source's, however strongly it shows that.

    The rest of a guided filter: He et al., "Guided Image Filtering", 2013, the result filtered under the source.
    """
    if result is source:
        return source.fine
    side = 2 * window(source) - 1  # wide enough that strokes which only happen to lie by the source's are no match
    guide, fine = source.fine, result.fine
    middle, level = mean(guide, side), mean(fine, side)
    spread = mean(guide * guide, side) - middle * middle + np.float32(_NOISE**2)
    slope = np.asarray((mean(guide * fine, side) - middle * level) / spread, np.float32)
    offset = np.asarray(level - slope * middle, np.float32)
    return np.asarray(fine - (mean(slope, side) * guide + mean(offset, side)), np.float32)


class _Sums:
    """Of a correlation: the products, and the squares of both."""

    def __init__(self) -> None:
        self.both = self.here = self.there = 0.0
        self.count = 0
        self.series: dict[int, float] = {}

    def add(self, frame: int, here: Plane, there: Plane) -> None:
        sums = [float(np.vdot(*pair)) for pair in ((here, there), (here, here), (there, there))]
        self.both, self.here, self.there = self.both + sums[0], self.here + sums[1], self.there + sums[2]
        self.count += here.size
        if sums[1] * sums[2] > 0:
            self.series[frame] = sums[0] / sqrt(sums[1] * sums[2])

    @property
    def value(self) -> float | None:
        return self.both / sqrt(self.here * self.there) if self.here * self.there > 0 else None

    @property
    def levels(self) -> float:
        """Root mean square, of 255."""
        return 255 * sqrt(self.here / self.count) if self.count else 0.0


class _Measure:
    def __init__(self) -> None:
        self._drawn = Kept(lambda step: drawn(step.source, step.result))
        self._scene = {kind: _Sums() for kind in KINDS}
        self._screen = {kind: _Sums() for kind in KINDS}
        self._own = {kind: _Sums() for kind in KINDS}
        self._energy = Ratio()
        self._pairs, self._itself = 0, False

    def push(self, step: Step) -> None:
        here, inside = self._drawn.push(step), _inside(step)
        changing = here if inside is None else here[inside]
        self._energy.add(step.frame, float(np.vdot(changing, changing)), changing.size)
        earlier = step.back(LAG)
        if earlier is None:
            return
        self._pairs += 1
        self._itself = step.is_source
        there, path = self._drawn.back(LAG), step.motion.path(LAG)
        moved = _moved(step, earlier)
        plain = flat(step.source)
        kinds = {"textured": moved & ~plain, "flat": moved & plain}
        if not any(_enough(marks) for marks in kinds.values()):
            return
        laid = path.lay(there, cubic=True)
        own = path.lay(earlier.source.fine, cubic=True)
        for kind in KINDS:
            marks = kinds[kind]
            if _enough(marks):
                drawn_here = here[marks]
                self._scene[kind].add(step.frame, drawn_here, laid[marks])
                self._screen[kind].add(step.frame, drawn_here, there[marks])
                self._own[kind].add(step.frame, step.source.fine[marks], own[marks])

    def finish(self) -> tuple[Score, ...]:
        scores: list[Score] = []
        for kind, definitions in zip(KINDS, ((_SCENE, _SCREEN), (_FLAT, _FLAT_SCREEN)), strict=True):
            why = self._why(kind)
            for definition, sums in zip(definitions, (self._scene[kind], self._screen[kind]), strict=True):
                value = None if why else sums.value
                scores.append(Score(name=definition.name, value=value, why=why, series={} if why else sums.series))
        levels = 255 * sqrt(self._energy.value or 0)
        series = {frame: 255 * sqrt(square) for frame, square in self._energy.series.items()}
        return (*scores, Score(name=_LEVELS.name, value=levels, series=series))

    def heat(self, step: Step) -> Plane | None:
        """Luma that agrees with what was in the same place, and not with what was there on the scene."""
        earlier = step.back(LAG)
        if earlier is None:
            return None
        here, there = (drawn(one.source, one.result) for one in (step, earlier))
        side = window(step.source)
        on_screen = mean(here * there, side)
        on_scene = mean(here * step.motion.path(LAG).lay(there, cubic=True), side)
        stuck = np.sqrt(np.maximum(on_screen - np.maximum(on_scene, 0), 0)) * _moved(step, earlier)
        return np.asarray(stuck, np.float32)

    def _why(self, kind: Kind) -> str:
        """Nothing can be said; empty where something can."""
        if not self._pairs:
            return f"no shot has {LAG + 1} frames"
        own = self._own[kind].value
        if own is None:
            return f"no {kind} part moves far enough within {LAG} frames and stays in sight"
        if self._itself:
            return ""
        if own < RIDES:
            return f"in {kind} parts the source's own detail does not ride on the flow ({own:.2f}): nothing is told"
        if self._scene[kind].levels < DRAWN_LEVELS:
            return f"nothing was drawn in {kind} parts ({self._scene[kind].levels:.1f} levels)"
        return ""


def _moved(step: Step, earlier: Step) -> Marks:
    """Pixels that moved by more than the fine band's sigma, and were seen all the while; of a masked result those that
    were well inside the mask too, whose edge is drawn on the screen because it was asked for there."""
    path = step.motion.path(LAG)
    way = path.positions - grid(*path.seen.shape)
    moved = path.seen & np.asarray((way * way).sum(axis=2) > step.source.sigma**2)
    here, there = _inside(step), _inside(earlier)
    if here is None or there is None:
        return moved
    return moved & here & there & (path.lay(there.astype(np.float32)) > 0.5)


def _inside(step: Step) -> Marks | None:
    """Pixels around which all that the regression looks at may change; None where there is no mask."""
    if step.mask is None:
        return None
    side = 2 * window(step.source) - 1
    return np.asarray(cv2.erode(step.mask, np.ones((side, side), np.uint8))) >= WHOLE


def _enough(marks: Marks) -> bool:
    return bool(np.count_nonzero(marks) >= LEAST_SHARE * marks.size)
