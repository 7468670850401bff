"""Where the cells of a grid were in earlier frames, along the optical flow: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from vedit.types import OpticalFlow

LOST = -1
"""In the place of a cell that is not seen."""


def earlier_cells(flow: OpticalFlow, grid: tuple[int, int], *, reach: int, linked: Sequence[bool]) -> torch.Tensor:
    """The cells that show in earlier frames what the cells of each frame show.

    A cell's middle is followed back from frame to frame, in parts of pixels, and only where it has come to is rounded
    to a cell: slow motion adds up on a coarse grid. It is lost where the flow there and back disagrees, which is what
    occlusions are found by, and outside the picture. Two cells may come from one.

    Args:
        flow: of all pairs of frames.
        grid: (h, w) of the cells.
        reach: frames that are followed back.
        linked: for each pair whether its frames show the same moment of a shot, or nearly.

    Returns:
        (T, reach, h w) of int64: [t, n] are cells of frame t - 1 - n, and `LOST`.
    """
    pairs, _, height, width = flow.backward.shape
    cells = torch.full((pairs + 1, reach, grid[0] * grid[1]), LOST)
    for frame in range(1, pairs + 1):
        at = middles(grid, (height, width))
        seen = torch.ones(len(at), dtype=torch.bool)
        for back in range(min(reach, frame)):
            pair = frame - 1 - back
            if not linked[pair]:
                break
            hidden = _sampled(flow.backward_occlusion[pair].float(), at, mode="nearest")[:, 0] > 0.5
            at = at + _sampled(flow.backward[pair], at, mode="bilinear")
            seen = seen & ~hidden & _inside(at, (height, width))
            cells[frame, back] = torch.where(seen, _cell_at(at, grid, (height, width)), LOST)
    return cells


def middles(grid: tuple[int, int], sides: tuple[int, int]) -> torch.Tensor:
    """The middles of cells in a picture of (H, W), (h w, 2) as x, y in pixels, row by row; 0 is the picture's edge."""
    rows = (torch.arange(grid[0], dtype=torch.float32) + 0.5) * (sides[0] / grid[0])
    columns = (torch.arange(grid[1], dtype=torch.float32) + 0.5) * (sides[1] / grid[1])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def _sampled(field: torch.Tensor, at: torch.Tensor, *, mode: str) -> torch.Tensor:
    """A field (C, H, W) at places (N, 2): (N, C)."""
    height, width = field.shape[-2:]
    where = at / at.new_tensor([width, height]) * 2 - 1
    found = F.grid_sample(field[None].float(), where[None, None], mode=mode, padding_mode="border", align_corners=False)
    return found[0, :, 0].T


def _inside(at: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    return ((at >= 0) & (at < at.new_tensor([sides[1], sides[0]]))).all(dim=1)


def _cell_at(at: torch.Tensor, grid: tuple[int, int], sides: tuple[int, int]) -> torch.Tensor:
    """The cell in which each place lies; of one outside the nearest."""
    column = (at[:, 0] * (grid[1] / sides[1])).floor().long().clamp(0, grid[1] - 1)
    row = (at[:, 1] * (grid[0] / sides[0])).floor().long().clamp(0, grid[0] - 1)
    return row * grid[1] + column


def halved_grid(sides: tuple[int, int], tokens: int) -> tuple[int, int]:
    """(h, w) of a layer by its number of tokens: networks halve the picture's sides, rounded up.

    Raises:
        ValueError: no number of halvings leads there.
    """
    height, width = sides
    while height * width > tokens:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != tokens:
        raise ValueError(f"no halving of {sides} pixels has {tokens} tokens")
    return height, width
