"""What the record beside a result tells a measurement: how the source was read, the shots, the windows, the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from vedit.diffusion.windows import windows
from vedit.errors import VeditError
from vedit.media.contract.expected import read_record
from vedit.media.output import Interlaced
from vedit.media.writing.sidecar import own_record
from vedit.models.resolve import resolve
from vedit.options.masks import MaskSpec
from vedit.options.request import OVERLAP, RenderRequest
from vedit.render.fitting import fit_of
from vedit.render.recorded_request import as_asked
from vedit.types import Fit, FrameRange, Shot


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """As far as a record says it; of a result without one, nothing."""

    part: FrameRange | None = None
    """Of the source, that the result shows."""
    track: int | None = None
    """The video stream of the source that it was made from."""
    rate: Fraction | None = None
    """Frames a second of the result."""
    source_rate: Fraction | None = None
    """As which an image sequence was read."""
    interlaced: Interlaced | None = None
    """What was done with fields."""
    shots: tuple[Shot, ...] = ()
    """Of the part."""
    untouched: tuple[int, ...] = ()
    """First frames of the shots that pass through."""
    joins: tuple[int, ...] = ()
    """Frames at which a window began inside a shot."""
    model: str | None = None
    prompts: tuple[str, ...] = ()
    mask: MaskSpec | None = None
    """The one of all shots, where the render had one."""
    request: RenderRequest | None = None
    recipe: Mapping[str, object] | None = None
    notes: tuple[str, ...] = field(default=())
    """What of the record is not used, and why."""

    def cell(self, height: int, width: int) -> float | None:
        """Pixels of a frame of that size for each cell of the latents; None where it is not known."""
        fit = self.fit(height, width)
        if fit is None or self.request is None:
            return None
        return resolve(self.request.model).traits.factors.height * min(height, width) / min(fit.inner)

    def fit(self, height: int, width: int) -> Fit | None:
        """How a frame of that size lay in the model's; None where it is not known."""
        if self.request is None:
            return None
        try:
            return fit_of((width, height), self.request.all_looks[0], resolve(self.request.model).traits)
        except VeditError:  # the model is not here any more
            return None


def recorded(result: Path) -> Recorded:
    """What is known of a result; a record that says less tells less, and says so. Raises MediaError for no record."""
    told = read_record(result)
    if told is None:
        return Recorded()
    if own_record(result) is None:
        return Recorded(notes=(f"{result.name} is not as its record has it: the record is not used",))
    try:
        plain = _plain(told)
    except (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return Recorded(notes=(f"the record beside {result.name} cannot be read: it is not used",))
    recipe = told.get("recipe")
    if not isinstance(recipe, dict) or "model" not in recipe:
        return Recorded(**plain)  # mattes, control maps, a clip that was only written anew: no model has made it
    try:
        return _rendered(plain, told, cast("Mapping[str, Any]", recipe), result.absolute().parent)
    except (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return Recorded(**plain, notes=(f"what the record beside {result.name} says of the render cannot be read",))


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of any result says, of one that was not rendered too."""
    frames, rate, track = told["frames"], told.get("rate"), told["source"].get("track")
    if not (0 <= int(frames["start"]) < int(frames["stop"])):
        raise ValueError("a part without frames")
    return {
        "part": FrameRange(start=frames["start"], stop=frames["stop"]),
        "track": track if isinstance(track, int) else None,
        "rate": None if rate is None else Fraction(str(rate)),
    }


def _rendered(plain: Mapping[str, Any], told: Mapping[str, Any], recipe: Mapping[str, Any], folder: Path) -> Recorded:
    request, notes = _request(told, folder)
    shots = _shots(recipe["shots"], plain["part"])
    looks: list[Mapping[str, Any]] = recipe.get("looks") or [recipe]
    mask, unused = _mask(request, looks)
    interlaced = recipe.get("interlaced")
    return Recorded(
        **plain,
        source_rate=None if request is None else request.rate,
        interlaced=interlaced if interlaced in ("deinterlace", "weave") else None,
        shots=shots,
        untouched=_untouched(recipe, shots),
        joins=_joins(shots, (told.get("used") or {}).get("windows") or {}, looks[0].get("overlap")),
        model=str(recipe["model"]),
        prompts=tuple(dict.fromkeys(str(look["prompt"]) for look in looks if look.get("prompt"))),
        mask=mask,
        request=request,
        recipe=recipe,
        notes=(*notes, *unused),
    )


def _request(told: Mapping[str, Any], folder: Path) -> tuple[RenderRequest | None, tuple[str, ...]]:
    asked = told.get("asked")
    if not isinstance(asked, dict):
        return None, ()
    try:
        return as_asked(cast("dict[str, Any]", asked)["request"], folder), ()
    except (VeditError, LookupError, TypeError) as error:
        return None, (f"the settings of the record are not used: {error}",)


def _shots(told: object, part: FrameRange) -> tuple[Shot, ...]:
    """Those of the record, which cover the part without a gap. Raises ValueError where they do not."""
    spans = [FrameRange(start=int(start), stop=int(stop)) for start, stop in cast("list[list[int]]", told)]
    edges = [part.start, *(span.stop for span in spans)]
    if [span.start for span in spans] != edges[:-1] or edges[-1] != part.stop:
        raise ValueError("shots with a gap")
    return tuple(Shot(number=number, frames=span) for number, span in enumerate(spans, 1))


def _untouched(recipe: Mapping[str, Any], shots: tuple[Shot, ...]) -> tuple[int, ...]:
    """The first frames of the shots that pass through; the recipe has the numbers of all, which need not be from 1."""
    passing = set(recipe.get("untouched") or ())
    others = {number for look in recipe.get("looks") or () for number in look["shots"]}
    numbers = sorted(passing | others | set(recipe.get("locked") or ()))
    if len(numbers) != len(shots):
        return ()
    return tuple(shot.frames.start for number, shot in zip(numbers, shots, strict=True) if number in passing)


def _joins(shots: tuple[Shot, ...], sizes: Mapping[str, int], overlap: int | None) -> tuple[int, ...]:
    found: list[int] = []
    for shot in shots:
        size = sizes.get(str(shot.frames.start))
        if size is not None:
            shared = min(OVERLAP if overlap is None else overlap, size // 3)
            found += [part.frames.start for part in windows(shot.frames, size=size, overlap=shared)[1:]]
    return tuple(found)


def _mask(request: RenderRequest | None, looks: list[Mapping[str, Any]]) -> tuple[MaskSpec | None, tuple[str, ...]]:
    """The one of all shots; of a render with others than that none, which is said."""
    if request is None or not any(look.get("mask") or look.get("regions") for look in looks):
        return None, ()
    masks = [look.mask for look in request.all_looks]
    alike = all(mask == masks[0] for mask in masks) and not any(look.regions for look in request.all_looks)
    if alike and masks[0] and request.looks is None:
        return masks[0], ()
    return None, ("its record has masks of several shots or regions, which are not used: name one with --mask",)
