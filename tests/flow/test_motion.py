"""Motions that are joined step by step lead to where the scene has gone."""

from __future__ import annotations

import numpy as np
import torch

from tests.support.motion import texture
from vedit.flow.confidence import ConfidentFlow
from vedit.flow.motion import Motion, carried, led, pairs_of, standing

SIZE = (48, 64)


def moving(dx: float, dy: float, seen: float = 1.0) -> Motion:
    to = np.broadcast_to(np.array([dx, dy], np.float32), (*SIZE, 2)).copy()
    return Motion(to=to, seen=np.full(SIZE, seen, np.float32))


def test_steps_add_up() -> None:
    there = standing(SIZE)
    for step in (moving(2, 0), moving(1, -1), moving(-0.5, 3)):
        there = led(step, there)
    assert np.allclose(there.to, [2.5, 2], atol=1e-5)
    assert np.all(there.seen == 1)


def test_a_way_is_believed_as_far_as_its_least_certain_step() -> None:
    assert np.allclose(led(moving(1, 0, 0.5), led(moving(1, 0, 0.8), moving(1, 0))).seen, 0.5)


def test_a_step_is_followed_from_the_place_that_it_reaches() -> None:
    # Only the right half goes on: what the first step brings there moves by both.
    further = standing(SIZE)
    further.to[:, 32:, 0] = 5
    found = led(moving(8, 0), further).to[..., 0]
    assert np.allclose(found[:, :24], 8)
    assert np.allclose(found[:, 25:], 13)


def test_a_picture_is_laid_where_the_motion_leads() -> None:
    canvas = texture(SIZE[0], SIZE[1] + 6)
    assert np.allclose(carried(canvas[:, :64], moving(6, 0))[:, :50], canvas[:, 6:56], atol=1e-5)


def test_a_flow_comes_in_pairs() -> None:
    vectors = torch.arange(2 * 2 * SIZE[0] * SIZE[1], dtype=torch.float32).reshape(2, 2, *SIZE)
    hidden = torch.zeros(2, 1, *SIZE, dtype=torch.bool)
    believed = torch.ones(2, 1, *SIZE)
    believed[1, 0, 3, 4] = 0.25
    flow = ConfidentFlow(
        forward=vectors,
        backward=-vectors,
        forward_occlusion=hidden,
        backward_occlusion=hidden,
        forward_confidence=believed,
        backward_confidence=torch.ones_like(believed),
    )
    pairs = pairs_of(flow)
    assert len(pairs) == 2
    assert np.array_equal(pairs[1].ahead.to[3, 4], vectors[1, :, 3, 4])
    assert np.array_equal(pairs[1].back.to, -vectors[1].permute(1, 2, 0))
    assert pairs[1].ahead.seen[3, 4] == 0.25
    assert pairs[1].ahead.seen.sum() == SIZE[0] * SIZE[1] - 0.75
