"""The edge of a matte: moved outwards or inwards, and faded, by exact Euclidean distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.masks.source import Plane

_LEVELS = 8
"""Level sets that stand for a matte with soft parts (hair, smoke, motion blur)."""
_SOFT_SHARE = 0.5
"""A matte is soft where more than this share of its grey pixels are too wide a ramp for an anti-aliased edge."""


def shape_edge(matte: Plane, *, grow: float, feather: float) -> Plane:
    """Move the edge of a matte by `grow` pixels, then fade it over `feather` pixels.

    The result is a function of the distance to the edge alone, and falls monotonically with it: smooth over
    `feather`, exactly 0 further than half of it outside the edge, exactly 1 further than half of it inside. Where the
    matte touches the frame's edge it is taken to go on behind it. The place of an anti-aliased edge is read from its
    grey values; a matte with soft parts keeps them, each of its levels being moved alone.

    Args:
        matte: (H, W) in [0, 1].
        grow: pixels; negative shrinks.
        feather: pixels, at least 0.

    Returns:
        (H, W) float32 in [0, 1]; the matte itself where both are 0.

    Raises:
        ValueError: a negative feather.
    """
    if feather < 0:
        raise ValueError(f"a feather is at least 0 pixels, got {feather:g}")
    if not grow and not feather:
        return matte
    if not _is_soft(matte):
        return _faded(signed_distance(matte) + np.float32(grow), feather)
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    total = np.zeros(matte.shape, np.float32)
    for level in levels:
        hard = (matte >= level).astype(np.float32)
        total += _faded(signed_distance(hard) + np.float32(grow), feather)
    return total / np.float32(_LEVELS)


def signed_distance(matte: Plane) -> Plane:
    """Pixels to the matte's edge (where it crosses one half), positive inside: (H, W) float32.

    Infinite where there is no edge. The distance transform is exact (Felzenszwalb and Huttenlocher, "Distance
    Transforms of Sampled Functions", 2012) between pixel centres; the nearest pixel's own value says how far the edge
    is from its centre.
    """
    inside = matte >= 0.5
    if inside.all() or not inside.any():
        return np.full(matte.shape, np.inf if inside.any() else -np.inf, np.float32)
    kernel = np.ones((3, 3), np.uint8)
    near_both = (cv2.dilate(inside.astype(np.uint8), kernel) > 0) & (cv2.erode(inside.astype(np.uint8), kernel) == 0)
    edge = near_both & (matte > 0.02) & (matte < 0.98)
    full, empty = inside & ~edge, ~inside & ~edge
    out = matte - np.float32(0.5)
    out[full] = _to_nearest(full, 1 - matte)[full]
    out[empty] = -_to_nearest(empty, matte)[empty]
    return out


def _to_nearest(here: npt.NDArray[np.bool_], value: Plane) -> Plane:
    """From every pixel that is `here` to the edge in the nearest one that is not; `value` says how far in."""
    mask = here.astype(np.uint8)
    if not here.any() or here.all():
        return np.zeros(here.shape, np.float32)
    exact = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    _, found = cv2.distanceTransformWithLabels(mask, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = np.asarray(found, np.intp)
    held = np.zeros(int(labels.max()) + 1, np.float32)
    held[labels[~here]] = value[~here]
    return np.asarray(exact - (held[labels] - np.float32(0.5)), np.float32)


def _faded(distance: Plane, feather: float) -> Plane:
    """Signed distance -> matte: a pixel wide and straight without a feather, else smooth over its width."""
    if feather <= 1:
        return np.clip(distance + np.float32(0.5), 0, 1)
    ramp = np.clip(distance / np.float32(feather) + np.float32(0.5), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _is_soft(matte: Plane) -> bool:
    """Whether grey pixels are more than the one or two that an anti-aliased edge has."""
    grey = (matte > 0.02) & (matte < 0.98)
    count = int(grey.sum())
    if not count:
        return False
    kernel = np.ones((3, 3), np.uint8)
    steep = cv2.dilate(matte, kernel) - cv2.erode(matte, kernel)
    return float((steep[grey] < 0.6).mean()) > _SOFT_SHARE
