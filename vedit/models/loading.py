"""How a model is loaded and computes. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.errors import SettingError

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest

_OWN_CHOICE = "leave it out: torch then chooses the kernel"


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
    attention: str = "auto"
    """The kernel that computes attention where it can (`vedit.options.request.AttentionBackend`)."""

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the device was asked for."""
        return self == Loading(device=self.device)


def loading_of(request: RenderRequest, device: str) -> Loading:
    """What a request asks for, on the device that was picked for it."""
    return Loading(
        device=device,
        precision=request.computes_in,
        quantize=request.quantized,
        offload=request.offload,
        attention=request.attention_backend,
    )


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


def check_attention(loading: Loading, *, model: str, can: bool) -> None:
    """Raises SettingError where the kernel asked for is none of the device's, or the family of a model of that name
    cannot pick one. Of a device that is not on this machine nothing is known, and nothing is said."""
    if loading.attention == "auto":
        return
    if not can:
        raise SettingError(
            f"attention_backend is {loading.attention}, and the family of {model} picks no kernel", remedy=_OWN_CHOICE
        )
    import torch

    from vedit.models.attention_kernels import can_attend_by
    from vedit.models.families.modules import usual_precision

    if loading.device.startswith("cuda") and not torch.cuda.is_available():
        return
    precision = loading.precision or str(usual_precision(loading.device)).removeprefix("torch.")
    if not can_attend_by(loading.attention, loading.device, getattr(torch, precision)):
        raise SettingError(
            f"attention_backend is {loading.attention}, and torch {torch.__version__} has no such kernel on "
            f"{loading.device} in {precision}",
            remedy=_OWN_CHOICE,
        )
