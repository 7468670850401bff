"""Dense optical flow between neighbouring frames, where it fails to match, and warping by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from vedit.types import OpticalFlow

if TYPE_CHECKING:
    import numpy.typing as npt

_SMALLEST = 64
"""DIS fails on pyramids of tiny frames; smaller ones are padded by repeating their edge."""


def estimate_flow(frames: torch.Tensor) -> OpticalFlow:
    """Motion between neighbours, both ways, with occlusions.

    DIS at its medium preset (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016) on luma; see
    `find_occlusion` for the second part. A whole shot fits: each pair is computed alone.

    Args:
        frames: one shot, float (T, 3, h, w) in [0, 1].

    Returns:
        Flow of T - 1 pairs, float32, in pixels of these frames; on the CPU.

    Raises:
        ValueError: frames of another shape.
    """
    if frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"flow needs frames (T, 3, h, w), got {tuple(frames.shape)}")
    height, width = frames.shape[-2:]
    grey = _grey(frames)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    shape = (max(len(frames) - 1, 0), 2, height, width)
    forward, backward = torch.zeros(shape), torch.zeros(shape)
    for t in range(len(grey) - 1):
        for target, (first, second) in ((forward, (t, t + 1)), (backward, (t + 1, t))):
            # A new start each time: the result must not depend on which pair came before.
            flow = dis.calc(grey[first], grey[second], cast("cv2.typing.MatLike", None))
            target[t] = torch.from_numpy(flow[:height, :width].transpose(2, 0, 1).copy())
    return OpticalFlow(
        forward=forward,
        backward=backward,
        forward_occlusion=find_occlusion(forward, backward),
        backward_occlusion=find_occlusion(backward, forward),
    )


def find_occlusion(flow: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
    """Where a flow has no match: (N, 1, H, W) bool.

    Three criteria, the constants those of UnFlow (Meister et al., 2018, equation 2) and of the evaluation of Lai et
    al. ("Learning Blind Video Temporal Consistency", 2018): the way there and back does not close,
    |F + R o F|^2 > 0.01 (|F|^2 + |R o F|^2) + 0.5; the flow has a motion boundary, |grad F|^2 > 0.01 |F|^2 + 0.002; the
    target lies outside the frame.

    Args:
        flow: (N, 2, H, W) pixels, x then y, from this frame to the other.
        reverse: the same from the other frame to this one.
    """
    back = warp(reverse, flow)
    closed = (flow + back).square().sum(1, keepdim=True)
    bound = 0.01 * (flow.square().sum(1, keepdim=True) + back.square().sum(1, keepdim=True)) + 0.5
    along_x = F.pad(flow.diff(dim=-1), (0, 1)).square().sum(1, keepdim=True)
    along_y = F.pad(flow.diff(dim=-2), (0, 0, 0, 1)).square().sum(1, keepdim=True)
    boundary = along_x + along_y > 0.01 * flow.square().sum(1, keepdim=True) + 0.002
    height, width = flow.shape[-2:]
    target = _positions(height, width, flow) + flow
    limit = torch.tensor([width - 1, height - 1], device=flow.device).view(1, 2, 1, 1)
    outside = ((target < 0) | (target > limit)).any(1, keepdim=True)
    return (closed > bound) | boundary | outside


def warp(frames: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Backward warping: out(x) = frames(x + flow(x)), bilinear; outside the frame its edge is repeated.

    `warp(frames[1:], flow.forward)` lays each next frame over its predecessor; `warp(frames[:-1], flow.backward)` lays
    each frame over its successor.

    Args:
        frames: float (N, C, H, W).
        flow: (N, 2, H, W) pixels, x then y.

    Returns:
        (N, C, H, W).
    """
    height, width = flow.shape[-2:]
    target = _positions(height, width, flow) + flow
    extent = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=flow.device).view(1, 2, 1, 1)
    grid = (target / extent * 2 - 1).permute(0, 2, 3, 1).to(frames.dtype)
    return F.grid_sample(frames, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _positions(height: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """(1, 2, H, W) pixel positions, x then y."""
    rows = torch.arange(height, device=like.device, dtype=like.dtype)
    columns = torch.arange(width, device=like.device, dtype=like.dtype)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y])[None]


def _grey(frames: torch.Tensor) -> npt.NDArray[np.uint8]:
    """(T, h, w) luma as 8-bit integers, padded to what DIS can take."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    luma = (frames.float().cpu().clamp(0, 1) * weights).sum(1, keepdim=True)
    height, width = luma.shape[-2:]
    padding = (0, max(0, _SMALLEST - width), 0, max(0, _SMALLEST - height))
    padded = F.pad(luma, padding, mode="replicate") if any(padding) else luma
    return (padded[:, 0] * 255).round().to(torch.uint8).numpy()
