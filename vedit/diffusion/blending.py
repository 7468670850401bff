"""Where nothing may change: latents outside the mask are kept on the source's own trajectory.

Blended Latent Diffusion (Avrahami et al. 2023, algorithm 1): after every step the latents outside the mask are set to
the source's at that noise level, so that what is drawn inside is drawn in the source's surroundings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import acos, sin, sqrt
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from vedit.diffusion.trajectory import Step, Trajectory

SourceAt = Callable[["Step"], torch.Tensor]
"""The source's latents (T, C, h, w) at a step's clean end."""
LatentBlend = Callable[[torch.Tensor, "Step"], torch.Tensor]
"""Latents (T, C, h, w) at a step's clean end -> the same with what is outside the mask put back."""


def pool_mask(mask: torch.Tensor, *, space: int, time: int = 1, first_alone: bool = False) -> torch.Tensor:
    """A mask of pixels -> one of latent cells, by union: a cell is what the highest of its pixels is.

    Averages would lose a mask that covers little of a cell or one frame of a group; with the union no edited pixel is
    ever outside. A last cell or group that the frames do not fill pools what there is.

    Args:
        mask: (T, 1, H, W) in [0, 1], 1 = edit.
        space: pixels to a latent cell, along each side.
        time: frames to a latent frame.
        first_alone: the first frame has a latent frame to itself, as in causal video autoencoders (4n + 1 frames).

    Returns:
        (T', 1, ceil(H / space), ceil(W / space)), T' = ceil(T / time), or 1 + ceil((T - 1) / time) with `first_alone`.

    Raises:
        ValueError: the mask is not (T, 1, H, W) or empty, or a factor is below 1.
    """
    if mask.ndim != 4 or mask.shape[1] != 1 or not mask.numel():
        raise ValueError(f"a mask is (T, 1, H, W), got {tuple(mask.shape)}")
    if space < 1 or time < 1:
        raise ValueError(f"factors are at least 1, got {space} and {time}")
    cells = F.max_pool2d(mask, space, ceil_mode=True) if space > 1 else mask
    groups = [*(cells[:1].split(1) if first_alone else ()), *cells[int(first_alone) :].split(time)]
    return torch.cat([group.amax(0, keepdim=True) for group in groups if len(group)])


def blend_outside(mask: torch.Tensor, source_at: SourceAt) -> LatentBlend:
    """For `vedit.diffusion.samplers.sample`: the source at the step's noise level where the mask is 0.

    Args:
        mask: (T, 1, h, w) in [0, 1] on the latent grid, from `pool_mask`; between 0 and 1 both are mixed.
        source_at: the source's own trajectory.
    """

    def keep(x: torch.Tensor, step: Step) -> torch.Tensor:
        inside = mask.to(x)
        # In this form, not as a change from one to the other, 0 and 1 are exact.
        return inside * x + (1 - inside) * source_at(step).to(x)

    return keep


def noised_source(clean: torch.Tensor, noise: torch.Tensor) -> SourceAt:
    """The trajectory of a source that was noised: its latents under the same noise all the way; both (T, C, h, w)."""

    def at(step: Step) -> torch.Tensor:
        if step.index == step.count - 1:
            # The last step's clean end has a rest of noise in some schedules, which the sampler's result has not.
            return clean
        return sqrt(step.alpha_cleaner) * clean + sqrt(1 - step.alpha_cleaner) * noise

    return at


def inverted_source(passed: Sequence[torch.Tensor]) -> SourceAt:
    """The trajectory of a source that was inverted: its clean latents and what its inversion made of them, in order."""
    return lambda step: passed[step.count - 1 - step.index]


def source_between(passed: Sequence[torch.Tensor], stops: Trajectory) -> SourceAt:
    """The trajectory of a source that was inverted in other steps than are sampled.

    Between two stops it is where DDIM leads when picture and noise are the same all the way (Song et al. 2021,
    equation 12): on the arc through both, by the angle whose cosine is the picture's share.

    Args:
        passed: as in `inverted_source`.
        stops: of the inversion, the noisiest where the sampling begins.
    """
    angles = [acos(sqrt(level)) for level in (stops.steps[-1].alpha_cleaner, *(s.alpha for s in reversed(stops.steps)))]

    def at(step: Step) -> torch.Tensor:
        if step.index == step.count - 1:
            return passed[0]
        angle = acos(sqrt(step.alpha_cleaner))
        above = min(max(bisect_left(angles, angle), 1), len(angles) - 1)
        low, high = angles[above - 1], angles[above]
        return (sin(high - angle) * passed[above - 1] + sin(angle - low) * passed[above]) / sin(high - low)

    return at
