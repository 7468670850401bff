"""Which token of another frame is most like one, and how two frames around a third weigh: pure functions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import torch
import torch.nn.functional as F

ROWS = 1024
"""Tokens that are compared with all of another frame at a time: large layers have ten thousand."""


def nearest_tokens(states: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """For each token the place of the most like one of another frame, by the cosine of their states.

    The nearest-neighbour field of TokenFlow (Geyer et al. 2023, equation 2).

    Args:
        states: (L, D).
        others: (M, D).

    Returns:
        (L,) of int64, in [0, M).
    """
    return nearest_with_likeness(states, others)[0]


def nearest_with_likeness(states: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `nearest_tokens`, and the cosines (L,) in [-1, 1]."""
    # Cosines of half precision would be alike too often.
    unit, others_unit = F.normalize(states.float(), dim=-1), F.normalize(others.float(), dim=-1)
    found = [(rows @ others_unit.T).max(dim=-1) for rows in unit.split(ROWS)]
    return torch.cat([one.indices for one in found]), torch.cat([one.values for one in found])


def around(number: int, keys: Sequence[int]) -> tuple[tuple[int, float], ...]:
    """The keys before and behind a frame, by their places among the keys, with weights that sum to 1.

    They weigh by how near they are, in a straight line: w = d- / (d- + d+) of the later one, so that a key stands for
    itself alone. (TokenFlow has a sigmoid of that, which gives either at least a quarter everywhere.) Beyond the last
    key that one stands alone.

    Args:
        number: of the frame.
        keys: their numbers, rising; at least one.
    """
    before, behind = bisect_right(keys, number) - 1, bisect_left(keys, number)
    if before < 0 or behind == len(keys) or before >= behind:
        return ((min(max(before, 0), len(keys) - 1), 1.0),)
    share = (number - keys[before]) / (keys[behind] - keys[before])
    return (before, 1.0 - share), (behind, share)
