"""What the record beside a result tells a measurement: the part, the shots, the windows, the model and the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vedit.diffusion.windows import windows
from vedit.errors import VeditError
from vedit.media.contract.expected import read_record
from vedit.models.resolve import resolve
from vedit.options.masks import MaskSpec
from vedit.options.request import OVERLAP
from vedit.render.recorded_request import as_asked
from vedit.types import FrameRange, Shot

_CELL = 8
"""Pixels of a latent's cell where the model itself is not here to tell."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """As far as a record says it; of a result without one, nothing."""

    shots: tuple[Shot, ...] = ()
    joins: tuple[int, ...] = ()
    """Frames at which a window began inside a shot."""
    working_size: tuple[int, int] | None = None
    """(height, width) at which the model worked."""
    model: str | None = None
    prompts: tuple[str, ...] = ()
    mask: MaskSpec | None = None
    """The one of all shots, where the render had one."""
    recipe: Mapping[str, object] | None = None

    def cell(self, height: int, width: int) -> float | None:
        """Pixels of a frame of that size for each cell of the latents; None where nothing is recorded."""
        if self.working_size is None or self.model is None:
            return None
        try:
            own = resolve(self.model).traits.factors.height
        except VeditError:  # the model is not here any more
            own = _CELL
        return own * min(height, width) / min(self.working_size)


def recorded(result: Path) -> Recorded:
    """What is known of a result; a record that says less tells less. Raises MediaError where it is no record."""
    told = read_record(result)
    recipe = None if told is None else told.get("recipe")
    if told is None or not isinstance(recipe, dict):
        return Recorded()
    try:
        return _read(cast("Mapping[str, Any]", told), cast("Mapping[str, Any]", recipe), result.absolute().parent)
    except (LookupError, TypeError, ValueError, AttributeError):
        return Recorded(recipe=cast("Mapping[str, object]", recipe))


def _read(told: Mapping[str, Any], recipe: Mapping[str, Any], folder: Path) -> Recorded:
    shots = tuple(
        Shot(number=number, frames=FrameRange(start=start, stop=stop))
        for number, (start, stop) in enumerate(recipe["shots"], 1)
    )
    looks: list[Mapping[str, Any]] = recipe.get("looks") or [recipe]
    sizes = {tuple(look["working_size"]) for look in looks if look.get("working_size")}
    width, height = min(sizes) if sizes else (0, 0)
    return Recorded(
        shots=shots,
        joins=_joins(shots, (told.get("used") or {}).get("windows") or {}, looks[0].get("overlap")),
        working_size=(height, width) if sizes else None,
        model=str(recipe["model"]),
        prompts=tuple(dict.fromkeys(str(look["prompt"]) for look in looks if look.get("prompt"))),
        mask=_mask(told, folder),
        recipe=recipe,
    )


def _joins(shots: tuple[Shot, ...], sizes: Mapping[str, int], overlap: int | None) -> tuple[int, ...]:
    found: list[int] = []
    for shot in shots:
        size = sizes.get(str(shot.frames.start))
        if size is not None:
            shared = min(OVERLAP if overlap is None else overlap, size // 3)
            found += [part.frames.start for part in windows(shot.frames, size=size, overlap=shared)[1:]]
    return tuple(found)


def _mask(told: Mapping[str, Any], folder: Path) -> MaskSpec | None:
    """Of a render whose shots all had the same one, and no regions beside it."""
    asked = told.get("asked")
    if not isinstance(asked, dict):
        return None
    try:
        request = as_asked(cast("dict[str, Any]", asked)["request"], folder)
    except (VeditError, LookupError, TypeError):
        return None
    looks = request.all_looks
    if request.looks is not None or any(look.regions for look in looks) or not looks[0].mask:
        return None
    return looks[0].mask
