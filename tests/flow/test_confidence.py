"""Confidence of a flow against motion that is known: what bears it out, what contradicts it, and what fills it in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.motion import as_frames, camera_pair, shift, square_pair, texture
from vedit.flow import confidence, planes
from vedit.flow.confidence import confident_flow
from vedit.flow.estimate import estimate_flow
from vedit.types import OpticalFlow

HEIGHT, WIDTH = 120, 160
INNER = (..., slice(16, -16), slice(16, -16))


def everywhere(x: float, y: float, *, height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


def true_flow(x: float, y: float) -> OpticalFlow:
    """Of a camera pair that is shifted: both ways, nothing occluded."""
    nothing = torch.zeros(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    return OpticalFlow(
        forward=everywhere(x, y), backward=everywhere(-x, -y), forward_occlusion=nothing, backward_occlusion=nothing
    )


def vectors(flow: torch.Tensor) -> np.ndarray:
    return flow[0].permute(1, 2, 0).contiguous().numpy()


def agreement(flow: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(confidence.agreement(vectors(flow), vectors(reverse)))[None, None]


def riding(here: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    alike, told = confidence.riding(here[0, 0].numpy(), there[0, 0].numpy())
    return torch.from_numpy(alike), torch.from_numpy(told)


def filled(flow: torch.Tensor, evidence: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(confidence.filled(vectors(flow), evidence[0, 0].numpy())).permute(2, 0, 1)[None]


def test_agreement_is_a_gaussian_of_what_does_not_close() -> None:
    flow = everywhere(3, -1)
    assert agreement(flow, -flow)[INNER].eq(1).all()
    off = agreement(flow, -flow + torch.tensor([0.6, 0.8]).view(1, 2, 1, 1))[INNER]
    back = torch.tensor([-3 + 0.6, 1 + 0.8])
    wanted = torch.exp(-1 / (0.01 * (10 + back.square().sum()) + 0.5))
    torch.testing.assert_close(off, wanted.expand_as(off))


def test_what_ends_outside_agrees_with_nothing() -> None:
    flow = everywhere(5, 0)
    found = agreement(flow, -flow)
    assert found[..., -5:].eq(0).all() and found[..., :-5].eq(1).all()


def test_detail_rides_on_itself_and_not_on_other_detail() -> None:
    one, other = (torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for here, there, wanted in ((one, one, 1.0), (one, -one, -1.0), (one, other, 0.0), (one, one + other, 2 / 3)):
        alike, told = riding(here, there)
        assert float(alike.mean()) == pytest.approx(wanted, abs=0.02)
        assert told.min() > 0.99


def test_nothing_to_see_says_nothing() -> None:
    flat = torch.zeros(1, 1, 32, 32)
    assert riding(flat, flat)[1].eq(0).all()
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.7 / 255
    assert float(riding(noise, noise)[1].mean()) == pytest.approx(0.5, abs=0.02)


def test_what_is_filled_in_is_what_is_around() -> None:
    flow = torch.randn(1, 2, 60, 70, generator=torch.Generator().manual_seed(0))
    flow[:, :, :, :10], flow[:, :, :, -10:] = (everywhere(*way, height=60, width=10) for way in ((2, 1), (2, 1)))
    evidence = torch.zeros(1, 1, 60, 70)
    evidence[..., :10] = evidence[..., -10:] = 1
    torch.testing.assert_close(filled(flow, evidence), everywhere(2, 1, height=60, width=70), rtol=0, atol=1e-3)


def test_between_two_motions_the_fill_goes_from_one_to_the_other() -> None:
    flow = torch.zeros(1, 2, 64, 128)
    flow[:, 0, :, :32], flow[:, 0, :, 96:] = 4, -2
    evidence = torch.zeros(1, 1, 64, 128)
    evidence[..., :32] = evidence[..., 96:] = 1
    across = filled(flow, evidence)[0, 0]
    assert across[:, :28].sub(4).abs().max() < 0.2 and across[:, 100:].add(2).abs().max() < 0.2
    assert across[:, 60:68].sub(1).abs().max() < 0.6
    assert across[32].diff().max() < 0.05, "it only falls"


def test_without_any_evidence_nothing_moves() -> None:
    flow = everywhere(7, 7)
    assert filled(flow, torch.zeros(1, 1, HEIGHT, WIDTH)).eq(0).all()


@pytest.mark.parametrize("way", [(6.0, 0.0), (-2.5, 3.25), (0.0, 0.0)])
def test_a_translation_is_sure_and_stays(way: tuple[float, float]) -> None:
    pair = camera_pair(HEIGHT, WIDTH, shift(*way))
    sure = confident_flow(pair.frames, true_flow(*way))
    for found, true, certain in (
        (sure.forward, everywhere(*way), sure.forward_confidence),
        (sure.backward, everywhere(-way[0], -way[1]), sure.backward_confidence),
    ):
        torch.testing.assert_close(found[INNER], true[INNER], rtol=0, atol=1e-4)
        assert certain[INNER].min() > 0.9


def test_what_comes_into_sight_is_not_sure() -> None:
    pair = square_pair(HEIGHT, WIDTH, square=48, motion=(8, 0), at=(40, 36))
    flow = estimate_flow(pair.frames)
    sure = confident_flow(pair.frames, flow)
    uncovered = sure.backward_confidence[0, 0, 40:80, 41:47]
    assert uncovered.max() < 0.1 and sure.backward_confidence.median() > 0.95
    assert sure.forward_confidence[pair.occluded].mean() < 0.1


def test_a_wrong_vector_is_mended_by_those_around_it() -> None:
    pair = camera_pair(HEIGHT, WIDTH, shift(4, 0))
    flow = true_flow(4, 0)
    wrong = flow.forward.clone()
    wrong[..., 50:66, 70:86] = torch.tensor([-3.0, 6.0]).view(1, 2, 1, 1)
    sure = confident_flow(pair.frames, replace(flow, forward=wrong))
    inside = (..., slice(50, 66), slice(70, 86))
    assert (sure.forward - everywhere(4, 0))[inside].abs().mean() < 0.3
    assert sure.forward_confidence[inside].mean() > 0.8


def test_a_wrong_vector_that_closes_is_found_out_by_the_picture() -> None:
    pair = camera_pair(HEIGHT, WIDTH, shift(4, 0))
    flow = true_flow(4, 0)
    there, back = flow.forward.clone(), flow.backward.clone()
    there[..., 40:76, 60:96] = torch.tensor([-3.0, 6.0]).view(1, 2, 1, 1)
    back[..., 46:82, 57:93] = torch.tensor([3.0, -6.0]).view(1, 2, 1, 1)
    sure = confident_flow(pair.frames, replace(flow, forward=there, backward=back))
    assert sure.forward_confidence[..., 50:66, 70:86].mean() < 0.25
    assert sure.forward_confidence[..., :30, 16:-16].mean() > 0.95


def test_where_all_is_wrong_nothing_is_sure() -> None:
    pair = camera_pair(HEIGHT, WIDTH, shift(4, 0))
    sure = confident_flow(pair.frames, true_flow(-7, 5))
    assert sure.forward_confidence[INNER].mean() < 0.15 and sure.backward_confidence[INNER].mean() < 0.15


def test_a_flat_part_moves_as_what_is_around_it() -> None:
    """Texture left and right moves by 4, the flat middle is matched to nothing: random vectors that do not close."""
    both = [texture(HEIGHT, WIDTH + 8, seed=2)[:, at : at + WIDTH] for at in (4, 0)]
    for picture, at in zip(both, (40, 44), strict=True):
        picture[:, at : at + 80] = 0.5
    frames = as_frames(*both)
    flow = true_flow(4, 0)
    guesses = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (2, 1, 2, HEIGHT, 60)).astype(np.float32))
    for way, guess in zip((flow.forward, flow.backward), guesses, strict=True):
        way[..., 52:112] = guess
    sure = confident_flow(frames, flow)
    middle = (..., slice(16, -16), slice(64, 100))
    assert (sure.forward - everywhere(4, 0))[middle].abs().max() < 0.3
    assert sure.forward_confidence[middle].min() > 0.8, "nothing contradicts it"


def test_each_pair_is_judged_alone() -> None:
    frames = torch.cat([camera_pair(HEIGHT, WIDTH, shift(2, 1)).frames, camera_pair(HEIGHT, WIDTH, shift(0, 3)).frames])
    whole = confident_flow(frames, estimate_flow(frames))
    for t in range(3):
        alone = confident_flow(frames[t : t + 2], estimate_flow(frames[t : t + 2]))
        for name, value in vars(whole.pair(t)).items():
            assert torch.equal(value, getattr(alone, name)), name


def test_a_cut_stays_a_cut() -> None:
    frames = as_frames(texture(HEIGHT, WIDTH, seed=1), texture(HEIGHT, WIDTH, seed=9))
    sure = confident_flow(frames, estimate_flow(frames))
    assert sure.backward_occlusion.all() and sure.backward_confidence.eq(0).all()


def test_sizes() -> None:
    one = torch.rand(1, 3, 20, 24)
    assert confident_flow(one, estimate_flow(one)).forward_confidence.shape == (0, 1, 20, 24)
    tiny = torch.rand(2, 3, 1, 3)
    assert confident_flow(tiny, estimate_flow(tiny)).forward.isfinite().all()
    with pytest.raises(ValueError, match="do not belong together"):
        confident_flow(torch.rand(3, 3, 20, 24), estimate_flow(torch.rand(2, 3, 20, 24)))


def test_the_gaussian_keeps_what_is_even() -> None:
    even = np.full((9, 11, 2), 0.25, np.float32)
    assert np.abs(planes.blurred(even, 4.0) - 0.25).max() < 1e-6
