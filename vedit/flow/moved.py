"""Pictures laid along a flow, by OpenCV: what is done to every frame many times over.

`vedit.flow.estimate.warp` does the same to whole tensors, on any device. Places are rounded to a 32nd of a pixel here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

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


def moved(image: Floats, flow: Floats, *, cubic: bool = False) -> Floats:
    """A picture (h, w) or (h, w, C) where a flow (h, w, 2) leads: out(x) = image(x + flow(x)), its edge repeated
    outside; linear, or cubic, which keeps fine detail through many warps and overshoots at edges."""
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    empty = cast("cv2.typing.MatLike", None)
    position = grid(flow.shape[0], flow.shape[1]) + flow
    found = cv2.remap(image, position, empty, how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*flow.shape[:2], *image.shape[2:])
