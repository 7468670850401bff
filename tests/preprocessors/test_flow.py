"""The picture of motion: its colours, its fixed scale and its last frame."""

import torch
from torch.testing import assert_close

from vedit.preprocessors.flow import draw_flow, flow


def test_colours() -> None:
    motion = torch.zeros(1, 2, 1, 5)
    motion[0, :, 0] = torch.tensor([[0, 0], [4, 0], [8, 0], [-8, 0], [0, 8]]).T
    drawn = draw_flow(motion, full_speed=8)[0, :, 0].T
    expected = [[1, 1, 1], [1, 0.5, 0.5], [1, 0, 0], [0, 1, 1], [0.5, 1, 0]]
    assert_close(drawn, torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)


def pan(count: int) -> torch.Tensor:
    """(count, 3, 64, 128): a picture that goes two pixels to the left with each frame."""
    generator = torch.Generator().manual_seed(0)
    wide = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 68, 150, generator=generator), 5, 1)
    return torch.cat([wide[..., 2 * t : 2 * t + 128] for t in range(count)])


def test_a_pan_is_one_colour_and_the_last_frame_takes_it_too() -> None:
    frames = pan(3)
    made = torch.cat(list(flow([frames])))
    assert made.shape == frames.shape
    assert torch.equal(made[2], made[1])
    middle = made[..., 16:-16, 16:-16].mean((0, 2, 3))
    assert_close(middle, torch.tensor([0.0, 1.0, 1.0]), atol=0.05, rtol=0)  # 2 px to the left of 64: full speed


def test_a_frame_is_drawn_when_the_next_has_come() -> None:
    frames = pan(5)
    whole = torch.cat(list(flow([frames])))
    made = list(flow(frames.split([1, 3, 1])))
    assert [len(part) for part in made] == [3, 1, 1]
    assert torch.equal(torch.cat(made), whole)


def test_a_single_frame_is_still() -> None:
    made = list(flow([torch.rand(1, 3, 32, 32)]))
    assert len(made) == 1 and torch.equal(made[0], torch.ones(1, 3, 32, 32))
    assert list(flow([])) == []
