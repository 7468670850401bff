"""The most like token, and the weights of two keys around a frame, in closed form."""

from __future__ import annotations

import pytest
import torch

from vedit.diffusion import nearest
from vedit.diffusion.nearest import around, nearest_tokens, nearest_with_likeness


def test_a_permutation_is_found_whatever_the_lengths_of_states(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(37, 16, generator=draw)
    order = torch.randperm(37, generator=draw)
    scaled = states[order] * torch.rand(37, 1, generator=draw).add(0.1)
    tokens, likeness = nearest_with_likeness(scaled, states)
    assert torch.equal(tokens, order)
    torch.testing.assert_close(likeness, torch.ones(37))
    monkeypatch.setattr(nearest, "ROWS", 5)
    assert torch.equal(nearest_tokens(scaled, states), order)


def test_a_frame_is_its_own_nearest_one() -> None:
    states = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(nearest_tokens(states, states), torch.arange(64))


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (2, ((0, 0.75), (1, 0.25))),
        (4, ((0, 0.5), (1, 0.5))),
        (0, ((0, 1.0),)),
        (8, ((1, 1.0),)),
        (12, ((2, 1.0),)),
        (-1, ((0, 1.0),)),
    ],
)
def test_keys_weigh_by_how_near_they_are_and_one_stands_for_itself(
    number: int, taken: tuple[tuple[int, float], ...]
) -> None:
    assert around(number, [0, 8, 10]) == taken
