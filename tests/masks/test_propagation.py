"""Masks carried by flow, against the true masks of shapes that were drawn moving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from tests.masks import shapes
from vedit.masks import MatteSource, open_mattes
from vedit.masks.propagated import Key, PropagatedLayer, blended
from vedit.masks.propagation import MaskTracker
from vedit.options.masks import MaskSpec
from vedit.types import FrameRange

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Mask = npt.NDArray[np.floating[Any]]
    Frames = Iterator[tuple[npt.NDArray[np.uint8], Mask]]

HEIGHT, WIDTH = 96, 128


def overlaps(frames: Frames) -> list[float]:
    """Intersection over union of the carried mask of the first frame with the true one, frame by frame."""
    first, mask = next(frames)
    tracker = MaskTracker(first, mask)
    return [shapes.overlap(tracker.follow(frame), true) for frame, true in frames]


def shift(t: int) -> shapes.Motion:
    return shapes.Motion(x=0.7 * t - 15, y=0.3 * t - 6)


def turn(t: int) -> shapes.Motion:
    return shapes.Motion(degrees=2.0 * t)


def grow(t: int) -> shapes.Motion:
    return shapes.Motion(zoom=1 + 0.011 * t)


def shrink(t: int) -> shapes.Motion:
    return shapes.Motion(zoom=1 - 0.009 * t, x=0.4 * t)


def all_at_once(t: int) -> shapes.Motion:
    return shapes.Motion(x=20 * float(np.sin(t / 8)), degrees=-1.5 * t, zoom=1 + float(np.sin(t / 15)) / 5)


@pytest.mark.parametrize(
    ("shape", "motion"),
    [("ellipse", shift), ("ellipse", turn), ("star", grow), ("ellipse", shrink), ("star", all_at_once)],
)
def test_a_first_frames_mask_holds_for_48_frames(shape: str, motion: Callable[[int], shapes.Motion]) -> None:
    mask = shapes.ellipse(HEIGHT, WIDTH, (30, 20)) if shape == "ellipse" else shapes.star(HEIGHT, WIDTH, 32)
    found = overlaps(shapes.clip(mask, motion))
    assert len(found) == 48
    assert min(found) > 0.93


def test_light_and_noise() -> None:
    frames = shapes.clip(
        shapes.star(HEIGHT, WIDTH, 34),
        lambda t: shapes.Motion(x=12 * np.sin(t / 12), degrees=t),
        light=lambda t: 1 - 0.4 * np.sin(t / 16) ** 2,
        noise=3,
    )
    assert min(overlaps(frames)) > 0.93


def test_what_passes_in_front_is_left_out_and_the_object_comes_back() -> None:
    bar = shapes.texture(HEIGHT, 20, 99).transpose(2, 0, 1).astype(np.uint8)

    def frames() -> Frames:
        mask = shapes.ellipse(HEIGHT, WIDTH, (30, 24))
        for t, (frame, true) in enumerate(shapes.clip(mask, lambda t: shapes.Motion(x=0.3 * t - 5), count=38)):
            left = 4 * t - 30
            begin, end = max(0, left), min(WIDTH, left + 20)
            if begin < end:
                frame, true = frame.copy(), true.copy()
                frame[:, :, begin:end], true[:, begin:end] = bar[:, :, begin - left : end - left], 0
            yield frame, true

    found = overlaps(frames())
    assert min(found) > 0.7, "while it passes"
    assert min(found[-4:]) > 0.95, "behind it"


def test_an_object_that_leaves_and_one_that_is_not_there() -> None:
    mask = shapes.ellipse(HEIGHT, WIDTH, (18, 14))
    frames = shapes.clip(mask, lambda t: shapes.Motion(x=4 * t), count=28)
    first, true = next(frames)
    tracker = MaskTracker(first, true)
    for frame, true in frames:
        found = tracker.follow(frame)
        assert abs(float(found.sum()) - float(true.sum())) < 0.2 * float(mask.sum())
    nothing = MaskTracker(first, np.zeros_like(mask))
    assert float(nothing.follow(first).max()) == 0


@pytest.mark.parametrize("size", [(45, 61), (33, 200), (120, 31)])
def test_odd_sizes_and_deep_frames(size: tuple[int, int]) -> None:
    mask = shapes.ellipse(*size, (size[1] / 4, size[0] / 4))
    frames = shapes.clip(mask, lambda t: shapes.Motion(x=0.5 * t), count=6)
    first, true = next(frames)
    tracker = MaskTracker(first.astype(np.uint16) * 4, true, bit_depth=10)
    for frame, true in frames:
        found = tracker.follow(frame.astype(np.uint16) * 4)
        assert found.shape == size
        assert shapes.overlap(found, true) > 0.9


def test_the_edge_stays_as_sharp_as_it_was_drawn() -> None:
    mask = shapes.ellipse(HEIGHT, WIDTH, (30, 24))
    frames = shapes.clip(mask, lambda t: shapes.Motion(x=0.37 * t), count=30)
    first, _ = next(frames)
    tracker = MaskTracker(first, mask)
    last = [tracker.follow(frame) for frame, _ in frames][-1]
    drawn, carried = (int(((m > 0.05) & (m < 0.95)).sum()) for m in (mask, last))
    assert carried < 1.8 * drawn


def test_between_keys_both_count(clip_of: Callable[..., MatteSource], tmp_path: Path) -> None:
    mask = shapes.ellipse(HEIGHT, WIDTH, (30, 22))
    drawn = list(islice(shapes.clip(mask, lambda t: shapes.Motion(x=t - 8, degrees=3 * t)), 16))
    clip = clip_of(np.stack([frame for frame, _ in drawn]))
    keys = [Key(frame=number, picture=drawn[number][1]) for number in (3, 12)]
    layer = PropagatedLayer(keys, clip, tmp_path, follow=True)
    found = layer(clip.frames)
    assert min(shapes.overlap(a, b) for a, (_, b) in zip(found, drawn, strict=True)) > 0.96
    for key in keys:
        assert np.abs(found[key.frame] - key.picture).max() <= 0.5 / 255 + 1e-6
    assert not list(tmp_path.rglob("passing")), "what was passed through is gone"


def test_a_blend_has_one_edge() -> None:
    row = np.arange(60)
    before, after = (np.tile((row < edge).astype(np.float32), (20, 1)) for edge in (20, 40))
    half = blended(before, after, 0.25)
    assert ((half > 0) & (half < 1)).sum() <= 2 * 20
    assert float(half[10].sum()) == pytest.approx(25, abs=1)
    soft = np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(20, 0)
    assert np.array_equal(blended(soft, soft, 0.5), soft)


def test_backwards_is_as_good(moving: MatteSource, keyed: MaskSpec, truth: list[Mask]) -> None:
    with open_mattes(keyed, moving) as mattes:
        found = mattes(moving.frames)[:, 0].numpy()
    assert [shapes.overlap(a, b) > 0.95 for a, b in zip(found, truth, strict=True)] == [True] * 12


def test_memory_is_that_of_a_few_frames(moving: MatteSource, keyed: MaskSpec) -> None:
    with open_mattes(keyed, moving) as mattes:
        one = mattes(FrameRange(start=11, stop=12))
    assert one.shape == (1, 1, 90, 120)
    assert torch.isfinite(one).all()
    with moving.reopen() as reader:
        assert max(len(frames) for frames in getattr(reader, "reads")) <= moving.chunk  # noqa: B009


def test_the_window_shrinks_the_work_of_large_frames() -> None:
    small = shapes.ellipse(HEIGHT, WIDTH, (14, 12))
    frame = np.zeros((3, 1080, 1920), np.uint8)
    texture = shapes.texture(HEIGHT, WIDTH, 5).transpose(2, 0, 1).astype(np.uint8)
    mask = np.zeros((1080, 1920), np.float32)
    frame[:, 500 : 500 + HEIGHT, 900 : 900 + WIDTH] = texture
    mask[500 : 500 + HEIGHT, 900 : 900 + WIDTH] = small
    tracker = MaskTracker(frame, mask)
    shifted = np.roll(frame, (2, 3), (1, 2))
    found = tracker.follow(shifted)
    assert shapes.overlap(found, np.roll(mask, (2, 3), (0, 1))) > 0.95
    assert cv2.countNonZero((found > 0).astype(np.uint8)) < 3 * cv2.countNonZero((mask > 0).astype(np.uint8))


def test_colours_mend_an_outline_that_motion_cannot_tell() -> None:
    """An object that turns out of sight on one side: a disc of one colour that narrows over another, both plain."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]

    def drawn(t: int) -> tuple[npt.NDArray[np.uint8], Mask]:
        inside = np.hypot((x - 64) / (30 - 0.5 * t), (y - 48) / 30) <= 1
        generator = np.random.default_rng(t)
        colours = np.where(inside, np.array([[[200]], [[90]], [[60]]]), np.array([[[70]], [[150]], [[80]]]))
        noisy = colours + generator.normal(scale=4, size=colours.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8), inside.astype(np.float32)

    assert min(overlaps(drawn(t) for t in range(30))) > 0.95
