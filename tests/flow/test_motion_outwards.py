"""Chained flows against motion that is known."""

from __future__ import annotations

import numpy as np
import torch

from vedit.flow.confidence import ConfidentFlow
from vedit.flow.motion import outwards, step

HEIGHT, WIDTH = 20, 30


def moving(x: float, y: float, confidence: float = 1.0) -> ConfidentFlow:
    """Of one pair, everywhere alike."""
    forward = torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH).contiguous()
    nothing = torch.zeros(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    sure = torch.full((1, 1, HEIGHT, WIDTH), confidence)
    return ConfidentFlow(
        forward=forward,
        backward=-forward,
        forward_occlusion=nothing,
        backward_occlusion=nothing,
        forward_confidence=sure,
        backward_confidence=sure / 2,
    )


def test_steps_add_up_and_the_least_certain_one_counts() -> None:
    pairs = [moving(1, 0), moving(2.5, -1, 0.75), moving(0.5, 0.25, 0.875)]
    found = list(outwards(step(pair, "forward") for pair in pairs))
    for path, way, trust in zip(found, ((1, 0), (3.5, -1), (4, -0.75)), (1, 0.75, 0.75), strict=True):
        np.testing.assert_allclose(path.to, np.broadcast_to(way, (HEIGHT, WIDTH, 2)))
        np.testing.assert_allclose(path.seen, trust)
    back = next(iter(outwards([step(pairs[1], "backward")])))
    np.testing.assert_allclose(back.to, np.broadcast_to((-2.5, 1), (HEIGHT, WIDTH, 2)))
    np.testing.assert_allclose(back.seen, 0.375)


def test_a_step_is_read_where_the_path_has_come_to() -> None:
    """What moves by 4 comes to where all stand still."""
    first = step(moving(4, 0), "forward")
    second = step(moving(0, 0), "forward").copy()
    second[:, :14, 0] = -8
    far = list(outwards([first, second]))[1].to
    assert (far[:, :10, 0] == -4).all() and (far[:, 10:, 0] == 4).all()
