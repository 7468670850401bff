"""Vedit's own upscalers: the plain enlargement, and one that brings the source's fine detail back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch

from vedit.flow.planes import as_frame, as_image
from vedit.geometry import resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Array = npt.NDArray[np.floating]

_RADIUS = 4
"""Pixels of the small frame; the window in which result and source are compared is twice this plus one."""
_NOISE = 1e-4
"""Variance below which a source counts as flat: a standard deviation of 2.5 levels of 255."""
_LARGEST_GAIN = 2.0
_DRAWN, _GRADED = 0.3, 0.7
"""The share of the result's variance that follows the source, up to which it counts as drawn anew, and from which as
graded."""


def lanczos(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    """The plain enlargement of the result; a `vedit.protocols.Upscaler`."""
    return as_frame(_enlarge(as_image(result), (source.shape[-2], source.shape[-1])))


def guided(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    """The enlargement of the result, and the source's detail as far as the look has kept it.

    To the plain enlargement it adds the detail that the small frames cannot hold, S - up(s), times a local colour gain
    A (3 x 3):

        R = up(r) + up(A) (S - up(s)),    r ~ A s + b in each neighbourhood.

    A and b are the colour-guided filter's affine model, computed at the small size and smoothed (He, Sun, "Fast
    Guided Filter", 2015, equations 3 to 6), with two differences. The prior of A is the identity, not zero, so a
    result that equals its source gives S itself, noise included. And A is scaled by how far the model explains the
    result's variance, from 0 where it explains 30 % to 1 at 70 %: a look that draws its own texture (hatching, paper,
    brush strokes) gets none of the photograph's, while a regrade gets all of it, though a network did it roughly.
    What the model leaves unexplained is in up(r) already: the texture is neither smeared nor lost. Each frame is
    treated alone, with no per-frame normalisation that could pulse. A `vedit.protocols.Upscaler`.
    """
    return as_frame(_guided(as_image(source), as_image(seen), as_image(result)))


def _guided(source: Array, small: Array, result: Array) -> Array:
    """One frame, (H, W, 3), of `guided`."""
    size = (source.shape[0], source.shape[1])
    # The sum is arranged around the source: where nothing changed, both corrections are exactly zero.
    out = source + _enlarge(result - small, size)
    change = _gain_change(small, result)
    if not change.any():
        return out
    detail = (source - _enlarge(small, size)) @ _OPPONENT.T
    for row in range(3):
        # One after the other: at full size all three are as much memory as the rest together.
        own = np.ascontiguousarray(change[..., 3 * row : 3 * row + 3])
        own = cast("Array", cv2.resize(own, size[::-1], interpolation=cv2.INTER_LINEAR))
        out[..., row] += np.einsum("hwc,hwc->hw", own, detail)
    return out


def _gain_change(source: Array, result: Array) -> Array:
    """(A - 1) of each neighbourhood, (h, w, 9): row-major 3 x 3, from opponent colours of the source to RGB.

    It is computed from the change, so that it is exactly zero where there is none.
    """
    # Plane by plane: what lies side by side in memory is computed in a third of the time.
    guide, change = _planes(_soften(source) @ _OPPONENT.T), _planes(_soften(result - source))
    mean_g, mean_c = [_box(one) for one in guide], [_box(one) for one in change]
    # Covariances; the noise variance on the diagonal is the prior that flat means unchanged.
    gg = {(i, j): _box(guide[i] * guide[j]) - mean_g[i] * mean_g[j] for i, j in _UPPER}
    for i in range(3):
        gg[i, i] = gg[i, i] + _NOISE
    inverse = _inverse(gg)
    gain = np.empty((9, *source.shape[:2]), np.float32)
    for i in range(3):
        own = _OPPONENT[:, i]
        cg = [_box(change[i] * guide[j]) - mean_c[i] * mean_g[j] for j in range(3)]
        row = [sum(cg[k] * inverse[min(k, j), max(k, j)] for k in range(3)) for j in range(3)]
        # The share of the result's variance that follows the source: r = s + c, each a sum over the guide's axes.
        fixed = sum(own[j] * own[k] * gg[min(j, k), max(j, k)] for j in range(3) for k in range(3))
        crossed = sum(own[j] * cg[j] for j in range(3))
        changed = _box(change[i] ** 2) - mean_c[i] ** 2
        followed = sum(row[j] * cg[j] for j in range(3))
        share = (fixed + 2 * crossed + followed) / (fixed + 2 * crossed + np.maximum(changed, followed))
        graded = np.clip((share - _DRAWN) / (_GRADED - _DRAWN), 0, 1)
        kept = graded**2 * (3 - 2 * graded)
        for j in range(3):
            gain[3 * i + j] = _box((row[j] + own[j]) * kept - own[j])
    return np.ascontiguousarray(np.clip(gain, -_LARGEST_GAIN, _LARGEST_GAIN).transpose(1, 2, 0))


_OPPONENT = np.linalg.qr(np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float64).T)[0].T.astype(np.float32)
"""Orthonormal rows: brightness, red against blue, green against both. In RGB the covariances are nearly singular."""
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def _inverse(m: Mapping[tuple[int, int], Array]) -> dict[tuple[int, int], Array]:
    """The inverse of symmetric 3 x 3 matrices given and returned by their upper triangles."""
    cofactor = {
        (0, 0): m[1, 1] * m[2, 2] - m[1, 2] ** 2,
        (0, 1): m[0, 2] * m[1, 2] - m[0, 1] * m[2, 2],
        (0, 2): m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1],
        (1, 1): m[0, 0] * m[2, 2] - m[0, 2] ** 2,
        (1, 2): m[0, 1] * m[0, 2] - m[0, 0] * m[1, 2],
        (2, 2): m[0, 0] * m[1, 1] - m[0, 1] ** 2,
    }
    determinant = m[0, 0] * cofactor[0, 0] + m[0, 1] * cofactor[0, 1] + m[0, 2] * cofactor[0, 2]
    return {key: value / determinant for key, value in cofactor.items()}


def _planes(image: Array) -> list[Array]:
    """(h, w, C) -> C contiguous (h, w)."""
    return [np.ascontiguousarray(image[..., plane]) for plane in range(image.shape[2])]


def _soften(image: Array) -> Array:
    """Blurred by the pixel or so at which an autoencoder errs anyway; its error must not count as the look's."""
    return cast("Array", cv2.blur(image, (3, 3), borderType=cv2.BORDER_REFLECT_101))


def _box(image: Array) -> Array:
    side = 2 * _RADIUS + 1
    return cast("Array", cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT_101))


def _enlarge(image: Array, size_hw: tuple[int, int]) -> Array:
    """(h, w, 3) at `size_hw`: Lanczos where it grows, area averages where it shrinks."""
    if size_hw[0] <= image.shape[0] and size_hw[1] <= image.shape[1]:
        return resize(image, size_hw)
    return cast("Array", cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LANCZOS4))
