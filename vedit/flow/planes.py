"""Pictures as planes in memory order, by OpenCV: what is done to every frame many times over.

`vedit.flow.estimate.warp` lays whole tensors along a flow, on any device; here places are rounded to a 32nd of a pixel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=4)
def grid(height: int, width: int) -> Floats:
    """(height, width, 2) pixel positions, x then y; read only."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.dstack([x, y])
    places.flags.writeable = False
    return places


def as_image(frame: torch.Tensor) -> Floats:
    """(C, h, w) -> (h, w, C) in memory order, on the CPU."""
    return frame.detach().float().cpu().permute(1, 2, 0).contiguous().numpy()


def as_frame(image: Floats) -> torch.Tensor:
    """(h, w, C) -> (C, h, w), in the same memory."""
    return torch.from_numpy(image).permute(2, 0, 1)


def moved(image: Floats, flow: Floats, *, cubic: bool = False) -> Floats:
    """A picture (h, w) or (h, w, C) where a flow (h, w, 2) leads: out(x) = image(x + flow(x)), its edge repeated
    outside; linear, or cubic, which keeps fine detail through many warps and overshoots at edges."""
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    empty = cast("cv2.typing.MatLike", None)
    position = grid(flow.shape[0], flow.shape[1]) + flow
    found = cv2.remap(image, position, empty, how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*flow.shape[:2], *image.shape[2:])


def blurred(image: Floats, sigma: float) -> Floats:
    """The Gaussian of a picture (h, w) or (h, w, C), mirrored at the borders."""
    side = 2 * round(2.5 * sigma) + 1
    found = cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(found, np.float32).reshape(image.shape)


def over_channels(image: Floats) -> Floats:
    """(h, w): the mean over the channels of (h, w, C); several times faster than one over the last axis."""
    channels = image.shape[2]
    found = cv2.transform(image, np.full((1, channels), 1 / channels, np.float32))
    return np.asarray(found, np.float32).reshape(image.shape[:2])


def power(image: Floats) -> Floats:
    """(h, w): mean square over the channels of (h, w, C)."""
    return over_channels(image * image)
