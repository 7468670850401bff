"""Temporal steadying: what optical flow says should not have changed between frames is pulled together.

Frames sampled with cross-frame attention agree in what they show; what is left is flicker of brightness and colour, and
strokes that are drawn anew in every frame. Each result frame is moved towards the previous one, warped along the
source's own motion (in the spirit of Bonneel et al. 2015 and Lai et al. 2018, without training), in two bands:

- what is coarse, brightness and colour, unless the source itself changes there: a fade stays a fade;
- what is fine, strokes and edges, where the source's own pixels bear the flow out. Strokes then travel with what they
  are painted on. A mean of strokes that differ is grey, and a picture warped many times is soft, so the fine band
  is brought to the contrast that the frame was drawn with.

Only flicker is pulled: what the source's own difference along the flow accounts for is left, so that a look which
follows the source faithfully, such as a plain regrade, passes as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vedit.finishing.blur import blurred as _blur
from vedit.flow.estimate import estimate_flow, warp
from vedit.progress.spent import spent_on

COARSE = 0.9
FINE = 0.92
"""The share of the previous frame in each band, where there is flicker and the flow is borne out."""
SIGMA = 3.0
"""Pixels of the working size; finer differences are texture."""
AROUND = 6.0
"""Pixels over which contrast and flicker are measured."""
COARSE_TOLERANCE, FINE_TOLERANCE = 3.0, 1.5
"""Times the source's own difference along the flow, in variance, that a result's may have before it is flicker."""
GAIN = (0.25, 2.0)
"""Variance of the result's detail over the source's, within which this is scaled by it."""
DOUBT, DARK_DOUBT = 0.17, 0.02
"""Difference between the source and its warped predecessor at which the fine band of the past counts 1/e: the first
times the brightness there, plus the second."""
FADE = 0.015
"""Change of the whole frame's brightness or colour from one frame to the next at which the coarse band of the past
counts 1/e."""
SHADE, SHADE_SIGMA = 0.04, 8.0
"""The same of a place, over so many pixels. Errors of the flow look alike, so more is let pass."""
CONTRAST = (0.9, 1.15)
"""How far one frame's fine band is made weaker or stronger; the rest follows over the next frames."""
_FLOOR = 1e-6
"""Variance of the fine band, in [0, 1] squared, below which nothing is drawn."""


@dataclass(frozen=True, kw_only=True)
class Steadied:
    """The last frame of a shot so far: source and steadied result, (1, 3, H, W) in [0, 1]."""

    source: torch.Tensor
    result: torch.Tensor


@spent_on("steady")
def steady(source: torch.Tensor, result: torch.Tensor, before: Steadied | None) -> tuple[torch.Tensor, Steadied]:
    """Steady the next frames of a shot.

    Args:
        source: (T, 3, H, W) in [0, 1], at the working size.
        result: the same frames restyled.
        before: what the last call returned, None at a shot's first frame.

    Returns:
        The steadied frames, and what the next call needs.
    """
    frames = source if before is None else torch.cat([before.source, source])
    done = [] if before is None else [before.result]
    todo = list(result.split(1))
    if before is None:
        done.append(todo.pop(0))
    if todo:
        flow = estimate_flow(frames)
        for t, drawn in enumerate(todo):
            last = torch.cat([done[-1], frames[t : t + 1]], dim=1)
            moved, shown = warp(last, flow.backward[t : t + 1], mode="bicubic").clamp(0, 1).split(3, dim=1)
            seen = (~flow.backward_occlusion[t : t + 1]).to(drawn)
            done.append(_joined(drawn, moved, shown, frames[t + 1 : t + 2], seen).clamp(0, 1))
    steadied = torch.cat(done[len(done) - len(result) :])
    return steadied, Steadied(source=source[-1:], result=steadied[-1:])


def _joined(
    drawn: torch.Tensor, moved: torch.Tensor, shown: torch.Tensor, source: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    """One frame and its warped predecessor, (1, 3, H, W), as one.

    Args:
        drawn: the frame as it was sampled.
        moved: the steadied frame before it, warped onto it.
        shown: the source's frame before it, warped alike.
        source: the source's frame.
        seen: (1, 1, H, W), 1 where both frames show the same place.
    """
    change, difference = source - shown, moved - drawn
    fading = (change * seen).sum((2, 3), keepdim=True) / seen.sum().clamp_min(1)
    shading = _low_pass(change, seen, SHADE_SIGMA)
    known = torch.exp(-_power(fading) / FADE**2 - _power(shading) / SHADE**2)
    doubt = DARK_DOUBT + DOUBT * _blur(source.mean(1, keepdim=True), AROUND)
    borne_out = seen * torch.exp(-(_blur(change.abs().mean(1, keepdim=True), 1.0) / doubt).square())
    coarse, coarse_change = (_low_pass(both, seen, SIGMA) for both in (difference, change))
    fine, fine_change = difference - coarse, change - coarse_change
    contrast = _contrast(drawn, source)
    coarse_share = COARSE * known * _flickers(coarse, contrast * _power(coarse_change), COARSE_TOLERANCE)
    fine_share = FINE * borne_out * _flickers(fine, contrast * _power(fine_change), FINE_TOLERANCE)
    return _with_contrast(drawn + coarse_share * coarse + fine_share * fine, drawn, borne_out)


def _flickers(difference: torch.Tensor, own: torch.Tensor, tolerance: float) -> torch.Tensor:
    """(1, 1, H, W) in [0, 1]: how far the results' difference is more than the source's own.

    Where the flow misses a little the source differs from its warped self, and a result that follows it faithfully
    differs as much, times its contrast: that is no flicker, and pulling it together frame after frame would soften it.

    Args:
        difference: the results', (1, 3, H, W).
        own: the variance that the source's difference gives reason for, (1, 1, H, W).
        tolerance: times that variance which pass.
    """
    found, own = _blur(torch.cat([_power(difference), own], dim=1), AROUND).split(1, dim=1)
    excess = (found - tolerance * own).clamp_min(0)
    return excess / (excess + 0.3 * own + _FLOOR)


def _contrast(drawn: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): variance of the result's fine band over that of the source's."""
    power = torch.cat([_power(frame - _blur(frame, SIGMA)) for frame in (drawn, source)], dim=1)
    own, given = (_blur(power, AROUND) + _FLOOR).split(1, dim=1)
    return (own / given).clamp(*GAIN)


def _with_contrast(joined: torch.Tensor, drawn: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`joined` with the local contrast of `drawn` in its fine band, by `weight`."""
    ground = _blur(joined, SIGMA)
    fine = joined - ground
    power = torch.cat([_power(drawn - _blur(drawn, SIGMA)), _power(fine)], dim=1)
    wanted, found = (_blur(power, AROUND) + _FLOOR).split(1, dim=1)
    gain = (wanted / found).sqrt().clamp(*CONTRAST)
    return ground + fine * (1 + weight * (gain - 1))


def _power(difference: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): mean square over the colours."""
    return difference.square().mean(1, keepdim=True)


def _low_pass(difference: torch.Tensor, weight: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian mean over the pixels that are seen in both frames; 0 where none is near (normalised convolution)."""
    blurred = _blur(torch.cat([difference * weight, weight], dim=1), sigma)
    return blurred[:, :3] / blurred[:, 3:].clamp_min(0.05) * weight
