"""Where nothing may change: latents outside the mask are kept on the source's own trajectory.

Blended Latent Diffusion (Avrahami et al. 2023, algorithm 1): after every step the latents outside the mask are set to
the source's at that noise level, so that what is drawn inside is drawn in the source's surroundings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import acos, hypot, isclose, sin
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from vedit.diffusion.steps import noised_behind

if TYPE_CHECKING:
    from vedit.diffusion.solvers import Trajectory
    from vedit.diffusion.steps import Step
    from vedit.latent_shape import ScaleFactors

SourceAt = Callable[["Step"], torch.Tensor]
"""The source's latents (T, C, h, w) at a step's clean end."""
LatentBlend = Callable[[torch.Tensor, "Step"], torch.Tensor]
"""Latents (T, C, h, w) at a step's clean end -> the same with what is outside the mask put back."""


def pool_mask(mask: torch.Tensor, factors: ScaleFactors) -> torch.Tensor:
    """A mask of pixels -> one of latent cells, by union: a cell is what the highest of its pixels is.

    Averages would lose a mask that covers little of a cell or one frame of a group; with the union no edited pixel is
    ever outside. A last cell or group that the frames do not fill pools what there is.

    Args:
        mask: (T, 1, H, W) in [0, 1], 1 = edit.
        factors: of the model's latents.

    Returns:
        (T', 1, ceil(H / factors.height), ceil(W / factors.width)), T' = `factors.latents(T)`.

    Raises:
        ValueError: the mask is not (T, 1, H, W) or empty.
    """
    if mask.ndim != 4 or mask.shape[1] != 1 or not mask.numel():
        raise ValueError(f"a mask is (T, 1, H, W), got {tuple(mask.shape)}")
    sides = (factors.height, factors.width)
    cells = F.max_pool2d(mask, sides, ceil_mode=True) if sides != (1, 1) else mask
    if factors.frame_by_frame:
        return cells
    starts = factors.first_frames(len(mask))
    stops = (*starts[1:], len(mask))
    return torch.stack([cells[start:stop].amax(0) for start, stop in zip(starts, stops, strict=True)])


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
        return noised_behind(clean, noise, step)

    return at


def inverted_source(passed: Sequence[torch.Tensor]) -> SourceAt:
    """The trajectory of a source that was inverted: its clean latents and what its inversion made of them, in order."""
    return lambda step: passed[step.count - 1 - step.index]


def source_between(passed: Sequence[torch.Tensor], stops: Trajectory) -> SourceAt:
    """The trajectory of a source that was inverted in other steps than are sampled.

    Between two stops it is where DDIM leads when picture and noise are the same all the way (Song et al. 2021,
    equation 12): the mix of both stops that has the picture's and the noise's share, by angles as on an arc.

    Args:
        passed: as in `inverted_source`.
        stops: of the inversion, the noisiest where the sampling begins.
    """
    last = stops.steps[-1]
    levels = [(last.signal_cleaner, last.noise_cleaner), *((step.signal, step.noise) for step in reversed(stops.steps))]
    angles, radii = zip(*(_polar(signal, noise) for signal, noise in levels), strict=True)

    def at(step: Step) -> torch.Tensor:
        if step.index == step.count - 1:
            return passed[0]
        angle, radius = _polar(step.signal_cleaner, step.noise_cleaner)
        above = min(max(bisect_left(angles, angle), 1), len(angles) - 1)
        low, high = angles[above - 1], angles[above]
        below_share = sin(high - angle) * (radius / radii[above - 1])
        above_share = sin(angle - low) * (radius / radii[above])
        return (below_share * passed[above - 1] + above_share * passed[above]) / sin(high - low)

    return at


def _polar(signal: float, noise: float) -> tuple[float, float]:
    """Angle and radius of the shares of picture and noise; the radius is 1 on a variance-preserving schedule."""
    radius = hypot(signal, noise)
    if isclose(radius, 1.0, rel_tol=1e-9):
        radius = 1.0
    return acos(signal / radius), radius
