"""From the model's size back to the source's: the change is carried up, the untouched pixels stay the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import cv2
import numpy as np
import torch

from vedit.checks.finite import finite
from vedit.geometry import resize
from vedit.ranges import full_scale, to_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from vedit.types import IntFrames

    Array = npt.NDArray[np.floating]

_RADIUS = 4
"""Pixels of the small frame; the window in which result and source are compared is twice this plus one."""
_NOISE = 1e-4
"""Variance below which a source counts as flat: a standard deviation of 2.5 levels of 255."""
_LARGEST_GAIN = 2.0
_DRAWN, _GRADED = 0.3, 0.7
"""The share of the result's variance that follows the source, up to which it counts as drawn anew, and from which as
graded."""


def upsample_change(
    source: torch.Tensor | IntFrames,
    source_small: torch.Tensor,
    result_small: torch.Tensor,
    *,
    method: Literal["guided", "lanczos"] = "guided",
    target_hw: tuple[int, int] | None = None,
    bit_depth: int = 8,
) -> torch.Tensor:
    """The small result at full size, with as much of the source's fine detail as the look has kept.

    `lanczos` is the plain enlargement of the result. `guided` adds to it the detail that the small frames cannot
    hold, S - up(s), times a local colour gain A (3 x 3):

        R = up(r) + up(A) (S - up(s)),    r ~ A s + b in each neighbourhood.

    A and b are the colour-guided filter's affine model, computed at the small size and smoothed (He, Sun, "Fast
    Guided Filter", 2015, equations 3 to 6), with two differences. The prior of A is the identity, not zero, so a
    result that equals its source gives S itself, noise included. And A is scaled by how far the model explains the
    result's variance, from 0 where it explains 30 % to 1 at 70 %: a look that draws its own texture (hatching, paper,
    brush strokes) gets none of the photograph's, while a regrade gets all of it, though a network did it roughly.
    What the model leaves unexplained is in up(r) already: the texture is neither smeared nor lost. Each frame is
    treated alone, with no per-frame normalisation that could pulse.

    Args:
        source: full-size frames, (T, 3 or 4, H, W): float in [0, 1], or integers of `bit_depth`; alpha is ignored.
        source_small: (T, 3, h, w) in [0, 1], the source as the model saw it, without padding. Given the source as the
            model's autoencoder returns it instead, the autoencoder's own loss is made good as well.
        result_small: (T, 3, h, w) in [0, 1], what the model made of it.
        method: see above.
        target_hw: (height, width) of the output; None is the source's.
        bit_depth: of an integer source.

    Returns:
        Float32 (T, 3, H, W) in [0, 1].

    Raises:
        ValueError: numbers of frames or small sizes that differ.
        NotFiniteError: NaN or infinity is in the result.
    """
    if source_small.shape != result_small.shape or len(source) != len(result_small):
        raise ValueError(
            f"source {tuple(source.shape)}, its small frames {tuple(source_small.shape)} and the small result "
            f"{tuple(result_small.shape)} do not belong together"
        )
    finite(result_small, "frames at the working size")
    size = target_hw or (int(source.shape[-2]), int(source.shape[-1]))
    out = torch.empty(len(source), 3, *size)
    for number, (small, result) in enumerate(zip(_images(source_small), _images(result_small), strict=True)):
        if method == "lanczos":
            full = _enlarge(result, size)
        else:
            full = _guided(resize(_full_frame(source, number, bit_depth), size), small, result)
        out[number] = torch.from_numpy(full.transpose(2, 0, 1))
    # Before infinity is clipped.
    return finite(out, "frames at full size").clamp_(0, 1)


def composite(source: IntFrames, result: torch.Tensor, mask: torch.Tensor | None, bit_depth: int) -> IntFrames:
    """The result within the mask, the source's own integers outside it, at the source's depth.

    Args:
        source: (T, 3 or 4, H, W) integers of `bit_depth`; a fourth channel (alpha) is copied.
        result: (T, 3, H, W) float in [0, 1].
        mask: (T or 1, 1, H, W) in [0, 1], 1 = the result; None is the result everywhere.
        bit_depth: bits used per sample.

    Returns:
        Integers of the source's shape and type. Where the mask is 0 they equal the source exactly.

    Raises:
        ValueError: frames or mask of other sizes.
    """
    count, _, height, width = source.shape
    if tuple(result.shape) != (count, 3, height, width):
        raise ValueError(f"the result is {tuple(result.shape)}, the source asks for {(count, 3, height, width)}")
    if mask is not None and tuple(mask.shape) not in {(count, 1, height, width), (1, 1, height, width)}:
        raise ValueError(f"the mask is {tuple(mask.shape)}, the source asks for {(count, 1, height, width)}")
    out = source.copy()
    for number in range(count):
        if mask is None:
            out[number, :3] = to_integer(result[number], bit_depth)
            continue
        weight = mask[number % len(mask)].float().clamp(0, 1).cpu()
        original = torch.from_numpy(source[number, :3].astype(np.float32)) / full_scale(bit_depth)
        mixed = to_integer(original.lerp(result[number].float().cpu(), weight), bit_depth)
        out[number, :3] = np.where(weight.numpy() > 0, mixed, source[number, :3])
    return out


def side_by_side(left: IntFrames, right: IntFrames, *, bit_depth: int = 8, divider: int = 2) -> IntFrames:
    """Two clips beside each other with a thin white line between, (T, C, H, W + divider + W'), the width even.

    Raises:
        ValueError: numbers of frames, channels or heights, or types, that differ.
    """
    if left.shape[:3] != right.shape[:3] or left.dtype != right.dtype:
        raise ValueError(f"cannot set {left.shape} {left.dtype} beside {right.shape} {right.dtype}")
    divider += (left.shape[3] + right.shape[3] + divider) % 2
    line = np.full((*left.shape[:3], divider), full_scale(bit_depth), left.dtype)
    return cast("IntFrames", np.concatenate([left, line, right], axis=3))


def _guided(source: Array, small: Array, result: Array) -> Array:
    """One frame, (H, W, 3), of `upsample_change`."""
    size = (source.shape[0], source.shape[1])
    # The sum is arranged around the source: where nothing changed, both corrections are exactly zero.
    out = source + _enlarge(result - small, size)
    change = _gain_change(small, result)
    if not change.any():
        return out
    detail = (source - _enlarge(small, size)) @ _OPPONENT.T
    change = cast("Array", cv2.resize(change, size[::-1], interpolation=cv2.INTER_LINEAR))
    for row in range(3):
        out[..., row] += np.einsum("hwc,hwc->hw", change[..., 3 * row : 3 * row + 3], detail)
    return out


def _gain_change(source: Array, result: Array) -> Array:
    """(A - 1) of each neighbourhood, (h, w, 9): row-major 3 x 3, from opponent colours of the source to RGB.

    It is computed from the change, so that it is exactly zero where there is none.
    """
    guide, change = _soften(source) @ _OPPONENT.T, _soften(result - source)
    mean_g, mean_c = _box(guide), _box(change)
    # Covariances; the noise variance on the diagonal is the prior that flat means unchanged.
    gg = {(i, j): _box(guide[..., i] * guide[..., j]) - mean_g[..., i] * mean_g[..., j] for i, j in _UPPER}
    for i in range(3):
        gg[i, i] = gg[i, i] + _NOISE
    inverse = _inverse(gg)
    gain = np.empty((*source.shape[:2], 9), np.float32)
    for i in range(3):
        own = _OPPONENT[:, i]
        cg = [_box(change[..., i] * guide[..., j]) - mean_c[..., i] * mean_g[..., j] for j in range(3)]
        row = [sum(cg[k] * inverse[min(k, j), max(k, j)] for k in range(3)) for j in range(3)]
        # The share of the result's variance that follows the source: r = s + c, each a sum over the guide's axes.
        fixed = sum(own[j] * own[k] * gg[min(j, k), max(j, k)] for j in range(3) for k in range(3))
        crossed = sum(own[j] * cg[j] for j in range(3))
        changed = _box(change[..., i] ** 2) - mean_c[..., i] ** 2
        followed = sum(row[j] * cg[j] for j in range(3))
        share = (fixed + 2 * crossed + followed) / (fixed + 2 * crossed + np.maximum(changed, followed))
        graded = np.clip((share - _DRAWN) / (_GRADED - _DRAWN), 0, 1)
        kept = graded**2 * (3 - 2 * graded)
        for j in range(3):
            gain[..., 3 * i + j] = (row[j] + own[j]) * kept - own[j]
    return np.clip(_box(gain), -_LARGEST_GAIN, _LARGEST_GAIN)


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


def _images(frames: torch.Tensor) -> Array:
    """(T, 3, h, w) -> (T, h, w, 3) in memory order."""
    return frames.float().cpu().permute(0, 2, 3, 1).contiguous().numpy()


def _full_frame(source: torch.Tensor | IntFrames, number: int, bit_depth: int) -> Array:
    """One full-size frame as float32 (H, W, 3) in [0, 1]."""
    if isinstance(source, torch.Tensor):
        return _images(source[number : number + 1, :3])[0]
    frame = np.ascontiguousarray(source[number, :3].transpose(1, 2, 0), dtype=np.float32)
    return frame * np.float32(1 / full_scale(bit_depth))
