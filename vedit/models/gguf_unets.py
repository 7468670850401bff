"""UNets in GGUF files by their headers: what one is, and whether a model can take it. Does not import torch."""

from __future__ import annotations

from pathlib import Path

from vedit.errors import ModelError
from vedit.models.distilled import distilled_in
from vedit.models.identify import identify
from vedit.models.kinds import LIKE_SD
from vedit.registry.families import MOVING, VEDITS


def check_unet(path: Path, base: Path | None, family: str, *, name: str) -> None:
    """Hold a UNet that is given in the place of a model's own against the model, by header and configs.

    Args:
        path: a file on this machine.
        base: the model; None where it is not on this machine.
        family: the name of the model's family.
        name: of the model, for messages.

    Raises:
        ModelError: it is no UNet in GGUF, or none for the model; or the model takes none.
    """
    # Few-step weights are changes of the UNet that they were distilled from.
    if family not in VEDITS or family == MOVING or (base is not None and distilled_in(base)):
        raise ModelError(
            f"{name} takes no UNet of another file",
            remedy="use a Stable Diffusion 1.x, 2.x or XL model without few-step weights, or leave it out",
        )
    kind = identify(path)
    if kind.sort != "unet":
        raise ModelError(f"{path} is {kind.name}, no UNet in GGUF", remedy="give a UNet's .gguf file to --unet")
    whole = None if base is None else identify(base)
    if whole is not None and kind.family and whole.family not in (kind.family, LIKE_SD):
        raise ModelError(
            f"{path} is {kind.name}, and {name} is {whole.name}", remedy="give one that was made of such a model"
        )
