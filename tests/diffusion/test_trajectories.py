"""Where cells were in earlier frames, along known motion."""

from __future__ import annotations

import pytest
import torch

from vedit.diffusion.trajectories import LOST, earlier_cells, halved_grid, middles
from vedit.types import OpticalFlow


def moving(x: float, y: float, *, pairs: int, hidden: torch.Tensor | None = None) -> OpticalFlow:
    back = torch.tensor([-x, -y]).view(1, 2, 1, 1).expand(pairs, 2, 32, 32).contiguous()
    none = torch.zeros(pairs, 1, 32, 32, dtype=torch.bool)
    return OpticalFlow(
        forward=-back, backward=back, forward_occlusion=none, backward_occlusion=none if hidden is None else hidden
    )


def test_slow_motion_adds_up_on_a_coarse_grid() -> None:
    """Three pixels a frame over cells of eight: rounded from frame to frame it would be no motion at all."""
    cells = earlier_cells(moving(3.0, 0.0, pairs=4), (4, 4), reach=4, linked=[True] * 4)
    # The middle of column 3 lies at 28 and comes from 25, 22, 19 and 16.
    assert cells[4, :, 3].tolist() == [3, 2, 2, 2]
    assert cells[4, :, 0].tolist() == [0, LOST, LOST, LOST], "4, 1, and then outside"
    assert cells[1, :, 3].tolist() == [3, LOST, LOST, LOST], "there is no frame before the first"
    assert bool((cells[0] == LOST).all())


def test_what_is_hidden_or_no_neighbour_is_lost_from_there_on() -> None:
    hidden = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    hidden[1, :, :16] = True
    cells = earlier_cells(moving(0.0, 0.0, pairs=3, hidden=hidden), (4, 4), reach=8, linked=[True] * 3)
    assert cells.shape == (4, 8, 16)
    assert cells[3, :3, 1].tolist() == [1, LOST, LOST]
    assert cells[3, :3, 9].tolist() == [9, 9, 9]
    cut = earlier_cells(moving(0.0, 0.0, pairs=3), (4, 4), reach=8, linked=[True, False, True])
    assert cut[3, :3, 9].tolist() == [9, LOST, LOST]


def test_two_cells_may_come_from_one() -> None:
    flow = moving(0.0, 0.0, pairs=1)
    flow.backward[0, 0] = torch.linspace(-0.5, -31.5, 32)
    cells = earlier_cells(flow, (4, 4), reach=1, linked=[True])
    assert cells[1, 0].view(4, 4)[:, 1:].unique().numel() == 4, "a column comes from the first one, row by row"


def test_middles_are_in_pixels() -> None:
    assert middles((1, 2), (8, 16)).tolist() == [[4.0, 4.0], [12.0, 4.0]]


def test_a_grid_is_the_picture_halved() -> None:
    assert halved_grid((24, 40), 15) == (3, 5)
    with pytest.raises(ValueError, match="has 16 tokens"):
        halved_grid((24, 40), 16)
