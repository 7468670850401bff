"""Temporal steadying: strokes travel with what they are painted on, nothing is held back where the source changes."""

from __future__ import annotations

import pytest
import torch
from kornia.filters import gaussian_blur2d

from vedit.finishing.deflicker import REACH, Steadied, Steadying, steady, window
from vedit.flow.confidence import confident_flow
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
    steadied = steady(source, result)
    assert warp_error(source, steadied) < 0.1 * warp_error(source, result)


def test_the_mean_of_strokes_does_not_turn_grey() -> None:
    source = pan(16)
    result = flickering(source)
    steadied = steady(source, result)
    assert 0.85 < fine_contrast(steadied[-4:]) / fine_contrast(result[-4:]) < 1.15


def test_what_is_steady_stays_as_it_is() -> None:
    source = textured(SIZE, SIZE, seed=3).expand(5, -1, -1, -1)
    result = (1 - source).clone()
    steadied = steady(source, result)
    torch.testing.assert_close(steadied, result, rtol=0, atol=2e-3)


def test_a_faithful_look_passes_as_it_is() -> None:
    scene = textured(SIZE, 2 * SIZE, seed=8)
    across = torch.linspace(-1, 1, 2 * SIZE)
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), across[:SIZE], indexing="ij")
    views = [torch.stack([x + 0.55 * t * float(across[1] - across[0]), y], dim=-1)[None] for t in range(30)]
    source = torch.cat([torch.nn.functional.grid_sample(scene, v, mode="bicubic", align_corners=True) for v in views])
    graded = 0.1 + source.clamp(0, 1) * torch.tensor([0.8, 0.7, 0.5]).view(1, 3, 1, 1)
    steadied = steady(source.clamp(0, 1), graded)
    late = (steadied[20:] - graded[20:]).square().mean()
    assert -10 * float(late.log10()) > 50, "no sub-pixel motion is resampled into what did not flicker"


def test_a_fade_is_not_held_back() -> None:
    scene = textured(SIZE, SIZE, seed=5, sigma=4)
    for frames in (9, 33, 129):
        level = torch.linspace(1, 0, frames).view(-1, 1, 1, 1)
        wanted = (1 - scene) * level
        steadied = steady(scene * level, wanted)
        late = (steadied - wanted).abs().mean((1, 2, 3))
        assert float(late.max()) < 0.025, f"{frames} frames"


def test_a_shadow_over_a_part_is_followed() -> None:
    scene = textured(SIZE, SIZE, seed=6, sigma=4)
    for frames in (5, 17, 33):
        level = torch.linspace(1, 0, frames).view(-1, 1, 1, 1).repeat(1, 1, SIZE, SIZE)
        level[..., : SIZE - 20] = 1
        wanted = (1 - scene) * level
        steadied = steady(scene * level, wanted)
        late = (steadied - wanted).abs()[..., SIZE - 16 :].mean((1, 2, 3))
        assert float(late.max()) < 0.04, f"{frames} frames"


def test_nothing_crosses_a_cut_that_no_one_has_marked() -> None:
    source = torch.cat([pan(3, seed=1), pan(3, seed=2)])
    result = flickering(source)
    other = torch.cat([result[:3] * 0.5, result[3:]])
    torch.testing.assert_close(steady(source, other)[3:], steady(source, result)[3:], rtol=0, atol=2e-3)


def test_an_eye_that_opens_is_there_at_once() -> None:
    """A dark disc is drawn from frame 12 on, on what moves; the source shows nothing of it."""
    source = pan(24, step=1)
    without = flickering(0.6 + 0.5 * (source - 0.5), amount=0.05)
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    discs = torch.stack([(y - 48).square() + (x - (60 - t)).square() <= 16 for t in range(24)])[:, None].float()
    drawn = without.clone()
    drawn[12:] = torch.where(discs[12:] > 0, 0.05, drawn[12:])
    off = (steady(source, without) - steady(source, drawn)) * discs
    asked = (without - torch.where(discs > 0, torch.tensor(0.05), without)) * discs
    there = off.sum((1, 2, 3)) / asked.sum((1, 2, 3))
    assert there[12:].min() > 0.8, "it is there when it is drawn, and stays"
    assert there[:12].max() < 0.2, "and not before"


