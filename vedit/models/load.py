"""A model, loaded for a device. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.models.loading import Loading

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel
    from vedit.models.family import Model
    from vedit.models.ref import ModelRef

Loads = ParamSpec("Loads")
_USUAL = Loading()


def load(
    model: ModelRef,
    loading: Loading = _USUAL,
    *,
    controls: tuple[str, ...] = (),
    fast: bool = True,
) -> Model:
    """Load a model, with the control branches that are asked for and that it has.

    Args:
        model: as `vedit.models.resolve.resolve` finds it; one of the hub has to be in the hub's cache:
            `vedit.models.pull.pull` fetches it.
        loading: how: for which device, and what is computed in.
        controls: the kinds wanted; kinds the model lacks are left out of `Model.control_kinds`.
        fast: with the fast tier, where the model has one; without it, one that does not fit is no hindrance.

    Raises:
        NotFiniteError: weights are too large for the precision.
        ModelError: absent, damaged, or not safetensors; or a torchvision that breaks diffusers.
    """
    source = checked(model, controls=controls, fast=fast)
    return model.family.load(source, loading, name=model.name, controls=controls, fast=fast)


def _of_sd(load: Callable[Loads, Model]) -> Callable[Loads, SDModel]:
    @wraps(load)
    def load_sd(*args: Loads.args, **settings: Loads.kwargs) -> SDModel:
        from vedit.models.families.sd import SDModel

        model = load(*args, **settings)
        if not isinstance(model, SDModel):
            remedy = "use a model of that layout"
            raise ModelError(f"{model.name} has no UNet of the Stable Diffusion layout", remedy=remedy)
        return model

    return load_sd


load_sd = _of_sd(load)
"""`load` for who works on the networks of the Stable Diffusion layout. Raises ModelError for another family's model."""
