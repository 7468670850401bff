"""How much of a command is done and how long the rest takes: by what is expected of its stages, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from vedit.progress.callbacks import Progress
from vedit.progress.course import Course, Expected, Leg, Overall, evenly


class Watched:
    """A course whose clock is set by hand."""

    def __init__(self, expected: Expected) -> None:
        self.now = 100.0
        self.told: list[Progress] = []
        self.course = Course(self.told.append, clock=lambda: self.now)
        self.course.expect(expected)

    def after(self, seconds: float, stage: str, done: int, total: int) -> Progress:
        """A step, so long after the one before."""
        self.now += seconds
        self.course(Progress(stage=stage, done=done, total=total))
        return self.told[-1]

    def through(self, stage: str, steps: int, each: float) -> None:
        """All steps of a stage, each as long."""
        for done in range(1, steps + 1):
            self.after(each, stage, done, steps)

    @property
    def shares(self) -> list[float]:
        """As they were told."""
        return [step.share for step in self.told if step.share is not None]


def stages(**seconds: float) -> Expected:
    """Stages of ten steps each that are expected to take so long."""
    return {name: [Leg(steps=10, seconds=each)] for name, each in seconds.items()}


def test_what_takes_as_long_as_expected_goes_evenly() -> None:
    watched = Watched(stages(shots=1, sample=7, write=2))
    for name, each in (("shots", 0.1), ("sample", 0.7), ("write", 0.2)):
        watched.through(name, 10, each)
    assert watched.shares[9] == pytest.approx(0.1)
    assert watched.shares[19] == pytest.approx(0.8)
    assert watched.shares[-1] == 1.0
    gone = 0.0
    for step, each in zip(watched.told, [0.1] * 10 + [0.7] * 10 + [0.2] * 10, strict=True):
        gone += each
        assert step.seconds_left == pytest.approx(10 - gone, abs=1e-9)


@pytest.mark.parametrize("slower", [0.2, 0.5, 2, 6])
def test_a_machine_of_another_speed_is_found_out(slower: float) -> None:
    watched = Watched(stages(sample=80, write=20))
    watched.through("sample", 10, 8 * slower)
    left = watched.told[4].seconds_left
    # Half of the sampling and all of the writing, of which only this machine's sampling is known.
    assert left == pytest.approx(60 * slower, rel=0.2)
    assert watched.shares == sorted(watched.shares)


def test_a_stage_of_another_speed_is_not_taken_for_that_of_the_others() -> None:
    watched = Watched(stages(shots=1, sample=100, write=100))
    watched.through("shots", 10, 1.0)
    left = watched.told[-1].seconds_left
    assert left is not None
    assert 200 < left < 2.5 * 200, "ten times as slow was a stage that says little"
    watched.through("sample", 10, 10.0)
    watched.through("write", 10, 30.0)
    assert watched.shares == sorted(watched.shares)
    halfway = watched.told[-6].seconds_left
    assert halfway == pytest.approx(150, rel=0.1)


def test_what_earlier_runs_have_done_counts_as_done_and_takes_no_time() -> None:
    legs = [Leg(steps=5, seconds=50, kept=True), Leg(steps=5, seconds=50)]
    watched = Watched({"sample": legs, "write": [Leg(steps=10, seconds=10)]})
    first = watched.after(0, "sample", 0, 10)
    assert first.share == pytest.approx(50 / 110)
    assert first.seconds_left == pytest.approx(60)
    kept = watched.after(0.01, "sample", 5, 10)
    assert kept.share == pytest.approx(50 / 110, abs=0.01)
    # Five steps in no time are no speed.
    assert kept.seconds_left == pytest.approx(60, rel=0.01)
    watched.after(10, "sample", 6, 10)
    assert watched.told[-1].seconds_left == pytest.approx(50, rel=0.01)


def test_kept_work_at_the_end_counts_from_the_start() -> None:
    legs = [Leg(steps=5, seconds=50), Leg(steps=5, seconds=50, kept=True)]
    watched = Watched({"sample": legs})
    assert watched.after(0, "sample", 0, 10).share == pytest.approx(0.5)
    assert watched.after(50, "sample", 5, 10).seconds_left == pytest.approx(0)


def test_a_stage_that_tells_nothing_is_passed_by_those_behind_it() -> None:
    watched = Watched(stages(invert=50, sample=50))
    # Inversions of an earlier render are read, not made.
    watched.after(5, "sample", 5, 10)
    assert watched.told[-1].share == pytest.approx(0.5)
    assert watched.course.taken["invert"].expected == 0


def test_what_is_learnt_later_changes_what_is_left_and_nothing_falls() -> None:
    watched = Watched(stages(index=1, sample=9))
    watched.through("index", 10, 0.1)
    watched.course.expect(stages(index=1, shots=2, sample=97))
    watched.after(0.2, "shots", 1, 10)
    assert watched.told[-1].seconds_left == pytest.approx(98.8, rel=0.02)
    assert watched.shares[-1] == pytest.approx(0.1), "it has been said"
    assert watched.shares == sorted(watched.shares)


def test_what_begins_again_has_all_of_it_before_it() -> None:
    watched = Watched(stages(sample=100))
    watched.through("sample", 9, 10)
    watched.course.expect(stages(sample=100), anew=True)
    again = watched.after(10, "sample", 1, 10)
    assert again.seconds_left == pytest.approx(90)
    assert again.share is not None
    assert again.share >= 0.9


def test_what_is_not_expected_tells_no_share() -> None:
    watched = Watched({})
    step = watched.after(1, "sample", 1, 2)
    assert (step.share, step.seconds_left) == (None, None)
    watched.course.expect(stages(write=10))
    assert watched.after(1, "other", 1, 2).share == 0.0


def test_nothing_is_whole_before_its_end() -> None:
    watched = Watched(stages(sample=1e6, verify=1e-6))
    watched.through("sample", 10, 1e5)
    share = watched.told[-1].share
    assert share is not None
    assert share < 1
    assert watched.after(1, "verify", 10, 10).share == 1.0


def test_the_speed_of_an_hour_ago_is_forgotten() -> None:
    watched = Watched({"sample": [Leg(steps=7200, seconds=7200)]})
    for done in range(1, 3601):
        watched.after(1, "sample", done, 7200)
    # Something else begins to run beside it.
    for done in range(3601, 3801):
        watched.after(4, "sample", done, 7200)
    assert watched.told[-1].seconds_left == pytest.approx(4 * 3400, rel=0.25)


def test_even_stages() -> None:
    expected = evenly(20, {"depth": 1.0, "canny": 0.5})
    assert [leg.steps for legs in expected.values() for leg in legs] == [20, 20]
    watched = Watched(expected)
    watched.through("depth", 20, 3)
    assert watched.told[-1].share == pytest.approx(2 / 3, rel=0.05)
    watched.through("canny", 20, 0.1)
    assert watched.told[-1].share == 1.0


Steps = Iterable[tuple[float, float]]


@pytest.fixture
def timeline() -> Callable[[Steps, list[float], list[int]], list[Progress]]:
    """((share, seconds left) of a first render's steps, ten seconds apart; weights; kept) -> what is told of all."""

    def told(steps: Steps, weights: list[float], kept: list[int]) -> list[Progress]:
        now, found = [0.0], list[Progress]()
        overall = Overall(found.append, weights, kept=kept, clock=lambda: now[0])
        first = next(number for number in range(1, len(weights) + 1) if number not in kept)
        report = overall.of(first, before=0, count=10, total=20)
        for share, left in steps:
            now[0] += 10
            report(Progress(stage="write", done=int(10 * share), total=10, share=share, seconds_left=left))
        return found

    return told


def test_renders_one_after_another_are_one_command(
    timeline: Callable[[Steps, list[float], list[int]], list[Progress]],
) -> None:
    told = timeline([(0.5, 10), (1.0, 0)], [10, 30], [])
    assert [step.share for step in told] == pytest.approx([0.125, 0.25])
    # It takes twice what was expected of it, and so will the other.
    assert [step.seconds_left for step in told] == pytest.approx([10 + 60, 60])
    assert [(step.done, step.total, step.shot, step.shots) for step in told] == [(5, 20, 1, 2), (10, 20, 1, 2)]


def test_renders_that_are_there_count_as_done(
    timeline: Callable[[Steps, list[float], list[int]], list[Progress]],
) -> None:
    told = timeline([(0.5, 10)], [10, 20, 30], [1, 3])
    assert told[0].share == pytest.approx((40 + 10) / 60)
    assert told[0].seconds_left == pytest.approx(10)
