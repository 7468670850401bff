"""Flow against motion and occlusion that are known, because the frames were drawn with them."""

import weakref
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch

from tests.support.motion import (
    TruePair,
    as_frames,
    camera_pair,
    endpoint_error,
    f1,
    sample_canvas,
    shift,
    square_pair,
    texture,
    turn,
)
from vedit.flow.estimate import FLOW_SIDE, estimate_flow, find_occlusion, flow_pairs, matched_share, warp
from vedit.types import OpticalFlow

HEIGHT, WIDTH = 240, 320
CAMERAS = {
    "right 8": shift(8, 0),
    "up left 8": shift(-5.6, -5.7),
    "half a pixel": shift(0.5, -0.25),
    "still": shift(0, 0),
    "rotation 8": turn(HEIGHT, WIDTH, reach=8),
    "rotation -4": turn(HEIGHT, WIDTH, reach=-4),
    "zoom in 8": turn(HEIGHT, WIDTH, reach=8, scale=True),
    "zoom out 8": turn(HEIGHT, WIDTH, reach=-8, scale=True),
}
SQUARES = (
    (80, (8, 0), (40, 60)),
    (80, (-8, 0), (180, 120)),
    (80, (0, 8), (40, 60)),
    (80, (0, -5), (200, 110)),
    (80, (6, 6), (90, 70)),
    (80, (-6, 4), (100, 70)),
    (100, (12, -8), (90, 100)),
)


@cache
def seen(name: str, picture: bool) -> tuple[TruePair, OpticalFlow]:
    pair = camera_pair(HEIGHT, WIDTH, CAMERAS[name], canvas=sample_canvas(HEIGHT, WIDTH) if picture else None)
    return pair, estimate_flow(pair.frames)


@pytest.mark.parametrize("picture", [False, True], ids=["noise", "picture"])
@pytest.mark.parametrize("name", CAMERAS)
def test_the_motion_of_a_camera(name: str, picture: bool) -> None:
    pair, flow = seen(name, picture)
    assert flow.forward.shape == (1, 2, HEIGHT, WIDTH) and flow.forward_occlusion.shape == (1, 1, HEIGHT, WIDTH)
    assert flow.forward.dtype == torch.float32 and flow.forward_occlusion.dtype == torch.bool
    assert endpoint_error(flow.forward, pair) < 0.3
    inner = (..., slice(16, -16), slice(16, -16))
    # What comes in must lie over what was there: forward and backward are each other's inverse.
    assert (flow.forward + warp(flow.backward, flow.forward))[inner].square().sum(1).sqrt().mean() < 0.3
    assert flow.forward_occlusion[inner].float().mean() < 0.03
    assert flow.backward_occlusion[inner].float().mean() < 0.03


