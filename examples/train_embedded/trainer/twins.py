"""Twins: two crops of one photograph as a moving camera would see it, under one look. What differs between them beside
the motion is flicker.

The second crop lies otherwise on the latent grid: shifted by whole pixels, or moved by a smooth camera motion (shift,
zoom, turn) and resampled. Both are learnt from like all others; beside that, what is predicted for the one is held
against what is predicted for the other where both see the same, as in the training of blind temporal consistency (Lai
et al. 2018, equation 5, with the flow known).
"""

from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trainer.photos import Image
from trainer.prompts import Outfit

FIXED_TO_FRAME = frozenset({"pixel art", "bricks", "knitting", "mosaic", "halftone", "engraving", "comic", "vhs"})
"""Made of cells, screens and scan lines, which lie on the sheet and not on what is shown."""
IN_THE_AIR = frozenset({"rain", "winter", "blossom", "aurora", "storm", "underwater", "fog", "marble"})
"""What falls, drifts or glows in front of the scene is seeded and does not follow it; nor do veins through a block."""

REACH = 7
"""Pixels that a shift goes at most, along each axis: every place on the latent grid is met."""
ZOOM, TURN = 0.03, 2.0
"""Of a smooth motion: the part by which it enlarges or shrinks at most, and its degrees."""
SENSOR_NOISE = 2.0
"""Standard deviation, of 255, of what is added to the photograph of the second crop: no two frames are alike."""

Motion = NDArray[np.float32]
"""(2, 3): pixel centres of the second crop -> where they lie in the first, x then y."""


def draw_motion(outfit: Outfit, height: int, width: int, rng: np.random.Generator) -> Motion:
    """A motion for a picture: half of them whole pixels, none where the look would not follow."""
    still = {look.name for look in outfit.looks} & (FIXED_TO_FRAME | IN_THE_AIR)
    if still:
        return np.eye(2, 3, dtype=np.float32)
    if rng.random() < 0.5:
        shift = rng.integers(-REACH, REACH + 1, 2)
        return np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    turn = np.deg2rad(rng.uniform(-TURN, TURN))
    size = 1 + rng.uniform(-ZOOM, ZOOM)
    across = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = middle - across @ middle + rng.uniform(-REACH, REACH, 2)
    return np.concatenate([across, shift[:, None]], axis=1).astype(np.float32)


def moved_crop(picture: Image, y: int, x: int, height: int, width: int, motion: Motion) -> Image:
    """The crop (height, width, 3) whose top left corner lies at (y, x) in the picture, after the motion.

    What the motion brings in comes from the rest of the picture; beyond its border it is mirrored. Shifts by whole
    pixels are exact.
    """
    onto = motion.copy()
    onto[:, 2] += (x, y)
    whole = bool(np.all(motion == np.round(motion)))
    flags = (cv2.INTER_NEAREST if whole else cv2.INTER_LANCZOS4) | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(
        np.ascontiguousarray(picture), onto, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(made, np.uint8)


def with_sensor_noise(picture: Image, rng: np.random.Generator) -> Image:
    """The photograph as the next exposure would give it."""
    noise = rng.standard_normal(picture.shape, np.float32) * SENSOR_NOISE
    return np.clip(np.round(picture + noise), 0, 255).astype(np.uint8)


def disagreement(first: Tensor, second: Tensor, motion: Tensor) -> Tensor:
    """Mean squared difference of the pictures where both see the same.

    Args:
        first: (K, 3, H, W).
        second: the same pictures after the motion.
        motion: (K, 2, 3), as `Motion`.
    """
    height, width = first.shape[-2:]
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    here = torch.stack([xs, ys, torch.ones_like(xs)], dim=-1).to(motion)  # (H, W, 3)
    there = torch.einsum("hwc,kdc->khwd", here, motion)
    limit = torch.tensor([width - 1, height - 1]).to(motion)
    seen = ((there >= 0) & (there <= limit)).all(-1)[:, None].to(first)
    carried = F.grid_sample(first, 2 * there / limit - 1, mode="bicubic", padding_mode="border", align_corners=True)
    error = (carried - second).square().mean(1, keepdim=True)
    return (error * seen).sum() / seen.sum().clamp_min(1)


def as_batch(motions: list[Motion]) -> NDArray[Any]:
    """(K, 2, 3), K may be 0."""
    return np.stack(motions) if motions else np.zeros((0, 2, 3), np.float32)
