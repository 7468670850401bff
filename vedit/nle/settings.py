"""The settings of a look, as TOML has them, as the options of a render; every value is checked.

    prompt = "ink drawing"
    strength = 0.8
    controls = ["softedge:0.8@0-0.6", "tile"]     # as --control has them; "none" for no control
    keep = "faces"                                # instead of controls
    mask = "person.mp4"                           # or box:25%,10%,50%,80%, subject:the dog, ...; or a list of these
    mask = { subject = "the dog", feather = 12 }  # or a table: file, box, point, subject, background, invert, grow, ...
    regions = ["sky.png=starry night", { mask = "subject:the dog", prompt = "a fox" }]
    model = "sd15"

Files are looked for from the folder that the settings lie in.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from vedit.controls import KEEPS, parse_control
from vedit.errors import InputError
from vedit.masking import MaskSpec, Propagation, RegionSpec, parse_box, parse_mask, parse_mask_spec, parse_point
from vedit.masking import parse_region as parse_region_text
from vedit.models import DEFAULT
from vedit.nle.looks import Look
from vedit.options import QUALITIES, RestyleOptions, Upscale
from vedit.types import ControlSpec

MASK_KEYS = ("file", "box", "point", "subject", "background", "invert", "grow", "feather", "propagate")
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """What a look asks of a render."""

    options: RestyleOptions
    model: str = DEFAULT


def look_options(look: Look, *, folder: Path) -> LookOptions:
    """A look's settings as options.

    Args:
        look: its settings as they are written; their keys were checked.
        folder: relative names of masks count from here.

    Raises:
        InputError: a value is of another type, out of range, or not understood; the message names look and key.
    """
    if "keep" in look.settings and "controls" in look.settings:
        raise InputError(f"look {look.name!r}: keep and controls exclude each other", remedy="leave one of them out")
    values: dict[str, Any] = {}
    for key, value in look.settings.items():
        try:
            values[key] = _READERS[key](value, folder)
        except InputError as error:
            raise InputError(f"look {look.name!r}, {key}: {error.message}", remedy=error.remedy) from None
    model = str(values.pop("model", DEFAULT))
    options = RestyleOptions(**values)
    if not options.prompt.strip() and not options.regions:
        raise InputError(f"look {look.name!r} has no prompt", remedy='write prompt = "ink drawing"')
    return LookOptions(options=options, model=model)


_Reader = Callable[[object, Path], object]


def _text(value: object, _folder: Path) -> str:
    if not isinstance(value, str):
        raise InputError(f"{value!r} is no text", remedy='write it in quotation marks: "..."')
    return value


def _name(value: object, folder: Path) -> str:
    text = _text(value, folder).strip()
    if not text:
        raise InputError("it is empty", remedy="name one, or leave the key out")
    return text


def _switch(value: object, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{value!r} is neither true nor false", remedy="write true or false, without quotation marks")
    return value


def _one_of(*known: str) -> _Reader:
    def read(value: object, folder: Path) -> str:
        text = _text(value, folder)
        if text not in known:
            raise InputError(f"{text!r} is not known", remedy=f"it may be {', '.join(known)}")
        return text

    return read


def _number(low: float, high: float = math.inf) -> _Reader:
    def read(value: object, _folder: Path) -> float:
        # An integer too large for a float cannot be asked whether it is finite.
        number = isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
        if not number:
            raise InputError(f"{value!r} is no number", remedy=f"give one {_told(low, high)}")
        given = float(cast("float", value))
        if not low <= given <= high:
            raise InputError(f"{given:g} is out of range", remedy=f"give a number {_told(low, high)}")
        return given

    return read


def _whole(low: int, high: int | None = None) -> _Reader:
    def read(value: object, _folder: Path) -> int:
        limit = math.inf if high is None else high
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= limit:
            raise InputError(f"{value!r} is no whole number {_told(low, limit)}", remedy="without quotation marks")
        return value

    return read


def _told(low: float, high: float) -> str:
    if low == -math.inf:
        return "of pixels"
    return f"from {low:g} on" if high == math.inf else f"from {low:g} to {high:g}"


def _several(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _controls(value: object, folder: Path) -> tuple[ControlSpec, ...]:
    texts = [_text(entry, folder).strip() for entry in _several(value)]
    if texts == ["none"]:
        return ()
    if "none" in texts:
        raise InputError("'none' stands alone, it cannot be combined", remedy="leave it out, or leave the others out")
    specs: list[ControlSpec] = []
    for text in texts:
        spec = parse_control(text)
        if spec.kind in (earlier.kind for earlier in specs):
            raise InputError(f"{spec.kind!r} is given twice", remedy="name each control once")
        specs.append(replace(spec, mask=None if spec.mask is None else folder / spec.mask))
    return tuple(specs)


def _mask(value: object, folder: Path) -> MaskSpec:
    if isinstance(value, dict):
        return _mask_table(cast("dict[str, object]", value), folder)
    return _union([_inside(parse_mask_spec(_text(entry, folder)), folder) for entry in _several(value)])


def _mask_table(table: Mapping[str, object], folder: Path) -> MaskSpec:
    _check_keys(table, MASK_KEYS)

    def texts(key: str) -> list[str]:
        return [_text(entry, folder) for entry in _several(table.get(key, []))] if key in table else []

    spec = MaskSpec(
        files=tuple(map(parse_mask, texts("file"))),
        boxes=tuple(map(parse_box, texts("box"))),
        points=tuple(map(parse_point, texts("point"))),
        subject=_name(table["subject"], folder) if "subject" in table else None,
        background=_name(table["background"], folder) if "background" in table else None,
        invert=_switch(table.get("invert", False), folder),
        grow=cast("float", _number(-math.inf)(table.get("grow", 0), folder)),
        feather=cast("float", _number(0)(table.get("feather", 0), folder)),
        propagate=cast("Propagation", _one_of(*get_args(Propagation))(table.get("propagate", "auto"), folder)),
    )
    if not spec:
        raise InputError("it says no place", remedy="give file, box, point, subject or background")
    return _inside(spec, folder)


def _regions(value: object, folder: Path) -> tuple[RegionSpec, ...]:
    return tuple(_region(entry, folder) for entry in _several(value))


def _region(value: object, folder: Path) -> RegionSpec:
    if not isinstance(value, dict):
        spec = parse_region_text(_text(value, folder))
        return replace(spec, mask=_inside(spec.mask, folder))
    table = cast("dict[str, object]", value)
    _check_keys(table, ("mask", "prompt"))
    if not {"mask", "prompt"} <= table.keys():
        raise InputError(
            "a region needs mask and prompt", remedy='write { mask = "subject:the dog", prompt = "a fox" }'
        )
    return RegionSpec(mask=_mask(table["mask"], folder), prompt=_name(table["prompt"], folder))


def _union(specs: list[MaskSpec]) -> MaskSpec:
    subjects = [spec.subject for spec in specs if spec.subject]
    backgrounds = [spec.background for spec in specs if spec.background]
    if len(subjects) > 1 or len(backgrounds) > 1:
        raise InputError("it names two subjects", remedy="name them together: subject:the dog and the cat")
    found = MaskSpec(
        files=tuple(file for spec in specs for file in spec.files),
        boxes=tuple(box for spec in specs for box in spec.boxes),
        points=tuple(point for spec in specs for point in spec.points),
        subject=subjects[0] if subjects else None,
        background=backgrounds[0] if backgrounds else None,
    )
    if not found:
        raise InputError("it says no place", remedy="leave the key out to change all of the picture")
    return found


def _inside(spec: MaskSpec, folder: Path) -> MaskSpec:
    """A mask whose relative names count from `folder`."""
    return replace(spec, files=tuple(replace(file, path=folder / file.path) for file in spec.files))


def _check_keys(table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise InputError(f"there is no key {key!r}", remedy=f"nearest is {near[0]!r}")


_READERS: dict[str, _Reader] = {
    "prompt": _text,
    "negative_prompt": _text,
    "source_prompt": _text,
    "strength": _number(0, 1),
    "guidance": _number(0),
    "controls": _controls,
    "keep": _one_of(*KEEPS),
    "mask": _mask,
    "regions": _regions,
    "seed": _whole(0, _LARGEST_SEED),
    "quality": _one_of(*QUALITIES),
    "steps": _whole(1, 1000),
    "fixed_point": _whole(1, 100),
    "short_side": _whole(64, 4096),
    "start": _one_of("inversion", "noise"),
    "cross_frame": _switch,
    "batch": _whole(1),
    "window": _whole(1),
    "overlap": _whole(0),
    "upscale": _one_of(*get_args(Upscale)),
    "model": _name,
}
