"""How one shot changes, as a user of the Python API writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from vedit.masking import MaskSpec, RegionSpec, parse_mask
from vedit.options import DEFAULT_CONTROLS, Keep, QualityName, RestyleOptions, Start, Upscale
from vedit.types import ControlSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(TypedDict, total=False):
    """What an edit may say beside its prompt, controls, strength and mask; see `RestyleOptions`."""

    negative_prompt: str
    source_prompt: str
    guidance: float | None
    keep: Keep | None
    regions: tuple[RegionSpec, ...]
    seed: int
    quality: QualityName
    steps: int | None
    fixed_point: int | None
    short_side: int | None
    start: Start
    cross_frame: bool
    anchor: str | None
    batch: int
    window: int
    overlap: int | None
    upscale: Upscale
    allow_unknown: bool


class Edit(RestyleOptions):
    """How a shot changes: `Edit("engraving", controls=["tile", "depth:0.8"], strength=0.7)`.

    `RestyleOptions` that are pleasant to write; whatever takes those takes an edit.

    Args:
        prompt: the look to give.
        controls: what keeps the structure, as specifications or as `--control` writes them; None is tile and softedge.
        strength: [0, 1]; how much is regenerated.
        mask: where the picture changes: a specification, or a file as `--mask` takes it.
        settings: any other field of `RestyleOptions`.

    Raises:
        InputError: a mask or a control that is not understood, or a value out of bounds (`vedit.bounds`).
    """

    def __init__(
        self,
        prompt: str = "",
        *,
        controls: Sequence[ControlSpec | str] | None = None,
        strength: float = 1.0,
        mask: MaskSpec | Path | str | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        specs = DEFAULT_CONTROLS if controls is None else tuple(map(_control, controls))
        if isinstance(mask, Path | str):
            mask = MaskSpec(files=(parse_mask(str(mask)),))
        super().__init__(prompt=prompt, controls=specs, strength=strength, mask=mask, **settings)

    def __repr__(self) -> str:
        plain = RestyleOptions()
        told = [
            f"{entry.name}={getattr(self, entry.name)!r}"
            for entry in fields(self)
            if entry.name == "prompt" or getattr(self, entry.name) != getattr(plain, entry.name)
        ]
        return f"Edit({', '.join(told)})"


def plain_options(edit: RestyleOptions) -> RestyleOptions:
    """The same as a plain `RestyleOptions`, so that two edits that say the same are one look."""
    said: dict[str, Any] = {entry.name: getattr(edit, entry.name) for entry in fields(RestyleOptions)}
    # Lists are as good as tuples to a caller, but looks are compared by hash.
    said |= {key: tuple(said[key]) for key in ("controls", "regions")}
    return RestyleOptions(**said)


def plain_looks(edits: Mapping[int, RestyleOptions]) -> dict[int, RestyleOptions]:
    """`plain_options` of each, by shot number."""
    return {number: plain_options(edit) for number, edit in edits.items()}


def _control(value: ControlSpec | str) -> ControlSpec:
    if not isinstance(value, str):
        return value
    from vedit.controls import parse_control

    return parse_control(value)
