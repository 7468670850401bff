"""How much of a whole command is done, and how long the rest will take: its stages, weighed by what they cost.

What each stage is expected to take is known beforehand (`vedit.render.costs`); as stages run, what they did take
corrects it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from vedit.progress.callbacks import OnProgress, Progress, ignore_progress

_TRUST = 0.05
"""The part of a stage after which what it took counts as much as what was expected of it."""
_TRUST_SECONDS = 0.5
"""The same in seconds, for stages that are short."""
_HALF_LIFE = 120.0
"""Seconds of a stage's time after which what it took counts half: a machine is busier at some times than at others."""
_UNKNOWN = 1.0
"""Seconds of a step of which nothing is known."""
_ALMOST = 0.999
"""The share of what is not yet finished, at most."""


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Some steps of a stage that are expected to take equally long each.

    Attributes:
        steps: how many, in the stage's own counting.
        seconds: all of them together.
        kept: an earlier run has done them: they count as done, and take no time.
    """

    steps: float
    seconds: float
    kept: bool = False


Expected = Mapping[str, Sequence[Leg]]
"""Stages in the order in which a frame passes them, and the legs of each from its first step to its last."""


def evenly(steps: int, weights: Mapping[str, float]) -> Expected:
    """Stages of as many steps each, of which nothing is known but what a step takes beside one of another stage."""
    return {name: [Leg(steps=steps, seconds=steps * weight * _UNKNOWN)] for name, weight in weights.items()}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a stage has taken, and what was expected of the steps that it took it for."""

    seconds: float
    expected: float


