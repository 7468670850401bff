"""A model, loaded for a device. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.models.claimed import family_at

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel
    from vedit.models.family import Model


def load(
    name: str,
    *,
    device: str = "cpu",
    controls: tuple[str, ...] = (),
    controlnets: Mapping[str, str] | None = None,
    fast: bool = True,
    precision: str | None = None,
) -> Model:
    """Load a model for a device, with the control branches that are asked for and that it has.

    Args:
        name: as `resolve` takes it; a hub id has to be in the hub's cache: `vedit.models.pull.pull` fetches it.
        device: a torch device.
        controls: the kinds wanted; kinds the model lacks are left out of `Model.control_kinds`.
        controlnets: further control branches by kind.
        fast: with the fast tier, where the model has one; without it, one that does not fit is no hindrance.
        precision: what the networks compute in, float32 or float16; None is what suits the device.

    Raises:
        NotFiniteError: weights are too large for the precision.
        ModelError: unknown, absent, damaged, or not safetensors; or a torchvision that breaks diffusers.
    """
    source = checked(name, controlnets, controls=controls, fast=fast)
    family = family_at(Path(source.base))
    return family.load(source, name=name, device=device, controls=controls, fast=fast, precision=precision)


def load_sd(
    name: str,
    *,
    device: str = "cpu",
    controls: tuple[str, ...] = (),
    controlnets: Mapping[str, str] | None = None,
    fast: bool = True,
    precision: str | None = None,
) -> SDModel:
    """Load a model of the Stable Diffusion layout, for who works on its networks; see `load`.

    Raises:
        ModelError: it is of another family.
    """
    from vedit.models.families.sd import SDModel

    model = load(name, device=device, controls=controls, controlnets=controlnets, fast=fast, precision=precision)
    if not isinstance(model, SDModel):
        raise ModelError(f"{name} has no UNet of the Stable Diffusion layout", remedy="use a model of that layout")
    return model
