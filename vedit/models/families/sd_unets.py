"""A UNet of another file held against a model, tensor by tensor, before any is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vedit.models.families.sd_configs import part_config
from vedit.models.families.sd_files import made
from vedit.models.families.sd_gguf import check_gguf

if TYPE_CHECKING:
    from vedit.models.source import ModelSource


def check_unet_fits(source: ModelSource) -> None:
    """Raises ModelError where the file of a UNet lacks tensors of the model's, or has others or in other shapes.

    Args:
        source: with the file, all of it on this machine.
    """
    base, file = Path(source.base), Path(str(source.unet))
    config = part_config(base, "unet")
    check_gguf(made("unet", config), file, config)
