"""Key frames: where they lie, and in which order frames go through the network."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from vedit.diffusion.adapters.key_frames import KeyMemory, key_places, keys_around


@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        ([5], (0,)),
        ([5, 6], (0, 1)),
        (range(9), (0, 8)),
        (range(100, 110), (0, 5, 9)),
        (range(24), (0, 8, 15, 23)),
        ([0, *range(20, 30)], (0, 1, 6, 10)),
        ([0, 12, 23], (0, 1, 2)),
    ],
)
def test_keys_lie_evenly_from_the_first_to_the_last(numbers: list[int], places: tuple[int, ...]) -> None:
    assert key_places(list(numbers)) == places
    assert all(after - before <= 8 for before, after in pairwise(places))


def test_keys_come_first_and_what_they_leave_stays_in_their_order() -> None:
    memory = KeyMemory(places=(0, 3, 5), count=6)
    assert (memory.order, memory.keys) == ((0, 3, 5, 1, 2, 4), 3)
    assert [memory.turn(7, count) for count in (2, 1, 2, 1)] == [(0, 3), (5,), (1, 2), (4,)]
    states = torch.arange(3.0).view(3, 1, 1)
    memory.keep(7, states[:2], -states[:2])
    memory.keep(7, states[2:], -states[2:])
    assert [one.flatten().tolist() for one in memory.kept[7]] == [[0, 1, 2], [0, -1, -2]]
    memory.clear()
    assert not memory.kept and memory.turn(7, 1) == (0,)


def test_each_other_frame_lies_between_two_keys_wherever_the_anchor_is() -> None:
    """Of places 0, 1 and 4 the first one lies behind all others in the source."""
    found = keys_around([90, 10, 11, 13, 14], (0, 1, 4))
    assert {place: dict(near) for place, near in found.items()} == {2: {1: 0.75, 2: 0.25}, 3: {1: 0.25, 2: 0.75}}
    assert keys_around([0, 20, 21, 22], (0, 1, 3)) == {2: ((1, 0.5), (2, 0.5))}
