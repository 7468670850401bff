"""Temporal steadying: what optical flow says should not have changed between frames is pulled together.

Frames sampled with cross-frame attention agree in what they show; what is left is flicker of brightness and colour, and
strokes that are drawn anew in every frame. Each result frame is moved towards the previous one, warped along the
source's own motion (in the spirit of Bonneel et al. 2015 and Lai et al. 2018, without training), in two bands:

- what is coarse, brightness and colour, unless the source itself changes there: a fade stays a fade;
- what is fine, strokes and edges, where the source's own pixels bear the flow out. Strokes then travel with what they
  are painted on. A mean of strokes that differ is grey, and a picture warped many times is soft, so the fine band
  is brought to the contrast that the frame was drawn with.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from kornia.filters import gaussian_blur2d

from vedit.flow import estimate_flow, warp

COARSE = 0.9
FINE = 0.92
"""The share of the previous frame in each band, where the flow is borne out."""
SIGMA = 3.0
"""Pixels of the working size; finer differences are texture."""
DOUBT = 0.1
"""Difference between the source and its warped predecessor at which the fine band of the past counts 1/e."""
FADE = 0.015
"""Change of the whole frame's brightness or colour from one frame to the next at which the coarse band of the past
counts 1/e: what fades so fast is followed at once, and a slower fade lags by 1 % of full scale."""
SHADE, SHADE_SIGMA = 0.06, 8.0
"""The same of a place, over so many pixels. Errors of the flow look alike, so more is let pass: a shadow
may lag by 4 %."""
CONTRAST = (0.9, 1.15)
"""How far one frame's fine band is made weaker or stronger; the rest follows over the next frames."""
CONTRAST_SIGMA = 6.0
_FLOOR = 1e-6
"""Variance of the fine band, in [0, 1] squared, below which nothing is drawn."""


@dataclass(frozen=True, kw_only=True)
class Steadied:
    """The last frame of a shot so far: source and steadied result, (1, 3, H, W) in [0, 1]."""

    source: torch.Tensor
    result: torch.Tensor


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
            done.append(_joined(drawn, moved, frames[t + 1 : t + 2] - shown, seen).clamp(0, 1))
    steadied = torch.cat(done[len(done) - len(result) :])
    return steadied, Steadied(source=source[-1:], result=steadied[-1:])


def _joined(drawn: torch.Tensor, moved: torch.Tensor, change: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """One frame and its warped predecessor, (1, 3, H, W), as one.

    Args:
        drawn: the frame as it was sampled.
        moved: the steadied frame before it, warped onto it.
        change: the source's frame minus its own predecessor, warped alike.
        seen: (1, 1, H, W), 1 where both frames show the same place.
    """
    fading = (change * seen).sum((2, 3), keepdim=True) / seen.sum().clamp_min(1)
    shading = _low_pass(change, seen, SHADE_SIGMA)
    known = torch.exp(-_power(fading) / FADE**2 - _power(shading) / SHADE**2)
    missed = _blur(change.abs().mean(1, keepdim=True), 1.0).square()
    borne_out = seen * torch.exp(-missed / DOUBT**2)
    difference = moved - drawn
    coarse = _low_pass(difference, seen, SIGMA)
    joined = drawn + COARSE * known * coarse + FINE * borne_out * (difference - coarse)
    return _with_contrast(joined, drawn, borne_out)


def _with_contrast(joined: torch.Tensor, drawn: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`joined` with the local contrast of `drawn` in its fine band, by `weight`."""
    ground = _blur(joined, SIGMA)
    fine = joined - ground
    power = torch.cat([_power(drawn - _blur(drawn, SIGMA)), _power(fine)], dim=1)
    wanted, found = (_blur(power, CONTRAST_SIGMA) + _FLOOR).split(1, dim=1)
    gain = (wanted / found).sqrt().clamp(*CONTRAST)
    return ground + fine * (1 + weight * (gain - 1))


def _power(difference: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): mean square over the colours."""
    return difference.square().mean(1, keepdim=True)


def _low_pass(difference: torch.Tensor, weight: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian mean over the pixels that are seen in both frames; 0 where none is near (normalised convolution)."""
    blurred = _blur(torch.cat([difference * weight, weight], dim=1), sigma)
    return blurred[:, :3] / blurred[:, 3:].clamp_min(0.05) * weight


def _blur(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    size = 2 * round(2.5 * sigma) + 1
    # A picture smaller than the kernel cannot be mirrored at its border.
    short = min(pictures.shape[-2:])
    size = min(size, 2 * ((short - 1) // 2) + 1)
    return gaussian_blur2d(pictures, (size, size), (sigma, sigma))
