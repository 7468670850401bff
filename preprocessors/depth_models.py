"""How each depth model wants to see frames, and what its answer means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from vedit.weights.store import load_pretrained, local

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NEAREST_METRES = 0.1
"""Nothing nearer is told apart by a metric model: its inverse would be all there is to a shot's range."""


@dataclass(frozen=True, kw_only=True)
class DepthModel:
    """A depth estimator of transformers: its weights, the frames it takes, the depth it gives."""

    weights: str
    """Name of the weights, see `vedit.weights.store`."""
    short_side: int
    """Pixels of the shorter side that it was trained at; the longer one keeps the aspect."""
    multiple: int
    """Both sides are rounded to a multiple of it."""
    statistics: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Mean and spread that its input is normalised by, RGB."""
    metric: bool = False
    """It gives metres, not relative inverse depth."""
    framed: bool = False
    """The frame is mirrored outwards before it is looked at, and cut off the answer."""
    square: bool = False
    """It looks at frames squeezed to a square, not at ones that keep their aspect."""
    batch: int = 8
    """Frames looked at together on a GPU; on a CPU that is no faster than one by one, and takes the memory of all."""

    def size(self, height: int, width: int, short_side: int | None = None) -> tuple[int, int]:
        """The (height, width) at which it looks at frames of a size."""
        short = short_side or self.short_side
        scales = (short / height, short / width) if self.square else (short / min(height, width),) * 2
        rows, columns = (
            max(1, round(side * scale / self.multiple)) * self.multiple
            for side, scale in zip((height, width), scales, strict=True)
        )
        return rows, columns


DEPTH_ANYTHING = DepthModel(weights="depth-anything-v2-small", short_side=518, multiple=14, statistics=_IMAGENET)
"""Yang et al., "Depth Anything V2", 2024: relative inverse depth; input as its authors' own code prepares it."""

# The authors' own code keeps the aspect; the class in transformers takes squares only, and so does the hub's config.
DPT = DepthModel(weights="dpt-large", short_side=384, multiple=32, statistics=_HALVES, square=True)
"""Ranftl et al., "Vision Transformers for Dense Prediction", 2021: relative inverse depth."""

# The model votes over the frames of a batch whether it is indoors, so that neighbours would change a frame's depth.
ZOE = DepthModel(
    weights="zoedepth-nyu-kitti", short_side=384, multiple=32, statistics=_HALVES, metric=True, framed=True, batch=1
)
"""Bhat et al., "ZoeDepth: Zero-shot Transfer by Combining Relative and Metric Depth", 2023: metres."""


def inverse_depth(model: DepthModel, frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Inverse depth of each frame, as the model sees it.

    Args:
        model: which.
        frames: (T, 3, H, W) in [0, 1], at most `model.batch` of them.
        size: (h, w) of the result, as `model.size` gives it.

    Returns:
        Float32 (T, 1, h, w) on the CPU, at least 0: 1 / metres of a metric model, else without a unit.

    Raises:
        ModelError: the weights are absent or not the model's.
    """
    device = frames.device
    network = _load(model.weights, local(model.weights), str(device))
    height, width = frames.shape[-2:]
    # Mirroring stops at a frame's own size; the widths are those of ZoeDepth's own code.
    rows, columns = (min(int(math.sqrt(side / 2) * 3), side - 1) * model.framed for side in (height, width))
    seen = F.pad(frames.float(), (columns, columns, rows, rows), mode="reflect") if model.framed else frames.float()
    scaled = F.interpolate(seen, size, mode="bicubic", antialias=True).clamp(0, 1)
    mean, spread = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in model.statistics)
    with torch.inference_mode():
        answer = network(pixel_values=(scaled - mean) / spread).predicted_depth.float()
    # Out of inference mode, so that a caller may go on with it as with any tensor.
    depth = answer.reshape(len(frames), 1, *answer.shape[-2:]).cpu().clone()
    if model.metric:
        depth = 1 / depth.clamp(min=NEAREST_METRES)
    if model.framed:
        full = (height + 2 * rows, width + 2 * columns)
        depth = F.interpolate(depth, full, mode="bilinear")[..., rows : rows + height, columns : columns + width]
    depth = torch.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0).clamp(min=0)
    return F.interpolate(depth, size, mode="bilinear") if depth.shape[-2:] != size else depth


@lru_cache(maxsize=1)
def _load(weights: str, folder: Path, device: str) -> Any:
    """The network on its device; `folder` tells apart what the name stands for now and stood for before."""
    del folder
    return load_pretrained(weights, "AutoModelForDepthEstimation").to(device)
