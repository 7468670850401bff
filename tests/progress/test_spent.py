"""Seconds and memory of stages: nested ones by themselves, and nothing where no one asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vedit.progress.spent import Profile, each_spent_on, profiled, resident_bytes, spending, spent_on


class Machine:
    """A clock, and memory in use, that tests turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held = 100 * 2**20
        self.on_device: int | None = None

    def work(self, seconds: float) -> None:
        self.now += seconds

    def profile(self) -> Profile:
        return Profile(clock=lambda: self.now, resident=lambda: self.held, device=lambda: self.on_device)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def seconds(profile: Profile) -> dict[str, float]:
    return {one.stage: one.seconds for one in profile.stages}


def test_a_stage_within_another_is_not_the_others(machine: Machine) -> None:
    @spent_on("flow")
    def inner() -> str:
        machine.work(3)
        return "found"

    with profiled(machine.profile()) as profile:
        machine.work(1)
        with spending("steady"):
            machine.work(2)
            assert inner() == "found"
            machine.work(4)
        inner()
    assert seconds(profile) == {"steady": 6, "flow": 6, "rest": 1}
    assert [one.share for one in profile.stages] == pytest.approx([6 / 13, 6 / 13, 1 / 13])


def test_what_fails_is_left_too(machine: Machine) -> None:
    with profiled(machine.profile()) as profile:
        with pytest.raises(ValueError, match="no"), spending("sample"):
            machine.work(2)
            raise ValueError("no")
        machine.work(1)
    assert seconds(profile) == {"sample": 2, "rest": 1}


def test_items_are_spent_on_as_they_come_and_not_as_they_are_used(machine: Machine) -> None:
    def frames() -> Iterator[int]:
        for number in range(3):
            machine.work(1)
            yield number

    with profiled(machine.profile()) as profile:
        for _ in each_spent_on("read", frames()):
            machine.work(10)
    assert seconds(profile) == {"read": 3, "rest": 30}


def test_memory_is_the_most_of_each_stage(machine: Machine) -> None:
    mega = 2**20
    with profiled(machine.profile()) as profile:
        with spending("load"):
            machine.held, machine.on_device = 300 * mega, 40 * mega
            profile.look()
            machine.held = 200 * mega
        machine.on_device = 10 * mega
        with spending("sample"):
            machine.held = 250 * mega
    told = {one.stage: (one.memory_bytes, one.device_bytes) for one in profile.stages}
    assert told["load"] == (300 * mega, 40 * mega)
    assert told["sample"] == (250 * mega, 10 * mega)


def test_the_table(machine: Machine) -> None:
    with profiled(machine.profile()) as profile, spending("sample"):
        machine.work(1.5)
    lines = str(profile).splitlines()
    assert [line.split() for line in lines] == [
        ["stage", "seconds", "share", "memory"],
        ["sample", "1.50", "100.0", "%", "100", "MB"],
        ["rest", "0.00", "0.0", "%", "100", "MB"],
        ["all", "1.50", "100.0", "%", "100", "MB"],
    ]
    assert len(set(map(len, lines))) == 1
    machine.on_device = 2**20
    assert str(profile).splitlines()[0].endswith("device memory")


def test_nothing_is_noted_where_no_one_asks(machine: Machine) -> None:
    profile = machine.profile()
    with spending("sample"):
        machine.work(1)
    assert list(each_spent_on("read", [1, 2])) == [1, 2]
    assert "sample" not in seconds(profile)


def test_this_process_holds_something() -> None:
    held = resident_bytes()
    assert held is None or held > 2**20
    with profiled() as profile, spending("sample"):
        pass
    assert {one.stage for one in profile.stages} == {"sample", "rest"}
