"""One contract over every listed preprocessor that needs no weights, and what canny and luma do."""

import pytest
import torch

from vedit.preprocessors.canny import canny
from vedit.preprocessors.luma import luma
from vedit.registry import load_preprocessor, preprocessors

WEIGHTLESS = [entry.name for entry in preprocessors() if entry.needs.weights is None]


@pytest.mark.parametrize("name", WEIGHTLESS)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
@pytest.mark.parametrize("count", [1, 3])
def test_contract(name: str, size: tuple[int, int], count: int) -> None:
    frames = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0))
    before = frames.clone()
    made = load_preprocessor(name)(frames)
    assert made.shape == frames.shape and made.dtype == frames.dtype
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    assert torch.equal(frames, before)
    assert torch.equal(load_preprocessor(name)(frames), made)


@pytest.mark.parametrize("name", [e.name for e in preprocessors() if not e.needs.weights and not e.needs.whole_shot])
def test_a_frame_does_not_depend_on_the_others(name: str) -> None:
    frames = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    make = load_preprocessor(name)
    torch.testing.assert_close(make(frames)[1:], make(frames[1:]))


def test_canny_finds_the_edge_and_only_it() -> None:
    frames = torch.zeros(1, 3, 40, 60)
    frames[..., 30:] = 1
    edges = canny(frames)[0, 0]
    assert (edges[5:-5, 27:33].sum(1) == 1).all()
    assert edges[:, :25].sum() == 0 and edges[:, 35:].sum() == 0


def test_luma_weights() -> None:
    frames = torch.eye(3).view(3, 3, 1, 1)
    assert torch.allclose(luma(frames)[:, 0, 0, 0], torch.tensor([0.299, 0.587, 0.114]))
