"""The UNet of a Stable Diffusion XL with what reads its controls, as the pipelines call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from vedit.models.families.sd_denoiser import SDDenoiser
from vedit.models.families.sdxl_text import POOLED

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.families.sd_controls import Branch
    from vedit.types import PromptEmbeds


class SDXLDenoiser(SDDenoiser):
    """A UNet that is told the size of the picture and the summary of its text beside the rest (Podell et al. 2023, sec.
    2.2): the whole picture, at the size that it is worked at, nothing cut off.

    Args:
        unet: on its device.
        controlnets: what reads controls, by their kinds.
        cell: pixels to a latent cell along each side.
    """

    def __init__(self, unet: UNet2DConditionModel, controlnets: Mapping[str, Branch], *, cell: int) -> None:
        super().__init__(unet, controlnets)
        self.cell = cell

    def added(self, x: torch.Tensor, prompt: PromptEmbeds) -> dict[str, torch.Tensor]:
        """Summaries (T, P) of the text, and of each frame its own height and width, where it was cut, and the height
        and width that are wanted: (T, 6) pixels."""
        height, width = (side * self.cell for side in x.shape[-2:])
        sizes = torch.tensor([height, width, 0, 0, height, width], dtype=torch.float32, device=x.device)
        pooled = prompt.others[POOLED].to(x.device, self.unet.dtype)
        return {"text_embeds": pooled.expand(len(x), -1), "time_ids": sizes.expand(len(x), -1)}
