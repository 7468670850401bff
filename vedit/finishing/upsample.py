"""From the model's size back to the source's: the change is carried up, the untouched pixels stay the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from vedit.checks.finite import finite
from vedit.errors import InputError
from vedit.geometry import resize
from vedit.protocols import Upscaler
from vedit.ranges import full_scale, to_integer
from vedit.registry.upscalers import OWN, upscalers
from vedit.threads import each_on_a_thread

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import IntFrames

    Array = npt.NDArray[np.floating]


def upsample_change(
    source: torch.Tensor | IntFrames,
    source_small: torch.Tensor,
    result_small: torch.Tensor,
    *,
    method: str = OWN[0],
    target_hw: tuple[int, int] | None = None,
    bit_depth: int = 8,
) -> torch.Tensor:
    """The small result at full size, with as much of the source's fine detail as the look has kept.

    Args:
        source: full-size frames, (T, 3 or 4, H, W): float in [0, 1], or integers of `bit_depth`; alpha is ignored.
        source_small: (T, 3, h, w) in [0, 1], the source as the model saw it, without padding. Given the source as the
            model's autoencoder returns it instead, the autoencoder's own loss is made good as well.
        result_small: (T, 3, h, w) in [0, 1], what the model made of it.
        method: the name of an upscaler (`vedit.registry.upscalers`), which does the work frame by frame.
        target_hw: (height, width) of the output; None is the source's.
        bit_depth: of an integer source.

    Returns:
        Float32 (T, 3, H, W) in [0, 1].

    Raises:
        ValueError: numbers of frames or small sizes that differ.
        NotFiniteError: NaN or infinity is in the result.
        InputError: there is no such upscaler, or it gives frames of another size.
    """
    if source_small.shape != result_small.shape or len(source) != len(result_small):
        raise ValueError(
            f"source {tuple(source.shape)}, its small frames {tuple(source_small.shape)} and the small result "
            f"{tuple(result_small.shape)} do not belong together"
        )
    finite(result_small, "frames at the working size")
    size = target_hw or (int(source.shape[-2]), int(source.shape[-1]))
    out = torch.empty(len(source), 3, *size)
    upscale = load_upscaler(method)
    smalls, results = _frames(source_small), _frames(result_small)

    def put(number: int) -> None:
        image = resize(_full_image(source, number, bit_depth), size)
        full = upscale(torch.from_numpy(image).permute(2, 0, 1), smalls[number], results[number])
        if tuple(full.shape) != (3, *size):
            raise InputError(
                f"the upscaler {method!r} gives frames of {tuple(full.shape)}, the source asks for {(3, *size)}",
                remedy=f"mend or uninstall {upscalers()[method].origin}",
            )
        out[number] = full

    # A plug-in need not be made for several threads.
    list(each_on_a_thread(put, range(len(source)), alone=method not in OWN))
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


def load_upscaler(name: str) -> Upscaler:
    """Import an upscaler by name. Raises InputError where it is unknown or cannot be loaded."""
    return upscalers()[name].load_as(Upscaler, "upscaler")


def _frames(frames: torch.Tensor) -> torch.Tensor:
    """(T, 3, h, w) as upscalers take them, (h, w, 3) in memory order."""
    return frames.float().cpu().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _full_image(source: torch.Tensor | IntFrames, number: int, bit_depth: int) -> Array:
    """One full-size frame as float32 (H, W, 3) in [0, 1]."""
    if isinstance(source, torch.Tensor):
        return _frames(source[number : number + 1, :3])[0].permute(1, 2, 0).numpy()
    frame = np.ascontiguousarray(source[number, :3].transpose(1, 2, 0), dtype=np.float32)
    return frame * np.float32(1 / full_scale(bit_depth))
