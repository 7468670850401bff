"""Distance as brightness, by Depth Anything V2 Small (Yang et al., 2024), run through transformers."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, cast

import torch
from torch.nn import functional as F

from vedit.errors import ModelError

WEIGHTS = "depth-anything/Depth-Anything-V2-Small-hf"
VARIABLE = "VEDIT_DEPTH_MODEL"
"""Environment variable that names a local folder, or another hub id, instead."""
_PATCH = 14
_SHORT_SIDE = 518
"""Pixels that the model was trained at."""
_BATCH = 4
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def depth(frames: torch.Tensor, *, weights: str | None = None, short_side: int = _SHORT_SIDE) -> torch.Tensor:
    """Relative inverse depth: near is 1, far is 0.

    The range is that of the whole shot, so that a wall keeps its grey while something passes before it; the frames
    of a shot therefore have to come in one call.

    Args:
        frames: one shot, float (T, 3, H, W) in [0, 1].
        weights: a folder, or a hub id that has been downloaded; None takes `VEDIT_DEPTH_MODEL`, then
            `depth-anything/Depth-Anything-V2-Small-hf`. Nothing is ever downloaded here.
        short_side: pixels at which the model looks at the frames.

    Returns:
        Float (T, 3, H, W) in [0, 1], the three channels equal; flat 0 where a shot has no depth at all.

    Raises:
        ModelError: the weights are absent, or not a depth model in safetensors.
    """
    model = _load(weights or os.environ.get(VARIABLE) or WEIGHTS)
    height, width = frames.shape[-2:]
    scale = short_side / min(height, width)
    size = (_PATCH * max(1, round(height * scale / _PATCH)), _PATCH * max(1, round(width * scale / _PATCH)))
    mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
    seen: list[torch.Tensor] = []
    for part in frames.float().cpu().split(_BATCH):
        scaled = F.interpolate(part, size, mode="bicubic", antialias=True).clamp(0, 1)
        with torch.inference_mode():
            disparity = cast("torch.Tensor", model(pixel_values=(scaled - mean) / spread).predicted_depth)
        seen.append(F.interpolate(disparity[:, None].float(), (height, width), mode="bilinear"))
    if not seen:
        return frames.clone()
    whole = torch.cat(seen)
    low, high = whole.min(), whole.max()
    if high - low <= 1e-5 * high.abs():  # rounding, which must not be stretched to a picture
        return torch.zeros_like(frames)
    return ((whole - low) / (high - low)).to(frames).expand_as(frames).clone()


@lru_cache(maxsize=1)
def _load(weights: str) -> Any:
    """The model in evaluation mode on the CPU, from what is on this machine."""
    from transformers import AutoModelForDepthEstimation

    try:
        # Neither pickled weights nor code that comes with them is ever loaded.
        model = AutoModelForDepthEstimation.from_pretrained(
            weights, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        if weights == WEIGHTS:
            raise ModelError(
                f"the control 'depth' needs the weights {WEIGHTS} (99 MB, Apache-2.0), which are not on this machine",
                remedy=f"run: hf download {WEIGHTS}; or set {VARIABLE} to their folder; or use --control softedge",
            ) from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{weights} cannot be loaded as a depth model: {reason}",
            remedy="give a folder with config.json and model.safetensors of a Depth Anything model",
        ) from error
    return model.eval()
