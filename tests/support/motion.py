"""Pairs of frames whose motion and occlusion are known, because they were drawn with them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from vedit.sample_clip.clip import sample_frames

_SCALES = (1.2, 3.0, 8.0, 24.0)
"""Sigmas in pixels: fine detail to match, and shading to tell far places apart."""
_MARGIN = 32
"""Pixels around the frame from which a moving camera brings new content."""


@dataclass(frozen=True, kw_only=True)
class TruePair:
    """Two frames, float (2, 3, H, W) in [0, 1], and what is true of them."""

    frames: torch.Tensor
    forward: torch.Tensor
    """(1, 2, H, W) pixels, x then y, from the first frame to the second."""
    occluded: torch.Tensor
    """(1, 1, H, W) bool: pixels of the first frame that the second does not show."""


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) in [0, 1]: noise at several scales, smooth enough to be sampled between its pixels."""
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for sigma in _SCALES:
        noise = cv2.GaussianBlur(generator.random((height, width, 3), np.float32), (0, 0), sigma)
        total += (noise - noise.mean()) / noise.std()
    return ((total - total.min()) / (total.max() - total.min())).astype(np.float32)


def sample_canvas(height: int, width: int) -> np.ndarray:
    """The built-in sample picture at the size that `camera_pair` takes as a canvas; its sky and walls are plain."""
    picture = next(iter(sample_frames(1))).transpose(1, 2, 0).astype(np.float32) / 255
    return cv2.resize(picture, (width + 2 * _MARGIN, height + 2 * _MARGIN), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def shift(dx: float, dy: float) -> np.ndarray:
    """(2, 3): every point moves by so many pixels."""
    return np.array([[1, 0, dx], [0, 1, dy]], np.float64)


def turn(height: int, width: int, *, reach: float, scale: bool = False) -> np.ndarray:
    """(2, 3): a rotation, or a zoom, about the middle that moves the corners by `reach` pixels."""
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    amount = reach / float(np.hypot(*middle))
    linear = np.eye(2) * (1 + amount)
    if not scale:
        angle = 2 * np.arcsin(amount / 2)
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([linear, (middle - linear @ middle)[:, None]])


def camera_pair(height: int, width: int, matrix: np.ndarray, *, canvas: np.ndarray | None = None) -> TruePair:
    """A picture seen by a camera that moves: each point x of the first frame goes to matrix (x, 1).

    Args:
        height: rows of the frames.
        width: columns of the frames.
        matrix: (2, 3), in pixels of the frames.
        canvas: (height + 64, width + 64, 3) in [0, 1], the picture; None draws one.
    """
    picture = texture(height + 2 * _MARGIN, width + 2 * _MARGIN) if canvas is None else canvas
    linear, offset = matrix[:, :2], matrix[:, 2]
    moved = np.hstack([linear, (offset - linear @ [_MARGIN, _MARGIN])[:, None]])
    second = cv2.warpAffine(picture, moved, (width, height), flags=cv2.INTER_LANCZOS4)
    first = picture[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    target = np.tensordot(matrix, np.stack([x, y, np.ones_like(x)]), 1)
    inside = (target >= 0).all(0) & (target[0] <= width - 1) & (target[1] <= height - 1)
    return TruePair(
        frames=as_frames(first, second.clip(0, 1)),
        forward=torch.from_numpy((target - np.stack([x, y])).astype(np.float32))[None],
        occluded=torch.from_numpy(~inside)[None, None],
    )


def square_pair(height: int, width: int, *, square: int, motion: tuple[int, int], at: tuple[int, int]) -> TruePair:
    """A textured square that moves over a textured still ground.

    Args:
        height: rows of the frames.
        width: columns of the frames.
        square: its side in pixels; it lies within both frames.
        motion: pixels, x then y.
        at: its left and top in the first frame.
    """
    ground, top = texture(height, width), texture(square, square, seed=1)
    covered = np.zeros((2, height, width), bool)
    images = [ground.copy(), ground.copy()]
    for image, shown, step in zip(images, covered, (0, 1), strict=True):
        left, upper = (start + step * move for start, move in zip(at, motion, strict=True))
        image[upper : upper + square, left : left + square] = top
        shown[upper : upper + square, left : left + square] = True
    forward = np.where(covered[0], np.array(motion, np.float32)[:, None, None], np.float32(0))
    return TruePair(
        frames=as_frames(*images),
        forward=torch.from_numpy(forward)[None],
        occluded=torch.from_numpy(covered[1] & ~covered[0])[None, None],
    )


def as_frames(*images: np.ndarray) -> torch.Tensor:
    """(H, W, 3) each -> (T, 3, H, W)."""
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())


def endpoint_error(flow: torch.Tensor, pair: TruePair) -> float:
    """Mean distance in pixels between a flow and the truth, over the pixels that both frames show."""
    return float((flow - pair.forward).square().sum(1, keepdim=True).sqrt()[~pair.occluded].mean())


def f1(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Harmonic mean of precision and recall of a mask."""
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))
