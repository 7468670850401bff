"""Optical flow as a picture: a control for models that were trained on flow maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from vedit.flow.estimate import flow_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FULL_SPEED = 1 / 32
"""Motion per frame, as a part of the shorter side, that is drawn at full saturation."""


def flow(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Motion to the next frame: hue is the direction, saturation the speed, white is still.

    The colours are those of the HSV wheel with red to the right and the angle growing downwards. The scale is fixed
    (not the clip's fastest motion), so the same motion has the same colour in every window and shot. The last frame
    has no next one and takes the motion from its predecessor; a shot of one frame is still.

    Args:
        chunks: one shot in chunks of any lengths, float (T, 3, H, W) in [0, 1]; see `vedit.protocols.Preprocessor`.

    Yields:
        Float (T, 3, H, W) in [0, 1], one frame for each that came. A frame is drawn when the next one has been read.
    """
    like: torch.Tensor | None = None

    def seen() -> Iterator[torch.Tensor]:
        nonlocal like
        for chunk in chunks:
            like = chunk[-1:] if len(chunk) else like
            yield chunk

    last: torch.Tensor | None = None
    for pairs in flow_pairs(seen()):
        assert like is not None
        drawn = draw_flow(pairs.forward, full_speed=FULL_SPEED * min(pairs.forward.shape[-2:])).to(like)
        last = drawn[-1:].clone()
        yield drawn
    if like is not None:
        yield torch.ones_like(like) if last is None else last


def draw_flow(motion: torch.Tensor, *, full_speed: float) -> torch.Tensor:
    """(N, 2, H, W) pixels, x then y -> (N, 3, H, W) RGB in [0, 1]; `full_speed` pixels and more are fully saturated."""
    x, y = motion.unbind(1)
    sector = torch.atan2(y, x).remainder(2 * math.pi) * (3 / math.pi)
    saturation = (torch.hypot(x, y) / full_speed).clamp(max=1)
    # HSV at full value: a channel falls from 1 by the saturation times its distance from its own sixth of the wheel.
    channels = [(((sector + offset) % 6 - 3).abs() - 1).clamp(0, 1) for offset in (0, 4, 2)]
    return 1 - saturation[:, None] * (1 - torch.stack(channels, dim=1))
