"""The UNet of a Stable Diffusion with its ControlNets, as the pipelines call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from vedit.models.families.sd_controls import ControlBranches

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.families.modules import ModuleOffload
    from vedit.models.families.sd_controls import ControlNet
    from vedit.types import ControlInput, PromptEmbeds


class SDDenoiser:
    """UNet with its ControlNets; see `vedit.protocols.Denoiser`. Its levels are the scheduler's timesteps."""

    joint = False

    def __init__(self, unet: UNet2DConditionModel, controlnets: Mapping[str, ControlNet]) -> None:
        self.unet = unet
        self._branches = ControlBranches(controlnets)
        self.turns: ModuleOffload | None = None

    @property
    def controlnets(self) -> Mapping[str, ControlNet]:
        """By kind of control."""
        return self._branches.nets

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """UNet and ControlNets."""
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
        added = self.added(x, prompt)
        residuals = self._branches(x, timestep, text, controls, added=added)
        output = self.unet(
            x.to(dtype),
            timestep,
            encoder_hidden_states=text,
            added_cond_kwargs=added,
            down_block_additional_residuals=None if residuals is None else residuals.down,
            mid_block_additional_residual=None if residuals is None else residuals.middle,
            return_dict=False,
        )[0]
        return output.to(x.dtype)
