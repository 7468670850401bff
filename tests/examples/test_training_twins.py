"""Twins: crops of one photograph as a moving camera sees them, and what is held against each other in them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="the train extra is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "train_embedded"))

from trainer.looks import look_named
from trainer.prompts import Outfit
from trainer.twins import REACH, disagreement, draw_motion, moved_crop, with_sensor_noise


def scene(height: int = 120, width: int = 140) -> np.ndarray:
    """A smooth picture without symmetry, so that every motion shows."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = [np.sin(xs / 9 + ys / 17), np.cos(ys / 7), np.sin((xs - 2 * ys) / 13)]
    return np.round(127.5 + 100 * np.stack(planes, axis=-1)).astype(np.uint8)


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_a_shift_by_whole_pixels_is_exact() -> None:
    picture = scene()
    motion = np.array([[1, 0, 3], [0, 1, -5]], np.float32)
    crop = moved_crop(picture, 32, 40, 64, 64, motion)
    assert np.array_equal(crop, picture[27:91, 43:107])


def test_twins_that_follow_their_motion_do_not_disagree() -> None:
    picture = scene()
    outfit = Outfit(looks=(look_named("watercolor"),))
    rng = np.random.default_rng(4)
    first = picture[32:96, 40:104]
    for _ in range(8):
        motion = draw_motion(outfit, 64, 64, rng)
        second = moved_crop(picture, 32, 40, 64, 64, motion)
        given = torch.from_numpy(motion)[None]
        followed = float(disagreement(tensor(first), tensor(second), given))
        assert followed < 1e-4
        if np.abs(motion - np.eye(2, 3)).max() > 1:
            stuck = float(disagreement(tensor(first), tensor(first), given))
            assert stuck > 50 * followed, "a picture that stays where it was is flicker"


def test_looks_that_lie_on_the_frame_do_not_move() -> None:
    rng = np.random.default_rng(0)
    fixed = Outfit(looks=(look_named("night"), look_named("pixel art")))
    assert all(np.array_equal(draw_motion(fixed, 64, 64, rng), np.eye(2, 3)) for _ in range(5))
    free = [draw_motion(Outfit(looks=(look_named("bronze"),)), 64, 64, rng) for _ in range(20)]
    whole = [motion for motion in free if np.array_equal(motion[:, :2], np.eye(2))]
    assert 0 < len(whole) < 20, "both kinds of motion are drawn"
    assert all(np.abs(motion[:, 2]).max() <= REACH for motion in whole)


def test_the_second_exposure_has_noise_of_its_own() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    noisy = with_sensor_noise(flat, np.random.default_rng(1)).astype(float)
    assert noisy.std() == pytest.approx(2.0, rel=0.1)
    assert abs(noisy.mean() - 128) < 0.1
