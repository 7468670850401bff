"""The control frames that condition the model: made by preprocessors, and held to what they promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from vedit.errors import InputError
from vedit.ranges import TOLERANCE
from vedit.registry.preprocessors import load_preprocessor
from vedit.types import ControlMap, ControlSpec


def control_maps(specs: Sequence[ControlSpec], frames: torch.Tensor) -> tuple[ControlMap, ...]:
    """The control frames that the specs ask for, one map for each spec, in their order.

    Args:
        specs: kinds; scale and schedule do not matter here. A kind given twice is computed once and shared.
        frames: one shot, float (T, 3, H, W) in [0, 1] at the model's size.

    Raises:
        InputError: a kind is unknown, or its preprocessor returned frames that break the contract.
    """
    made = {
        kind: ControlMap(kind=kind, frames=torch.cat(list(control_stream(kind, [frames]))))
        for kind in dict.fromkeys(spec.kind for spec in specs)
    }
    return tuple(made[spec.kind] for spec in specs)


def control_stream(kind: str, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The control frames of one shot in chunks, checked; see `vedit.protocols.Preprocessor`.

    Raises:
        InputError: the kind is unknown, or its preprocessor breaks the contract.
    """
    sizes: list[int] = []
    shape: list[tuple[int, ...]] = []

    def counted() -> Iterator[torch.Tensor]:
        for chunk in chunks:
            sizes.append(len(chunk))
            shape.append(tuple(chunk.shape[1:]))
            yield chunk

    made = 0
    for maps in load_preprocessor(kind)(counted()):
        if not shape or tuple(maps.shape[1:]) != shape[-1]:
            raise InputError(
                f"the preprocessor {kind!r} made {tuple(maps.shape[1:])} of frames {shape[-1] if shape else ()}"
            )
        low, high = (float(maps.min()), float(maps.max())) if maps.numel() else (0.0, 0.0)
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # so that NaN is refused too
            raise InputError(f"the preprocessor {kind!r} made values in [{low:.3f}, {high:.3f}] where [0, 1] is asked")
        made += len(maps)
        yield maps.clamp(0, 1)
    if made != sum(sizes):
        raise InputError(f"the preprocessor {kind!r} made {made} maps of {sum(sizes)} frames")
