"""How a model is loaded and computes. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the device was asked for."""
        return self == Loading(device=self.device)


def loading_of(request: RenderRequest, device: str) -> Loading:
    """What a request asks for, on the device that was picked for it."""
    return Loading(device=device, precision=request.computes_in, quantize=request.quantized)
