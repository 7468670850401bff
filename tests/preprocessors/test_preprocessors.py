"""What the controls without weights draw."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from tests.support.motion import as_frames, texture
from vedit.preprocessors.canny import canny
from vedit.preprocessors.lineart import lineart
from vedit.preprocessors.luma import luma
from vedit.preprocessors.scribble import SHORTEST, WIDTH, scribble
from vedit.preprocessors.shuffle import shuffle


def step() -> torch.Tensor:
    """(1, 3, 80, 120): black on the left, white on the right from column 60 on."""
    frames = torch.zeros(1, 3, 80, 120)
    frames[..., 60:] = 1
    return frames


def disk(radius: int, level: float = 1.0) -> torch.Tensor:
    """(1, 3, 160, 160): a disk on black."""
    image = cv2.circle(np.zeros((160, 160, 3), np.float32), (80, 80), radius, (level,) * 3, -1, cv2.LINE_AA)
    return as_frames(image)


def test_canny_finds_the_edge_and_only_it() -> None:
    edges = canny(step())[0, 0]
    assert (edges[5:-5, 57:63].sum(1) == 1).all()
    assert edges[:, :55].sum() == 0 and edges[:, 65:].sum() == 0


def test_canny_is_opencvs() -> None:
    grey = (texture(60, 90)[..., 0] * 255).round().astype(np.uint8)
    expected = cv2.Canny(cv2.GaussianBlur(grey, (0, 0), 0.8), 100, 200)
    assert expected.any()
    found = canny(as_frames(np.dstack([grey.astype(np.float32) / 255] * 3)))
    assert torch.equal(found[0, 0] * 255, torch.from_numpy(expected).float())


def test_luma_weights() -> None:
    frames = torch.eye(3).view(3, 3, 1, 1)
    assert torch.allclose(luma(frames)[:, 0, 0, 0], torch.tensor([0.299, 0.587, 0.114]))


def test_a_line_is_thin_and_on_the_dark_side() -> None:
    lines = lineart(step())[0, 0]
    assert lines[40, 58:60].max() > 0.8
    assert lines[:, :54].max() == 0 and lines[:, 60:].max() == 0
    assert (lines[40] > 0.25).sum() <= 4


def test_a_fainter_edge_makes_a_fainter_line() -> None:
    strengths = [float(lineart(step() * contrast)[0, 0].max()) for contrast in (0.02, 0.1, 0.3, 1.0)]
    assert strengths[0] == 0 and strengths == sorted(strengths)
    assert 0.1 < strengths[1] < 0.9 < strengths[-1]


def test_a_scribble_is_strokes_of_one_width() -> None:
    strokes = scribble(disk(50))[0, 0]
    assert set(strokes.unique().tolist()) == {0.0, 1.0}
    across = strokes[80]
    assert WIDTH <= across[:80].sum() <= WIDTH + 2 and WIDTH <= across[80:].sum() <= WIDTH + 2
    assert strokes[80, 76:84].sum() == 0


def test_a_scribble_leaves_out_what_is_small_or_faint() -> None:
    assert scribble(disk(4)).sum() == 0 and 2 * np.pi * 4 < SHORTEST
    assert scribble(disk(50, level=0.06)).sum() == 0
    assert scribble(as_frames(texture(160, 160) * 0.05)).sum() == 0


@pytest.mark.parametrize("make", [canny, lineart, scribble])
def test_light_that_comes_up_elsewhere_changes_no_line(make: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Gains are fixed: nothing is scaled to the frame's own range."""
    dark = disk(30, level=0.5)
    lit = dark.clone()
    lit[..., 150:, 150:] = 1
    assert torch.equal(make(lit)[..., :130, :130], make(dark)[..., :130, :130])


def test_shuffle_moves_everything_and_the_same_way_in_every_frame() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 90), torch.linspace(0, 1, 120), indexing="ij")
    frames = torch.stack([torch.stack([x, y, x * 0]), torch.stack([x, y, x * 0 + 1])])
    made = shuffle(frames)
    assert torch.equal(made[0, :2], made[1, :2])
    assert (made[0, :2] - frames[0, :2]).abs().mean() > 0.15
    for channel in made[0, :2]:  # all of the frame is used, and neighbours stay neighbours
        assert channel.min() < 0.02 and channel.max() > 0.98
        assert channel.diff(dim=-1).abs().max() < 0.15
    assert not torch.equal(shuffle(frames, seed=1), made)
    assert torch.equal(shuffle(frames), made)
