"""Grit: where a result's fine detail is stronger than both the source's and that of the frame as it was drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from vedit.evaluation.picture import Picture, Plane

STRONGER = 1.5
"""Times: a stroke that was carried for a few frames is not where a fresh one would be, nor as strong."""
FAINT = 4 / 255
"""Luma: nobody sees less."""
_REACH = 2
"""Sigmas of the fine band that a stroke may lie beside where it was drawn."""


def strength(picture: Picture) -> Plane:
    """(h, w): root mean square of the fine band around each pixel."""
    return np.sqrt(cv2.GaussianBlur(np.square(picture.fine), (0, 0), picture.sigma), dtype=np.float32)


def gritty(source: Picture, raw: Picture, result: Picture) -> float:
    """Share of a frame in [0, 1] whose detail is more than `STRONGER` times what source or raw have nearby."""
    reach = 2 * round(_REACH * source.sigma) + 1
    reason = np.maximum(strength(source), strength(raw))
    nearby = cv2.dilate(reason, np.ones((reach, reach), np.uint8))
    found = strength(result) > np.maximum(STRONGER * np.asarray(nearby, np.float32), FAINT)
    return float(found.mean())


def percent_of(frames: Iterable[tuple[Picture, Picture, Picture]]) -> float:
    """Over frames as source, raw and result: the mean share in %."""
    return 100 * float(np.mean([gritty(*three) for three in frames]))
