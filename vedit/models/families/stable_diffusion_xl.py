"""Stable Diffusion XL before a model is loaded: two text encoders, and a UNet that is told the size of the picture.

Importing this does not import torch.
"""

from __future__ import annotations

from pathlib import Path

from vedit.errors import VeditError
from vedit.models.families.stable_diffusion import StableDiffusion
from vedit.models.identify import identify
from vedit.models.kinds import SDXL
from vedit.registry.families import XL


class StableDiffusionXL(StableDiffusion):
    """See `vedit.models.family.Family`; loaded as any Stable Diffusion, from parts that its files tell."""

    name = XL
    guidance = 5.0

    def matches(self, base: Path) -> bool:
        """Whether a whole model of it lies there, of whatever variant; what cannot run is refused by name later."""
        try:
            kind = identify(base)
        except VeditError:
            return False  # told where it is checked, as of the family that takes what no other does
        return kind.family == SDXL and kind.part == "model"


FAMILY = StableDiffusionXL()
