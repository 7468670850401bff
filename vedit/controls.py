"""Control maps: what `--control` asks for, and the frames that condition the model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.ranges import TOLERANCE
from vedit.registry import load_preprocessor, preprocessors
from vedit.types import ControlMap, ControlSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

_FORM = "KIND[:SCALE[@START-END]], for instance softedge:0.8@0-0.6"
_NUMBER = r"[0-9]*\.?[0-9]+"
_SPEC = re.compile(
    rf"(?P<kind>[A-Za-z][\w-]*)(?::(?P<scale>[^@]+))?(?:@(?P<start>{_NUMBER})-(?P<end>{_NUMBER}))?", re.ASCII
)


def parse_control(text: str) -> ControlSpec:
    """`KIND[:SCALE[@START-END]]` -> a control's settings.

    SCALE is at least 0 (1 is the strength that the model was trained at); START and END are parts of the sampling,
    0 the noisy beginning and 1 the end.

    Raises:
        InputError: the text is of another form, a number is out of range, or no preprocessor has that name.
    """
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise InputError(f"the control {text!r} cannot be read", remedy=f"write {_FORM}")
    kind, scale, start, end = match["kind"], match["scale"] or "1", match["start"] or "0", match["end"] or "1"
    if not re.fullmatch(_NUMBER, scale):
        raise InputError(
            f"the control {text!r} has the scale {scale!r}", remedy="give a number from 0 on, usually 0 to 1.5"
        )
    if kind not in preprocessors():
        kind = preprocessors()[kind.lower()].name
    try:
        return ControlSpec(kind=kind, scale=float(scale), start=float(start), end=float(end))
    except ValueError as error:
        raise InputError(f"the control {text!r}: {error}", remedy=f"write {_FORM}") from error


def control_maps(specs: Sequence[ControlSpec], frames: torch.Tensor) -> tuple[ControlMap, ...]:
    """The control frames that the specs ask for, one map for each spec, in their order.

    Args:
        specs: kinds; scale and schedule do not matter here. A kind given twice is computed once and shared.
        frames: one shot, float (T, 3, H, W) in [0, 1] at the model's size.

    Raises:
        InputError: a kind is unknown, or its preprocessor returned frames that break the contract.
    """
    made = {kind: _control_map(kind, frames) for kind in dict.fromkeys(spec.kind for spec in specs)}
    return tuple(made[spec.kind] for spec in specs)


def _control_map(kind: str, frames: torch.Tensor) -> ControlMap:
    made = load_preprocessor(kind)(frames)
    if made.shape != frames.shape:
        raise InputError(f"the preprocessor {kind!r} made {tuple(made.shape)} of frames {tuple(frames.shape)}")
    low, high = (float(made.min()), float(made.max())) if made.numel() else (0.0, 0.0)
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # so that NaN is refused too
        raise InputError(f"the preprocessor {kind!r} made values in [{low:.3f}, {high:.3f}] where [0, 1] is asked")
    return ControlMap(kind=kind, frames=made.clamp(0, 1))
