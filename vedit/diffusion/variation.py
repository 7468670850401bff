"""A beginning between the inverted source and noise: what is drawn of the seed, and how much of it.

The inversion of a source is the source's own detail at the noise level where sampling begins, so a render that begins
there redraws what was filmed, and no seed acts on it. Noise in its place leaves the strokes to the look. Between both,
a part of the noise that the inversion implies gives way to drawn noise, on an arc, so that the sum has the same
deviation all the way; what is left of the picture itself at that level, its large shapes and colours, stays.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from vedit.diffusion.steps import implied_noise, noised

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.steps import Step


def varied(
    inverted: torch.Tensor, clean: torch.Tensor, noise: torch.Tensor, step: Step, *, amount: float
) -> torch.Tensor:
    """The inverted source with a share of its noise drawn anew.

    Args:
        inverted: latents (T, C, h, w) at the noisy end of `step`.
        clean: those of the source.
        noise: standard normal, (T, C, h, w).
        step: the first that is sampled.
        amount: [0, 1]; 0 is the inverted source, 1 the source under drawn noise alone.

    Returns:
        `clean` under the noise sqrt(1 - amount^2) e + amount s noise, with e the noise that `inverted` implies and s
        its deviation in each frame.
    """
    own = implied_noise(inverted, clean, step)
    # A frame by itself: it must not depend on those that are sampled with it.
    drawn = noise.to(own) * own.std(dim=(1, 2, 3), keepdim=True)
    return noised(clean, sqrt(1 - amount**2) * own + amount * drawn, step)