def strength(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    """(T, 1, H, W): local RMS of the fine band's luma."""
    luma = frames.mean(1, keepdim=True)
    fine = luma - gaussian_blur2d(luma, (15, 15), (3.0, 3.0))
    return gaussian_blur2d(fine.square(), (15, 15), (sigma, sigma)).sqrt()


def test_no_grit_where_the_motion_cannot_be_followed() -> None:
    """Two scenes that move against each other by strips: much of it is seen in one frame alone."""
    one, other = pan(12, step=5, seed=1), pan(12, step=3, seed=2).flip(0)
    source = one.clone()
    for top in range(0, SIZE, 16):
        source[..., top : top + 8, :] = other[..., top : top + 8, :]
    # Drawn in places only: what is empty in one frame and not in its neighbours would be filled with scraps.
    result = 0.5 + 0.4 * (source - 0.5)
    result[3::4] = flickering(source[3::4], amount=0.2)
    steadied = steady(source, result)
    most = torch.maximum(strength(source, 6), strength(result, 6))
    gritty = (strength(steadied, 6) > 1.5 * most) & (strength(steadied, 6) > 4 / 255)
    assert float(gritty.float().mean()) < 0.001


def test_a_clip_that_runs_forth_and_back_comes_back_to_the_same_picture() -> None:
    there = list(range(16))
    order = [*there, *there[-2:0:-1]] * 2
    scene = pan(16, step=1)
    drawn = flickering(scene, amount=0.2)
    steadied = steady(scene[order], drawn[order])
    period = len(order) // 2
    off = (steadied[:period] - steadied[period:]).abs().mean((1, 2, 3))
    # The shot ends within the reach of the last frames: what they are joined with is not what was there before.
    assert float(off[:-REACH].max()) < 1 / 255


def test_the_first_frame_is_as_settled_as_a_later_one() -> None:
    source = pan(40, step=1)
    result = flickering(source, amount=0.2)
    late = steady(source, result)[20:30]
    early = steady(source[20:], result[20:])[:10]
    assert warp_error(source[20:30], early) < 1.5 * warp_error(source[20:30], late)
    assert warp_error(source[20:22], early[:2]) < 0.1 * warp_error(source[20:22], result[20:22])


def test_the_contrast_that_was_drawn_is_kept() -> None:
    source = pan(16)
    for amount in (0.05, 0.15):
        result = flickering(source, amount=amount)
        assert 0.95 < fine_contrast(steady(source, result)) / fine_contrast(result) < 1.1


@pytest.mark.parametrize("cuts", [(1, 4, 9), (3,), (1, 2, 3, 4, 5, 6, 7, 8), (20,)])
def test_pieces_give_what_the_whole_gives(cuts: tuple[int, ...]) -> None:
    source = pan(24)
    result = flickering(source)
    whole = steady(source, result)
    steadying, parts = Steadying(), list[Steadied]()
    for start, stop in zip((0, *cuts), (*cuts, 24), strict=True):
        parts += steadying.push(source[start:stop], result[start:stop])
        assert len(parts) == max(0, stop - REACH), "only what is needed is waited for"
    parts += steadying.finish()
    assert torch.equal(torch.stack([one.result for one in parts]), whole)
    again = [*steadying.push(source, result), *steadying.finish()]
    assert torch.equal(torch.stack([one.result for one in again]), whole), "it begins anew"


def test_a_given_motion_is_what_is_followed() -> None:
    source = pan(6)
    result = flickering(source)
    found = confident_flow(source, estimate_flow(source))
    assert torch.equal(steady(source, result, motion=found), steady(source, result))
    still = confident_flow(source[:1].expand(6, -1, -1, -1), estimate_flow(source[:1].expand(6, -1, -1, -1)))
    assert not torch.equal(steady(source, result, motion=still), steady(source, result))


def test_the_window_is_smooth_and_goes_on_as_its_mirror_image() -> None:
    middle = window(20, 60)
    assert sorted(middle) == list(range(20 - REACH, 21 + REACH))
    assert middle[20] == 1 and all(middle[20 - k] == middle[20 + k] for k in range(REACH + 1))
    assert sum(middle.values()) == pytest.approx(REACH + 1)
    assert window(0, 60) == {0: 1, **{k: pytest.approx(2 * middle[20 + k]) for k in range(1, REACH + 1)}}
    assert window(2, 60)[1] == pytest.approx(middle[19] + middle[17])
    assert window(59, 60) == {59 - k: pytest.approx(weight) for k, weight in window(0, 60).items()}
    assert window(0, 1) == {0: pytest.approx(REACH + 1)}
    assert sum(window(1, 3).values()) == pytest.approx(REACH + 1)
    assert window(4, 5 + REACH) == window(4, 500), "that a shot goes on makes no difference"


def test_tiny_frames_and_single_ones_pass() -> None:
    tiny = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    assert steady(tiny, 1 - tiny).shape == tiny.shape
    torch.testing.assert_close(steady(tiny[:1], 1 - tiny[:1]), 1 - tiny[:1], rtol=0, atol=1e-5)
    one = torch.rand(3, 3, 1, 2, generator=torch.Generator().manual_seed(0))
    assert steady(one, 1 - one).isfinite().all()
    assert steady(tiny[:0], tiny[:0]).shape == (0, 3, 8, 10)


def test_what_is_drawn_on_the_screen_rides_on_the_scene_where_that_is_flat() -> None:
    """A stencil before slow motion, the worst there is: a mean alone leaves 0.87 in place, 0.44 on the scene."""
    frames, lag = 24, 8
    source = 0.5 + 0.05 * (pan(frames, step=1, seed=5) - 0.5)
    strokes = textured(SIZE, SIZE, seed=9) - 0.5
    result = (source + 0.2 * strokes).clamp(0, 1)
    drawn = steady(source, result) - source
    fine = (drawn - gaussian_blur2d(drawn, (15, 15), (3.0, 3.0)))[:, :, 12:-12, 12:-12]
    late, early = fine[lag + 8 :], fine[8:-lag]
    on_screen, on_scene = like(late, early), like(late[..., :-lag], early[..., lag:])
    assert on_screen < 0.6 < 0.75 < on_scene
    assert fine.std() > 0.8 * fine_contrast(result - source)


def test_what_the_autoencoder_loses_is_averaged_along_the_motion() -> None:
    """Of a loss that lies on the scene nothing goes, of one that is new in every frame most does."""
    source = pan(24)
    lasting, fresh = 0.5 * (pan(24, seed=4) - 0.5), flickering(source) - (1 - source)
    steadying = Steadying()
    done = [
        *steadying.push(source[:9], 1 - source[:9], (source + lasting + fresh)[:9]),
        *steadying.push(source[9:], 1 - source[9:], (source + lasting + fresh)[9:]),
        *steadying.finish(),
    ]
    inside = (..., slice(8, -8), slice(24, -24))
    lost = torch.stack([one.lost for one in done if one.lost is not None])
    assert lost.shape == source.shape
    assert (lost - lasting)[inside].std() < 0.5 * fresh[inside].std()
    assert like(lost[inside], lasting[inside]) > 0.85 > like((lasting + fresh)[inside], lasting[inside]) + 0.1
    assert all(one.lost is None for one in Steadying().push(source, 1 - source))


def like(one: torch.Tensor, other: torch.Tensor) -> float:
    """The correlation of two bands."""
    return float((one * other).sum() / (one.square().sum() * other.square().sum()).sqrt())
