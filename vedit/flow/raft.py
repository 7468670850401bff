"""Optical flow by RAFT (Teed and Deng, 2020) through torchvision, with weights from this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn import functional as F

from vedit.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vedit.protocols import FlowMatcher

    Floats = npt.NDArray[np.float32]

VARIABLE = "VEDIT_RAFT_MODEL"
"""Environment variable that names the weights: a safetensors file, or a folder with model.safetensors."""
_MULTIPLE, _SMALLEST = 8, 128
"""Pixels: RAFT matches at an eighth of the size, and its pyramid needs 16 positions there."""
_UPDATES = 12


def load_raft(weights: Path | None = None) -> FlowMatcher:
    """RAFT, large or small as the weights are, on the CPU.

    torchvision publishes its weights as pickles on a server of its own; those are neither fetched nor read. A state
    dict of `torchvision.models.optical_flow.raft_large` or `raft_small`, saved as safetensors, is.

    Args:
        weights: a safetensors file or its folder; None takes `VEDIT_RAFT_MODEL`.

    Raises:
        ModelError: torchvision is absent or does not fit torch; the weights are absent, or another model's.
    """
    try:
        from torchvision.models import optical_flow as torchvision_flow  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"RAFT needs torchvision, which cannot be imported here: {reason}",
            remedy="install the torchvision of this torch's build, see 'vedit doctor'; or use the flow of OpenCV",
        ) from error
    path = _weights_file(weights)
    state = _state(path)
    for make in (torchvision_flow.raft_large, torchvision_flow.raft_small):
        model = cast("torch.nn.Module", make(weights=None))
        if model.state_dict().keys() == state.keys():
            break
    else:
        raise ModelError(
            f"{path} is neither raft_large nor raft_small of torchvision",
            remedy="save that model's state dict with safetensors.torch.save_file",
        )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit torchvision's RAFT", remedy="save the weights again") from error
    model.eval().requires_grad_(False)
    return lambda first, second: _match(model, first, second)


def _weights_file(weights: Path | None) -> Path:
    named = str(weights) if weights is not None else os.environ.get(VARIABLE)
    if not named:
        raise ModelError(
            "RAFT needs weights, and none are named",
            remedy=f"set {VARIABLE} to a safetensors file, or use OpenCV's flow",
        )
    path = Path(named)
    path = path / "model.safetensors" if path.is_dir() else path
    if path.suffix != ".safetensors" or not path.is_file():
        raise ModelError(f"{path} is no safetensors file", remedy=f"set {VARIABLE} to one")
    return path


def _state(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}", remedy="copy the weights again") from error


@torch.inference_mode()
def _match(model: Any, first: torch.Tensor, second: torch.Tensor) -> Floats:
    """(3, h, w) each in [0, 1] -> (h, w, 2) pixels."""
    height, width = first.shape[-2:]
    padding = (0, _missing(width), 0, _missing(height))
    pair = [F.pad(frame[None].float().cpu(), padding, mode="replicate") * 2 - 1 for frame in (first, second)]
    flow = model(*pair, num_flow_updates=_UPDATES)[-1][0, :, :height, :width]
    return flow.permute(1, 2, 0).contiguous().numpy()


def _missing(side: int) -> int:
    return max(-side % _MULTIPLE, _SMALLEST - side)