def test_large_frames_are_matched_at_the_flow_size() -> None:
    """At the default size and scaled back up, 720 lines still meet the bar."""
    for matrix in (shift(8, 0), turn(720, 960, reach=8), turn(720, 960, reach=8, scale=True)):
        pair = camera_pair(720, 960, matrix)
        flow = estimate_flow(pair.frames)
        assert flow.forward.shape == (1, 2, 720, 960)
        assert endpoint_error(flow.forward, pair) < 0.3
    assert not torch.equal(flow.forward, estimate_flow(pair.frames, short_side=FLOW_SIDE // 2).forward)


@pytest.mark.parametrize(("square", "motion", "at"), SQUARES, ids=str)
def test_what_a_moving_square_covers(square: int, motion: tuple[int, int], at: tuple[int, int]) -> None:
    pair = square_pair(HEIGHT, WIDTH, square=square, motion=motion, at=at)
    back = square_pair(
        HEIGHT, WIDTH, square=square, motion=(-motion[0], -motion[1]), at=(at[0] + motion[0], at[1] + motion[1])
    )
    flow = estimate_flow(pair.frames)
    assert f1(flow.forward_occlusion, pair.occluded) > 0.8
    assert f1(flow.backward_occlusion, back.occluded) > 0.8
    assert endpoint_error(flow.forward, pair) < 0.1
    assert flow.forward[..., : at[1] - 30, :].abs().max() < 0.1


def test_motion_boundaries_are_counted_where_asked() -> None:
    pair = square_pair(HEIGHT, WIDTH, square=80, motion=(8, 0), at=(40, 60))
    true = estimate_flow(pair.frames)
    plain = find_occlusion(true.forward, true.backward)
    more = find_occlusion(true.forward, true.backward, boundaries=True)
    assert torch.equal(plain, true.forward_occlusion)
    assert (more | plain).equal(more) and more[0, 0, 58:61, 60:100].any(0).all()
    assert not plain[0, 0, 58:61, 60:100].any(0).all()


def test_the_truth_has_the_true_occlusion() -> None:
    forward = square_pair(64, 96, square=24, motion=(6, -4), at=(30, 20))
    backward = square_pair(64, 96, square=24, motion=(-6, 4), at=(36, 16))
    found = find_occlusion(forward.forward, backward.forward)
    assert f1(found, forward.occluded) > 0.98


def test_what_leaves_the_frame_is_occluded() -> None:
    flow = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 10, 12)
    hidden = find_occlusion(flow, -flow)
    assert hidden[..., -3:].all() and not hidden[..., :-3].any()
    assert not find_occlusion(flow * 0.1, -flow * 0.1).any()  # a third of a pixel leaves no pixel's place


def test_a_cut_carries_nothing_over() -> None:
    """Two pictures that have nothing in common: as good as nothing is matched, and all of it is marked."""
    first, second = sample_canvas(HEIGHT, WIDTH), np.ascontiguousarray(texture(HEIGHT + 64, WIDTH + 64, seed=5))
    flow = estimate_flow(as_frames(*(image[:HEIGHT, :WIDTH] for image in (first, first, second, second))))
    assert matched_share(flow).tolist() == [1, 0, 1]
    assert flow.forward_occlusion[1].all() and flow.backward_occlusion[1].all()


def test_fast_motion_is_no_cut() -> None:
    pair = camera_pair(HEIGHT, WIDTH, shift(24, 6))
    assert matched_share(estimate_flow(pair.frames)).item() > 0.8


def test_warp_lays_the_next_frame_over_this_one() -> None:
    pair = camera_pair(120, 160, shift(4, -2))
    flow = estimate_flow(pair.frames)
    inner = (..., slice(16, -16), slice(16, -16))
    first, second = pair.frames[:1], pair.frames[1:]
    assert (warp(second, flow.forward) - first)[inner].abs().mean() < 0.01
    assert (second - first)[inner].abs().mean() > 0.05
    assert (warp(first, flow.backward) - second)[inner].abs().mean() < 0.01


def test_warp_by_whole_pixels_is_exact() -> None:
    frames = torch.rand(2, 3, 9, 11)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, 9, 11)
    out = warp(frames, flow)
    assert torch.allclose(out[..., 1:, :-2], frames[..., :-1, 2:], atol=1e-5)
    assert torch.allclose(warp(frames, torch.zeros_like(flow)), frames, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_have_no_flow(count: int) -> None:
    flow = estimate_flow(torch.rand(count, 3, 20, 20))
    assert flow.forward.shape == (0, 2, 20, 20)
    assert flow.backward_occlusion.shape == (0, 1, 20, 20)
    assert list(flow_pairs([torch.rand(count, 3, 20, 20)])) == []


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (33, 47), (500, 361)])
def test_any_size(size: tuple[int, int]) -> None:
    flow = estimate_flow(torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)))
    assert flow.forward.shape == (1, 2, *size)
    assert flow.forward.isfinite().all()


@pytest.mark.parametrize("size", [(64, 80), (400, 420)])
def test_chunks_make_no_difference(size: tuple[int, int]) -> None:
    """Each pair is computed alone: a stream is the whole, and a pair does not depend on its neighbours."""
    frames = as_frames(*(texture(*size, seed=seed // 2) for seed in range(5)))
    whole = estimate_flow(frames)
    for lengths in ((1, 1, 1, 1, 1), (2, 3), (1, 4), (5,)):
        parts = list(flow_pairs(frames.split(list(lengths))))
        for name in ("forward", "backward", "forward_occlusion", "backward_occlusion"):
            assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert torch.equal(estimate_flow(frames[2:]).forward, whole.forward[2:])


def test_a_stream_keeps_no_frames() -> None:
    alive: list[weakref.ref[torch.Tensor]] = []

    def chunks() -> Iterator[torch.Tensor]:
        for seed in range(20):
            chunk = torch.full((2, 3, 32, 32), seed / 20)
            alive.append(weakref.ref(chunk))
            yield chunk
            assert sum(reference() is not None for reference in alive) <= 2

    assert sum(len(flow.forward) for flow in flow_pairs(chunks())) == 39


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="needs frames"):
        estimate_flow(torch.rand(3, 20, 20))
    with pytest.raises(ValueError, match="30x20 after 20x20"):
        list(flow_pairs([torch.rand(2, 3, 20, 20), torch.rand(1, 3, 20, 30)]))
    with pytest.raises(ValueError, match="shorter side is 0"):
        estimate_flow(torch.rand(2, 3, 20, 20), short_side=0)
