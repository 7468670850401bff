"""A UNet with motion modules, as the pipelines call it: a window of frames at once, in contexts that overlap.

The modules were trained on 16 frames, so a longer window is cut into contexts of as many, and where these overlap the
network's outputs are averaged, as MultiDiffusion (Bar-Tal et al. 2023) does over space.
"""

from __future__ import annotations

from math import ceil
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

import torch

from vedit.models.families.sd_controls import Residuals
from vedit.models.families.sd_denoiser import SDDenoiser
from vedit.models.motion import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diffusers.models.unets.unet_motion_model import UNetMotionModel

    from vedit.models.families.sd_controls import Branch

_SHARED = 4
"""Frames that neighbouring contexts share at least."""


class AnimateDiffDenoiser(SDDenoiser):
    """See `vedit.models.families.sd_denoiser.SDDenoiser`; ControlNets see each frame by itself."""

    joint = True

    def __init__(self, unet: UNetMotionModel, controlnets: Mapping[str, Branch]) -> None:
        # Every part of it that is asked for is named alike in both classes.
        super().__init__(cast("Any", unet), controlnets)
        self.context = min(CONTEXT, int(unet.config["motion_max_seq_length"]))
        """Frames that see one another."""

    def evaluated(
        self,
        x: torch.Tensor,
        timestep: int,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
        residuals: Residuals | None,
    ) -> torch.Tensor:
        """The network's output (T, C, h, w), each frame's the mean over the contexts that it is in."""
        total, counts = torch.zeros_like(x), torch.zeros(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)
        tokens = self.pictures.tokens
        for part in contexts(len(x), self.context):
            self.pictures.tokens = tokens if tokens is None or len(tokens) == 1 else tokens[part]
            here = None if residuals is None else residuals.each(itemgetter(part))
            output = self.unet(
                x[part].transpose(0, 1)[None],
                timestep,
                encoder_hidden_states=text[part],
                timestep_cond=self._guidance(1),
                down_block_additional_residuals=None if here is None else here.down,
                mid_block_additional_residual=None if here is None else here.middle,
                return_dict=False,
            )[0]
            total[part] += output[0].transpose(0, 1)
            counts[part] += 1
        self.pictures.tokens = tokens
        return total / counts


def contexts(frames: int, length: int) -> tuple[slice, ...]:
    """Ranges of a window of so many frames, of at most `length` each, evenly laid and overlapping by a quarter or
    more; one of all frames where they fit."""
    if frames <= length:
        return (slice(0, frames),)
    stride = max(1, length - min(_SHARED, length // 4))
    more = ceil((frames - length) / stride)
    starts = [round(number * (frames - length) / more) for number in range(more + 1)]
    return tuple(slice(start, start + length) for start in starts)
