"""How a model is loaded and computes. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.errors import SettingError

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How a model is loaded and computes, whatever it is and whatever it works on."""

    device: str = "cpu"
    """A torch device."""
    precision: str | None = None
    """What the networks compute in, float32, float16 or bfloat16; None is what suits the device."""
    quantize: str | None = None
    """What its network's weights are quantised to (`vedit.models.quantisation.WAYS`); None is not at all."""
    offload: str = "none"
    """What waits in host memory beside a GPU: none, model or group (`vedit.options.request.Offload`)."""

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the device was asked for."""
        return self == Loading(device=self.device)


def loading_of(request: RenderRequest, device: str) -> Loading:
    """What a request asks for, on the device that was picked for it."""
    return Loading(device=device, precision=request.computes_in, quantize=request.quantized, offload=request.offload)


def check_offload(loading: Loading, *, model: str, can: bool) -> None:
    """Raises SettingError where a model of that name, whose family can or cannot offload, cannot be loaded so."""
    if loading.offload == "none":
        return
    if loading.device != "cuda":
        raise SettingError(
            f"offload is {loading.offload}, and the networks are in host memory on {loading.device}",
            remedy="leave it out; it is for a CUDA device, which has memory of its own",
        )
    if not can:
        raise SettingError(
            f"offload is {loading.offload}, and the family of {model} does not offload",
            remedy="leave it out; where memory runs out, the render goes on with less",
        )
