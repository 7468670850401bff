"""Flow against motion that is known, because the frames were made with it."""

import cv2
import numpy as np
import pytest
import torch

from vedit.flow import estimate_flow, find_occlusion, warp


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) in [0, 1], smooth enough to interpolate and rich enough to match."""
    noise = np.random.default_rng(seed).random((height, width, 3), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def moved(image: np.ndarray, matrix: list[list[float]]) -> np.ndarray:
    """The image after each point x has gone to matrix (x, 1)."""
    height, width = image.shape[:2]
    out = cv2.warpAffine(
        image, np.array(matrix, np.float64), (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return out.clip(0, 1)


def as_frames(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())


def endpoint_error(flow: torch.Tensor, truth: torch.Tensor, margin: int = 16) -> float:
    inner = (slice(None), slice(None), slice(margin, -margin), slice(margin, -margin))
    return float((flow - truth)[inner].square().sum(1).sqrt().mean())


@pytest.mark.parametrize(("dx", "dy"), [(3.0, 0.0), (-2.5, 1.25), (0.0, 0.0)])
def test_a_shift(dx: float, dy: float) -> None:
    first = texture(120, 160)
    flow = estimate_flow(as_frames(first, moved(first, [[1, 0, dx], [0, 1, dy]])))
    truth = torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, 120, 160)
    assert flow.forward.shape == (1, 2, 120, 160) and flow.forward_occlusion.shape == (1, 1, 120, 160)
    assert endpoint_error(flow.forward, truth) < 0.1
    assert endpoint_error(flow.backward, -truth) < 0.1
    assert flow.forward_occlusion[..., 16:-16, 16:-16].float().mean() < 0.02
    assert flow.forward_occlusion.dtype == torch.bool


def test_a_zoom() -> None:
    scale, height, width = 1.03, 120, 160
    first = texture(height, width)
    shift = [(1 - scale) * (side - 1) / 2 for side in (width, height)]
    flow = estimate_flow(as_frames(first, moved(first, [[scale, 0, shift[0]], [0, scale, shift[1]]])))
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    truth = torch.stack([x * (scale - 1) + shift[0], y * (scale - 1) + shift[1]])[None]
    assert endpoint_error(flow.forward, truth) < 0.1


def test_a_square_that_moves_over_a_still_ground() -> None:
    ground, square = texture(120, 160), texture(40, 40, seed=1)
    first, second = ground.copy(), ground.copy()
    first[40:80, 50:90] = square
    second[40:80, 58:98] = square
    flow = estimate_flow(as_frames(first, second))
    assert endpoint_error(flow.forward[..., 46:74, 56:84], torch.tensor([8.0, 0.0]).view(1, 2, 1, 1), 1) < 0.5
    assert flow.forward[..., :30, :].abs().mean() < 0.1
    covered = flow.forward_occlusion[0, 0, 45:75, 91:97].float().mean()  # the square comes to lie on it
    uncovered = flow.backward_occlusion[0, 0, 45:75, 51:57].float().mean()  # the square has left it
    assert covered > 0.7 and uncovered > 0.7
    assert flow.forward_occlusion[0, 0, :30].float().mean() < 0.05


def test_warp_lays_the_next_frame_over_this_one() -> None:
    first = texture(120, 160)
    frames = as_frames(first, moved(first, [[1, 0, 4.0], [0, 1, -2.0]]))
    flow = estimate_flow(frames)
    over = warp(frames[1:], flow.forward)
    inner = (..., slice(16, -16), slice(16, -16))
    assert (over - frames[:1])[inner].abs().mean() < 0.01
    assert (frames[1:] - frames[:1])[inner].abs().mean() > 0.05
    assert (warp(frames[:1], flow.backward) - frames[1:])[inner].abs().mean() < 0.01


def test_warp_by_whole_pixels_is_exact() -> None:
    frames = torch.rand(2, 3, 9, 11)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, 9, 11)
    out = warp(frames, flow)
    assert torch.allclose(out[..., 1:, :-2], frames[..., :-1, 2:], atol=1e-5)
    assert torch.allclose(warp(frames, torch.zeros_like(flow)), frames, atol=1e-6)


def test_what_leaves_the_frame_is_occluded() -> None:
    flow = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 10, 12)
    hidden = find_occlusion(flow, -flow)
    assert hidden[..., -3:].all() and not hidden[..., :-3].any()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_have_no_flow(count: int) -> None:
    flow = estimate_flow(torch.rand(count, 3, 20, 20))
    assert flow.forward.shape == (0, 2, 20, 20)
    assert flow.backward_occlusion.shape == (0, 1, 20, 20)


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (33, 47)])
def test_any_size(size: tuple[int, int]) -> None:
    flow = estimate_flow(torch.rand(2, 3, *size))
    assert flow.forward.shape == (1, 2, *size)
    assert flow.forward.isfinite().all()


def test_a_pair_does_not_depend_on_its_neighbours() -> None:
    frames = as_frames(texture(64, 80), texture(64, 80, 1), texture(64, 80, 2))
    assert torch.equal(estimate_flow(frames).forward[1:], estimate_flow(frames[1:]).forward)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="needs frames"):
        estimate_flow(torch.rand(3, 20, 20))
