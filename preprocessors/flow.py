"""Optical flow as a picture: a control for models that were trained on flow maps."""

from __future__ import annotations

import math

import torch

from vedit.flow import estimate_flow

FULL_SPEED = 1 / 32
"""Motion per frame, as a part of the shorter side, that is drawn at full saturation."""


def flow(frames: torch.Tensor) -> torch.Tensor:
    """Motion to the next frame: hue is the direction, saturation the speed, white is still.

    The colours are those of the HSV wheel with red to the right and the angle growing downwards. The scale is fixed
    (not the clip's fastest motion), so the same motion has the same colour in every window and shot. The last frame
    has no next one and takes the motion from its predecessor.

    Args:
        frames: one shot, float (T, 3, H, W) in [0, 1].

    Returns:
        Float (T, 3, H, W) in [0, 1].
    """
    if len(frames) < 2:
        return torch.ones_like(frames)
    motion = estimate_flow(frames).forward
    return draw_flow(torch.cat([motion, motion[-1:]]), full_speed=FULL_SPEED * min(frames.shape[-2:])).to(frames)


def draw_flow(motion: torch.Tensor, *, full_speed: float) -> torch.Tensor:
    """(N, 2, H, W) pixels, x then y -> (N, 3, H, W) RGB in [0, 1]; `full_speed` pixels and more are fully saturated."""
    x, y = motion.unbind(1)
    sector = torch.atan2(y, x).remainder(2 * math.pi) * (3 / math.pi)
    saturation = (torch.hypot(x, y) / full_speed).clamp(max=1)
    # HSV at full value: a channel falls from 1 by the saturation times its distance from its own sixth of the wheel.
    channels = [(((sector + offset) % 6 - 3).abs() - 1).clamp(0, 1) for offset in (0, 4, 2)]
    return 1 - saturation[:, None] * (1 - torch.stack(channels, dim=1))
