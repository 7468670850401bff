"""The frame's colours and textures in another order: the shuffle ControlNet's input, which gives a look, no layout."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt

CELLS = 2
"""Random positions along the shorter side of the frame; those between are smooth."""
SEED = 0


def shuffle(frames: torch.Tensor, *, seed: int = SEED) -> torch.Tensor:
    """Each pixel is taken from a place that a smooth random field names.

    As the published model was trained ("Adding Conditional Control to Text-to-Image Diffusion Models", Zhang et al.,
    2023; ControlNet 1.1 "Shuffle"), but the field hangs only on the frame's size and the seed: it is the same for every
    frame, so what stands still in the source stands still in the map.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        seed: of the field.

    Returns:
        Float (T, 3, H, W) in [0, 1].
    """
    height, width = frames.shape[-2:]
    x, y = _places(height, width, seed)
    made = np.empty(tuple(frames.shape), np.float32)
    for frame, out in zip(frames.float().cpu().numpy(), made, strict=True):
        for plane, target in zip(frame, out, strict=True):
            target[:] = cv2.remap(np.ascontiguousarray(plane), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(made).to(frames)


@lru_cache(maxsize=4)
def _places(height: int, width: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For each pixel the column and the row it is taken from, (height, width) each; all of the frame is used."""
    generator = np.random.default_rng([seed, height, width])
    cell = min(height, width) / CELLS
    coarse = [max(2, round(side / cell) + 1) for side in (height, width)]
    places: list[npt.NDArray[np.float32]] = []
    for side in (width, height):
        field = cv2.resize(generator.random(coarse, np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        spread = max(float(np.ptp(field)), 1e-6)
        places.append(((field - field.min()) / spread * (side - 1)).astype(np.float32))
    return places[0], places[1]
