"""Frames that are worked on side by side come in order, and one that fails is heard of in its turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from vedit import threads
from vedit.threads import each_on_a_thread


@pytest.fixture(params=[1, 3])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(threads, "threads", lambda: request.param)
    return request.param


def test_results_come_in_the_order_of_the_items(several: int) -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if several > 1:
            # The first is the last to be done.
            assert first_may_end.wait(10) if number == 0 else True
            if number == several - 1:
                first_may_end.set()
        return number * number

    assert list(each_on_a_thread(work, range(20))) == [number * number for number in range(20)]


def test_no_more_items_are_asked_for_than_are_worked_on(several: int) -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    for done, _ in enumerate(each_on_a_thread(abs, items()), start=1):
        assert len(asked) <= done + several


def test_what_fails_is_raised_in_its_turn_and_nothing_more_is_begun(several: int) -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    done = each_on_a_thread(lambda number: 1 // (3 - number), items())
    assert [next(done) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(done)
    assert len(asked) <= 4 + several


@pytest.mark.usefixtures("several")
def test_what_has_to_be_alone_stays_on_the_caller_s_thread() -> None:
    seen = each_on_a_thread(lambda _: threading.get_ident(), range(5), alone=True)
    assert set(seen) == {threading.get_ident()}
