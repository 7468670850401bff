"""The UNet of a Stable Diffusion with what reads its controls, as the pipelines call it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from vedit.diffusion.adapters.image_prompts import PICTURES, ShownPictures
from vedit.models.attention_kernels import AUTO, attending_by
from vedit.models.families.sd_controls import ControlBranches, Residuals

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.families.modules import Turns
    from vedit.models.families.sd_controls import Branch
    from vedit.types import ControlInput, PromptEmbeds


class SDDenoiser:
    """UNet with its ControlNets and T2I-Adapters; see `vedit.protocols.Denoiser`. Its levels are timesteps."""

    joint = False

    def __init__(self, unet: UNet2DConditionModel, controlnets: Mapping[str, Branch]) -> None:
        self.unet = unet
        self._branches = ControlBranches(controlnets)
        self.turns: Turns | None = None
        self.attention = AUTO
        """The kernel that computes attention (`vedit.models.attention_kernels`)."""
        self.guidance_input: float | None = None
        """The scale of guidance for a UNet that takes it as an input; None leaves it out."""
        self.pictures = ShownPictures()

    @property
    def controlnets(self) -> Mapping[str, Branch]:
        """What reads controls, by their kinds."""
        return self._branches.nets

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """UNet, ControlNets and T2I-Adapters."""
        return (self.unet, *dict.fromkeys(self.controlnets.values()))

    def added(self, x: torch.Tensor, prompt: PromptEmbeds) -> dict[str, torch.Tensor] | None:
        """What the networks are told beside the text's states, by diffusers' names; None is nothing.

        Args:
            x: noisy latents (T, C, h, w).
            prompt: of all frames, or one for each.
        """
        return None

    @torch.inference_mode()
    def __call__(
        self,
        x: torch.Tensor,
        level: float,
        prompt: PromptEmbeds,
        controls: Sequence[ControlInput],
    ) -> torch.Tensor:
        """Raw output of the UNet, with what the control branches add to it (`vedit.models.families.sd_controls`)."""
        if self.turns is not None:
            self.turns.take(self.unet)
        dtype, timestep = self.unet.dtype, round(level)
        text = prompt.states.to(dtype).expand(len(x), -1, -1)
        self.pictures.tokens = prompt.others.get(PICTURES)
        added = self.added(x, prompt)
        with attending_by(self.attention):
            residuals = self._branches(x, timestep, text, controls, added=added)
            return self.evaluated(x.to(dtype), timestep, text, added, residuals).to(x.dtype)

    def evaluated(
        self,
        x: torch.Tensor,
        timestep: int,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
        residuals: Residuals | None,
    ) -> torch.Tensor:
        """The UNet's output (T, C, h, w).

        Args:
            x: noisy latents (T, C, h, w), in the UNet's number format.
            timestep: of the noise schedule.
            text: states (T, L, D).
            added: see `added`.
            residuals: of the control branches; None without.
        """
        brought = residuals or Residuals()
        return self.unet(
            x,
            timestep,
            encoder_hidden_states=text,
            timestep_cond=self._guidance(len(x)),
            added_cond_kwargs=added,
            down_block_additional_residuals=brought.down or None,
            mid_block_additional_residual=brought.middle,
            # A list of this call's own, which the UNet empties.
            down_intrablock_additional_residuals=list(brought.within) or None,
            return_dict=False,
        )[0]

    def _guidance(self, count: int) -> torch.Tensor | None:
        """What the UNet is told of the scale beside the timestep, (T, D); None where it takes none."""
        if self.guidance_input is None:
            return None
        width = int(self.unet.config["time_cond_proj_dim"])
        embedded = scale_embedding(self.guidance_input - 1, width)
        return embedded.to(self.unet.device, self.unet.dtype).expand(count, -1)


def scale_embedding(scale: float, width: int) -> torch.Tensor:
    """A scale of guidance above none as sines and cosines, float32 (1, width): embedded as timesteps are (Vaswani et
    al. 2017), a thousand times as large."""
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / (half - 1)))
    angles = 1000.0 * scale * rates
    return F.pad(torch.cat([angles.sin(), angles.cos()]), (0, width % 2))[None]
