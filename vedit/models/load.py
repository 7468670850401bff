"""A model, loaded for a device. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.weights.torchvision import vision_fault

if TYPE_CHECKING:
    from vedit.models.families.sd import Model


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
    try:
        family = import_module("vedit.models.families.sd")
    except Exception as error:  # what diffusers and transformers die of with it depends on their version
        fault = vision_fault()
        if fault is None:
            raise
        raise ModelError(fault.message, remedy=fault.remedy) from error
    return family.load(source, name=name, device=device, controls=controls, fast=fast, precision=precision)