class Course:
    """Passes on the steps of a command with its overall share and the time that is left.

    Args:
        on_progress: told of every step, with both in it.
        clock: seconds.
    """

    def __init__(
        self, on_progress: OnProgress = ignore_progress, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_progress, self._clock = on_progress, clock
        self._stages: dict[str, _Stage] = {}
        self._last = clock()
        self._share = 0.0

    def expect(self, expected: Expected, *, anew: bool = False) -> None:
        """What is known of the stages now, in place of what was known before.

        Args:
            expected: all stages of the command, those that are done too.
            anew: they begin again, what they have done is for nothing; else it stays done.
        """
        before = {} if anew else self._stages
        self._stages = {name: _Stage(legs, before.get(name)) for name, legs in expected.items()}

    def __call__(self, step: Progress) -> None:
        now = self._clock()
        seconds, self._last = now - self._last, now
        if step.stage in self._stages:
            part = min(step.done / max(step.total, 1), 1.0)
            self._stages[step.stage].book(seconds, part)
            for name, earlier in self._stages.items():
                if name == step.stage:
                    break
                # A frame has passed them; where they told nothing of it, it was not on this run's time.
                earlier.skip_to(part)
        share, left = self._whole()
        self._on_progress(replace(step, share=share, seconds_left=left))

    @property
    def taken(self) -> Mapping[str, Taken]:
        """What the stages have taken so far, without what earlier runs have done."""
        return {name: Taken(seconds=stage.seconds, expected=stage.expected) for name, stage in self._stages.items()}

    def _whole(self) -> tuple[float | None, float | None]:
        """The share that is done, and the seconds that are left."""
        stages = tuple(self._stages.values())
        if not stages:
            return None, None
        usual = _pace(stages)
        paces = [stage.pace(usual) for stage in stages]
        whole = sum(stage.whole * pace for stage, pace in zip(stages, paces, strict=True))
        done = sum((stage.whole - stage.due) * pace for stage, pace in zip(stages, paces, strict=True))
        finished = all(stage.part >= 1 for stage in stages)
        share = 1.0 if finished else min(done / whole, _ALMOST) if whole > 0 else 0.0
        self._share = max(self._share, share)
        return self._share, sum(stage.due * pace for stage, pace in zip(stages, paces, strict=True))


class _Stage:
    """Where a stage is among its legs.

    Args:
        legs: from its first step to its last.
        before: the same stage while something else was expected of it.
    """

    def __init__(self, legs: Sequence[Leg], before: _Stage | None) -> None:
        self._legs = [leg for leg in legs if leg.steps > 0]
        steps = sum(leg.steps for leg in self._legs)
        self._ends = [end / steps for end in accumulate(leg.steps for leg in self._legs)]
        self.whole = sum(leg.seconds for leg in self._legs)
        """Seconds expected of all steps, those that are kept too."""
        self._timed = self._until(1.0)
        self.part = 0.0
        """How much of its steps is done."""
        self.seconds = self.expected = 0.0
        """What it has taken, and what was expected of the steps that it took it for."""
        self._recent = (0.0, 0.0)
        """Both, the older the less."""
        if before is not None:
            self.part = before.part
            known = before._until(self.part)
            ratio = self._until(self.part) / known if known > 0 else 0.0
            self.seconds, self.expected = before.seconds, before.expected * ratio
            self._recent = (before._recent[0], before._recent[1] * ratio)

    @property
    def due(self) -> float:
        """Seconds expected of the steps that are left."""
        return max(self._timed - self._until(self.part), 0.0)

    @property
    def recent(self) -> tuple[float, float]:
        """Seconds taken and seconds expected, the older the less."""
        return self._recent

    def book(self, seconds: float, part: float) -> None:
        """So much more time has led to `part` of the steps."""
        before = self._until(self.part)
        self.part = max(self.part, part)
        expected = self._until(self.part) - before
        self.seconds += seconds
        self.expected += expected
        faded = 0.5 ** (seconds / _HALF_LIFE)
        self._recent = (self._recent[0] * faded + seconds, self._recent[1] * faded + expected)

    def skip_to(self, part: float) -> None:
        """The steps up to `part` are done, and what they took is not known."""
        self.part = max(self.part, part)

    def pace(self, usual: float) -> float:
        """How many times as long as expected it takes: the usual where little of it is done."""
        return _weighed(self._recent, self.whole, self.seconds, usual)

    def _until(self, part: float) -> float:
        """Seconds expected of the steps up to `part` that are not kept."""
        found = start = 0.0
        for leg, end in zip(self._legs, self._ends, strict=True):
            if part <= start:
                break
            if not leg.kept:
                found += leg.seconds * (min(part, end) - start) / (end - start)
            start = end
        return found


def _pace(stages: Sequence[_Stage]) -> float:
    """How many times as long as expected the stages take that have run."""
    recent = (sum(stage.recent[0] for stage in stages), sum(stage.recent[1] for stage in stages))
    return _weighed(recent, sum(stage.whole for stage in stages), sum(stage.seconds for stage in stages), 1.0)


def _weighed(recent: tuple[float, float], whole: float, seconds: float, usual: float) -> float:
    """What took recent[0] in place of recent[1] seconds, and the less of that there is, the usual, which fades too."""
    trust = (_TRUST * whole + _TRUST_SECONDS) * 0.5 ** (seconds / _HALF_LIFE)
    return (recent[0] + trust * usual) / max(recent[1] + trust, 1e-9)


class Overall:
    """The steps of several renders, one after another, as those of one command.

    Args:
        on_progress: told of every step, with the share and the time left of all renders together.
        weights: seconds that each is expected to take, in their order.
        kept: numbers, from 1, of those that need not be made: they count as done.
        clock: seconds.
    """

    def __init__(
        self,
        on_progress: OnProgress,
        weights: Sequence[float],
        *,
        kept: Collection[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_progress, self._clock = on_progress, clock
        self._weights = dict(enumerate(weights, start=1))
        self._done = set(kept)
        self._share = 0.0
        self._began = clock()
        self._made = 0.0

    def of(self, number: int, *, before: int, count: int, total: int) -> OnProgress:
        """What a render reports its progress to.

        Args:
            number: of the render, from 1.
            before: frames of the renders that are made before it.
            count: frames of it.
            total: frames of all renders that are made.
        """

        def report(step: Progress) -> None:
            share, left = self._whole(number, step)
            done = before + step.done * count // max(step.total, 1)
            self._on_progress(
                Progress(
                    stage=step.stage,
                    done=done,
                    total=total,
                    shot=number,
                    shots=len(self._weights),
                    share=share,
                    seconds_left=left,
                )
            )

        return report

    def end(self, number: int) -> None:
        """A render is there."""
        if number not in self._done:
            self._made += self._weights[number]
            self._done.add(number)

    def _whole(self, number: int, step: Progress) -> tuple[float | None, float | None]:
        if step.share is None:
            return None, None
        own, whole = self._weights[number], sum(self._weights.values())
        done = sum(self._weights[one] for one in self._done) + step.share * own
        self._share = max(self._share, done / whole if whole > 0 else 0.0)
        if step.seconds_left is None:
            return self._share, None
        # The others take as much of what is expected of them as those until now and this one do.
        pace = (self._clock() - self._began + step.seconds_left) / max(self._made + own, 1e-9)
        later = sum(weight for one, weight in self._weights.items() if one not in self._done and one != number)
        return self._share, step.seconds_left + later * pace
