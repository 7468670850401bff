"""Temporal steadying: strokes travel with what they are painted on, nothing is held back where the source changes."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d

from vedit.finishing.deflicker import Steadied, steady
from vedit.flow.estimate import estimate_flow, warp

SIZE = 96


def textured(height: int, width: int, *, seed: int, sigma: float = 1.5) -> torch.Tensor:
    """Band-limited noise with an even histogram, (1, 3, h, w) in [0, 1]."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    smooth = gaussian_blur2d(noise, (11, 11), (sigma, sigma))
    return (0.5 + 0.2 * smooth / smooth.std()).clamp(0, 1)


def pan(frames: int, *, step: int = 2, seed: int = 0) -> torch.Tensor:
    """A textured scene under a camera that moves `step` pixels a frame, (T, 3, SIZE, SIZE)."""
    scene = textured(SIZE, SIZE + step * frames, seed=seed)
    return torch.cat([scene[..., i * step : i * step + SIZE] for i in range(frames)])


def flickering(source: torch.Tensor, *, amount: float = 0.1) -> torch.Tensor:
    """The source's negative with strokes of its own in every frame."""
    strokes = torch.cat([textured(SIZE, SIZE, seed=100 + t, sigma=1.0) for t in range(len(source))]) - 0.5
    return (1 - source + amount * strokes / strokes.std()).clamp(0, 1)


def warp_error(source: torch.Tensor, result: torch.Tensor) -> float:
    flow = estimate_flow(source)
    seen = (~flow.forward_occlusion).float()
    off = (warp(result[1:], flow.forward) - result[:-1]).square().mean(1, keepdim=True)
    return float((off * seen).sum() / seen.sum())


def fine_contrast(frames: torch.Tensor) -> float:
    return float((frames - gaussian_blur2d(frames, (15, 15), (3.0, 3.0))).std())


def test_strokes_travel_with_the_scene() -> None:
    source = pan(12)
    result = flickering(source)
    steadied, _ = steady(source, result, None)
    assert warp_error(source, steadied) < 0.1 * warp_error(source, result)
    torch.testing.assert_close(steadied[0], result[0])


def test_the_mean_of_strokes_does_not_turn_grey() -> None:
    source = pan(16)
    result = flickering(source)
    steadied, _ = steady(source, result, None)
    assert 0.85 < fine_contrast(steadied[-4:]) / fine_contrast(result[-4:]) < 1.15


def test_what_is_steady_stays_as_it_is() -> None:
    source = textured(SIZE, SIZE, seed=3).expand(5, -1, -1, -1)
    result = (1 - source).clone()
    steadied, _ = steady(source, result, None)
    torch.testing.assert_close(steadied, result, rtol=0, atol=2e-3)


def test_a_faithful_look_passes_as_it_is() -> None:
    scene = textured(SIZE, 2 * SIZE, seed=8)
    across = torch.linspace(-1, 1, 2 * SIZE)
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), across[:SIZE], indexing="ij")
    views = [torch.stack([x + 0.55 * t * float(across[1] - across[0]), y], dim=-1)[None] for t in range(30)]
    source = torch.cat([torch.nn.functional.grid_sample(scene, v, mode="bicubic", align_corners=True) for v in views])
    graded = 0.1 + source.clamp(0, 1) * torch.tensor([0.8, 0.7, 0.5]).view(1, 3, 1, 1)
    steadied, _ = steady(source.clamp(0, 1), graded, None)
    late = (steadied[20:] - graded[20:]).square().mean()
    assert -10 * float(late.log10()) > 50, "no sub-pixel motion is resampled into what did not flicker"


def test_a_fade_is_not_held_back() -> None:
    scene = textured(SIZE, SIZE, seed=5, sigma=4)
    for frames in (9, 33, 129):
        level = torch.linspace(1, 0, frames).view(-1, 1, 1, 1)
        wanted = (1 - scene) * level
        steadied, _ = steady(scene * level, wanted, None)
        late = (steadied - wanted).abs().mean((1, 2, 3))
        assert float(late.max()) < 0.025, f"{frames} frames"


def test_a_shadow_over_a_part_is_followed() -> None:
    scene = textured(SIZE, SIZE, seed=6, sigma=4)
    for frames in (5, 17, 33):
        level = torch.linspace(1, 0, frames).view(-1, 1, 1, 1).repeat(1, 1, SIZE, SIZE)
        level[..., : SIZE - 20] = 1
        wanted = (1 - scene) * level
        steadied, _ = steady(scene * level, wanted, None)
        late = (steadied - wanted).abs()[..., SIZE - 16 :].mean((1, 2, 3))
        assert float(late.max()) < 0.04, f"{frames} frames"


def test_nothing_crosses_a_cut_that_no_one_has_marked() -> None:
    source = torch.cat([pan(3, seed=1), pan(3, seed=2)])
    result = flickering(source)
    steadied, _ = steady(source, result, None)
    torch.testing.assert_close(steadied[3], result[3], rtol=0, atol=2e-3)


def test_pieces_give_what_the_whole_gives() -> None:
    source = pan(9)
    result = flickering(source)
    whole, _ = steady(source, result, None)
    before: Steadied | None = None
    parts: list[torch.Tensor] = []
    for start, stop in ((0, 1), (1, 4), (4, 9)):
        part, before = steady(source[start:stop], result[start:stop], before)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)


def test_tiny_frames_and_single_ones_pass() -> None:
    tiny = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    steadied, _ = steady(tiny, 1 - tiny, None)
    assert steadied.shape == tiny.shape
    one, _ = steady(tiny[:1], 1 - tiny[:1], None)
    torch.testing.assert_close(one, 1 - tiny[:1])
