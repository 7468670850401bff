"""How a model is loaded and computes. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from vedit.errors import SettingError

_OWN_CHOICE = "leave it out: torch then chooses the kernel"
_IN_WORDS = {
    "precision": " in {}",
    "quantize": ", weights in {}",
    "offload": ", offload {}",
    "attention_backend": ", attention by {}",
}


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How a model is loaded and computes, whatever it is and whatever it works on: in the words of the settings of
    `vedit.options.request.RenderRequest`, as they are where nothing is said."""

    device: str = "cpu"
    """A torch device."""
    precision: str = "auto"
    """What the networks compute in: float32, float16 or bfloat16; auto is what suits the device."""
    quantize: str = "none"
    """What its network's weights are quantised to (`vedit.models.quantisation.WAYS`); none is not at all."""
    offload: str = "none"
    """What waits in host memory beside a GPU: none, model or group."""
    attention_backend: str = "auto"
    """The kernel that computes attention where it can; auto is torch's choice."""
    sampled_in: str | None = None
    """What the network and its control branches compute in; None is as `precision` says. No setting, as the next."""
    decoded_in: str | None = None
    """What the autoencoder decodes in, and never encodes; None is as `precision` says."""

    @property
    def kind(self) -> str:
        """Of the device, whichever of several: cpu, cuda or mps."""
        return self.device.partition(":")[0]

    @property
    def computes_in(self) -> str | None:
        """What the networks compute in; None is what suits the device."""
        return None if self.precision == "auto" else self.precision

    @property
    def quantized(self) -> str | None:
        """What the network's weights are quantised to; None is not at all."""
        return None if self.quantize == "none" else self.quantize

    def settings(self) -> dict[str, str]:
        """Setting -> value, without the device."""
        return {name: getattr(self, name) for name in _IN_WORDS}

    def said(self) -> dict[str, str]:
        """Setting -> value, of those that are not the usual ones; the device is none of them."""
        usual = Loading(device=self.device)
        return {name: value for name, value in self.settings().items() if value != getattr(usual, name)}

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the device was asked for."""
        return not self.said()

    def on_this_machine(self, *, bears_bfloat16: bool) -> Loading:
        """The same, as this machine computes it: where the precision is open, a CPU that is faster in bfloat16 computes
        so what a model bears in it (`vedit.models.family.Traits.bears_bfloat16`)."""
        if not bears_bfloat16 or self.computes_in is not None or self.quantized is not None:
            return self
        from vedit.models.bfloat16 import computes_faster

        return replace(self, sampled_in="bfloat16", decoded_in="bfloat16") if computes_faster(self.device) else self

    def computing_in(self, precision: str) -> Loading:
        """The same, with everything in one number format."""
        return replace(self, precision=precision, sampled_in=None, decoded_in=None)

    def resting_in(self, quantize: str) -> Loading:
        """The same, with the network's weights quantised: it computes in what was asked for."""
        return replace(self, quantize=quantize, sampled_in=None, decoded_in=None)

    @property
    def samples_in(self) -> str:
        """What the network and its control branches compute in, on the device: float32, float16 or bfloat16."""
        from vedit.models.families.modules import usual_precision

        asked = self.sampled_in or self.computes_in
        return asked or str(usual_precision(self.device)).removeprefix("torch.")

    def __str__(self) -> str:
        return f"on {self.device}" + "".join(_IN_WORDS[name].format(value) for name, value in self.said().items())


class SaysLoading(Protocol):
    """A request, or a plan, with the settings of loading among its own."""

    @property
    def precision(self) -> str: ...

    @property
    def quantize(self) -> str: ...

    @property
    def offload(self) -> str: ...

    @property
    def attention_backend(self) -> str: ...


def loading_of(asked: SaysLoading, device: str) -> Loading:
    """What is asked for, on the device that was picked for it."""
    return Loading(
        device=device,
        precision=asked.precision,
        quantize=asked.quantize,
        offload=asked.offload,
        attention_backend=asked.attention_backend,
    )


def check_offload(loading: Loading, *, model: str, can: bool) -> None:
    """Raises SettingError where a model of that name, whose family can or cannot offload, cannot be loaded so."""
    if loading.offload == "none":
        return
    if loading.kind != "cuda":
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
    if loading.attention_backend == "auto":
        return
    if not can:
        raise SettingError(
            f"attention_backend is {loading.attention_backend}, and the family of {model} picks no kernel",
            remedy=_OWN_CHOICE,
        )
    import torch

    from vedit.models.attention_kernels import can_attend_by

    if loading.kind == "cuda" and not torch.cuda.is_available():
        return
    precision = loading.samples_in
    if not can_attend_by(loading.attention_backend, loading.device, getattr(torch, precision)):
        raise SettingError(
            f"attention_backend is {loading.attention_backend}, and torch {torch.__version__} has no such kernel on "
            f"{loading.device} in {precision}",
            remedy=_OWN_CHOICE,
        )
