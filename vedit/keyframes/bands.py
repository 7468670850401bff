"""How strong the detail of a picture is: what keyframes are joined by, in the bands of `vedit.finishing.joining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vedit.finishing.joining import SIGMA
from vedit.flow.planes import blurred, over_channels

if TYPE_CHECKING:
    from vedit.flow.motion import Floats

NEAR = 2.0
"""Pixels over which the strength of detail is held against that of what it is made of."""


def grey_power(image: Floats) -> Floats:
    """(h, w): strength of the fine band around each pixel, of brightness alone, (h, w, 3)."""
    grey = over_channels(image)
    return blurred(np.square(grey - blurred(grey, SIGMA)), NEAR)
