"""Grit: where a result's detail is stronger than what source or drawing have on that piece of scene in any frame.

Steadying and carrying keep a stroke for a while, so it may stand where the frame's own drawing has none. What they may
not do is to make detail: where the motion is wrong, warped strokes turn into salt and pepper.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.motion import at, estimator, grid

if TYPE_CHECKING:
    from vedit.evaluation.picture import Picture, Plane

STRONGER = 1.25
"""Times: the mean of strokes around a pixel is not the same after they were moved by a fraction of one."""
FAINT = 4 / 255
"""Luma: nobody sees less."""
_REACH = 2
"""Sigmas of the fine band that a stroke may lie beside where it was drawn."""


def strength(picture: Picture) -> Plane:
    """(h, w): root mean square of the fine band around each pixel."""
    return np.sqrt(cv2.GaussianBlur(np.square(picture.fine), (0, 0), picture.sigma), dtype=np.float32)


def reasons_now(source: Sequence[Picture], raw: Sequence[Picture]) -> list[Plane]:
    """The stronger detail of source and raw around each pixel, frame by frame."""
    return [np.maximum(strength(a), strength(b)) for a, b in zip(source, raw, strict=True)]


def reasons(source: Sequence[Picture], raw: Sequence[Picture]) -> list[Plane]:
    """The strongest detail that source or raw have on each pixel's piece of scene in any frame of a shot.

    Args:
        source: its frames.
        raw: the frames as they were drawn.
    """
    own = reasons_now(source, raw)
    flow = estimator("dis")
    pairs = [flow(a, b) for a, b in pairwise(source)]
    here = grid(*source[0].size)
    before, after = [own[0]], [own[-1]]
    for strongest, pair in zip(own[1:], pairs, strict=True):
        before.append(np.maximum(strongest, at(before[-1], here + pair.backward)))
    for strongest, pair in zip(own[-2::-1], reversed(pairs), strict=True):
        after.append(np.maximum(strongest, at(after[-1], here + pair.forward)))
    return [np.maximum(a, b) for a, b in zip(before, reversed(after), strict=True)]


def gritty(reason: Plane, result: Picture) -> float:
    """Share of a frame in [0, 1] whose detail is more than `STRONGER` times what there is reason for nearby."""
    reach = 2 * round(_REACH * result.sigma) + 1
    nearby = np.asarray(cv2.dilate(reason, np.ones((reach, reach), np.uint8)), np.float32)
    return float((strength(result) > np.maximum(STRONGER * nearby, FAINT)).mean())


def percent(reason: Sequence[Plane], results: Sequence[Picture]) -> float:
    """Over the frames of a result: the mean share in %."""
    return 100 * float(np.mean([gritty(*both) for both in zip(reason, results, strict=True)]))
