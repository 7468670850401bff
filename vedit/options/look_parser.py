"""The settings of a look, as plan files and looks files have them, as the options of a render.

prompt = "ink drawing"
strength = 0.8
controls = ["softedge:0.8@0-0.6", "tile"]     # as --control has them; "none" for no control
from = "depth=maps/depth.mp4"                 # as --from has it: a control video made elsewhere
keep = "faces"                                # instead of controls
mask = "person.mp4"                           # or box:25%,10%,50%,80%, subject:the dog, ...; or a list of these
mask = { subject = "the dog", feather = 12 }  # or a table: file, box, point, subject, background, invert, grow, ...
regions = ["sky.png=starry night", { mask = "subject:the dog", prompt = "bronze", loras = ["bronze.safetensors"] }]
loras = ["ink.safetensors:0.8", { file = "paper.safetensors", weight = 0.5, mask = "sky.png" }]
embeddings = ["inkstyle.safetensors", "bad.safetensors=blurred"]
references = ["still.png:0.7", { file = "other.jpg", weight = 0.3 }]
keyframe = ["#0=painted.png", "keys"]         # as --keyframe has it: painted frames, or a folder of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from vedit.errors import InputError, SettingError
from vedit.options.controls import parse_controls, parse_source, with_sources
from vedit.options.embeddings import EmbeddingSpec, parse_embedding
from vedit.options.loras import LoraSpec, parse_lora, usual_weight
from vedit.options.masks import MaskSpec, RegionSpec, parse_box, parse_mask, parse_mask_spec, parse_point, parse_region
from vedit.options.painted import PaintedSpec, in_folder, parse_painted
from vedit.options.references import ReferenceSpec, parse_reference
from vedit.options.request import RestyleOptions
from vedit.types import ControlSpec

Table = Mapping[str, object]
_READ_HERE = (
    "controls",
    "from",
    "mask",
    "invert_mask",
    "grow",
    "feather",
    "regions",
    "loras",
    "references",
    "embeddings",
    "keyframe",
)


class Files(Protocol):
    """Where what a look names lies."""

    def place(self, file: Path, /) -> Path:
        """A file. Raises InputError where it may not be named."""
        ...

    def weights(self, path: Path, part: Literal["lora", "embedding"], /) -> Path:
        """A LoRA or an embedding, which have names and ids of the hub too. Raises InputError as `place`."""
        ...


def look_options(look: Table, *, files: Files, where: str) -> RestyleOptions:
    """The settings of one look as options.

    Args:
        look: keys of `vedit.options.look_schema.LOOK`, their values checked by it.
        files: where what the look names lies.
        where: of the look, for messages.

    Raises:
        InputError: a control, mask or region is not understood, or names a file that may not be named.
    """
    values: dict[str, Any] = {key: value for key, value in look.items() if key not in _READ_HERE}
    values |= {key: float(values[key]) for key in ("strength", "guidance", "variation") if key in values}
    if {"keep", "controls"} <= look.keys():
        raise InputError(f"{where}: keep and controls exclude each other", remedy="leave one of them out")
    for key, option, read in _READERS:
        if key in look:
            try:
                found = read(look, files)
            except InputError as error:
                raise InputError(f"{where}, {key}: {error.message}", remedy=error.remedy) from None
            # What regions say of LoRAs stands behind what the look says itself.
            if option == "loras":
                found = (*values.get(option, ()), *cast("tuple[LoraSpec, ...]", found))
            values[option] = found
    try:
        return RestyleOptions(**values)
    except SettingError as error:  # what only shows in two keys together
        raise InputError(f"{where}: {error.message}", remedy=error.remedy) from None


def _several(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _texts(value: object) -> list[str]:
    return [str(item) for item in _several(value)]


def _controls(look: Table, files: Files) -> tuple[ControlSpec, ...]:
    specs = parse_controls(_texts(look["controls"])) if "controls" in look else RestyleOptions().controls
    specs = tuple(replace(spec, mask=files.place(spec.mask)) if spec.mask is not None else spec for spec in specs)
    sources = [(kind, files.place(path)) for kind, path in map(parse_source, _texts(look.get("from", [])))]
    return with_sources(specs, sources)


def _mask(look: Table, files: Files) -> MaskSpec:
    spec = _one_mask(look["mask"], files)
    return replace(spec, invert=cast("bool", look.get("invert_mask", spec.invert)), **_edge(look, spec))


def _regions(look: Table, files: Files) -> tuple[RegionSpec, ...]:
    found: list[RegionSpec] = []
    for entry in _several(look["regions"]):
        region = _region(entry, files)
        found.append(replace(region, mask=replace(region.mask, **_edge(look, region.mask))))
    return tuple(found)


def _loras(look: Table, files: Files) -> tuple[LoraSpec, ...]:
    return tuple(_lora(entry, look, files) for entry in _several(look["loras"]))


def _loras_of_regions(look: Table, files: Files) -> tuple[LoraSpec, ...]:
    """What regions say of LoRAs: each acts in its region's mask."""
    found: list[LoraSpec] = []
    for entry, region in zip(_several(look["regions"]), _regions(look, files), strict=True):
        table = cast("Table", entry) if isinstance(entry, dict) else {}
        for one in _several(table.get("loras", [])):
            lora = _lora(one, look, files)
            if lora.mask is not None:
                raise InputError("a LoRA of a region has a mask", remedy="leave it out: it acts in the region's own")
            found.append(replace(lora, mask=region.mask))
    return tuple(found)


def _lora(entry: object, look: Table, files: Files) -> LoraSpec:
    if not isinstance(entry, dict):
        spec = parse_lora(str(entry))
        mask = None if spec.mask is None else _placed(spec.mask, files)
    else:
        table = cast("dict[str, object]", entry)
        if not str(table.get("file", "")).strip():
            raise InputError("a LoRA names no file", remedy='write { file = "ink.safetensors", weight = 0.8 }')
        named = str(table["file"]).strip()
        weight = table["weight"] if "weight" in table else usual_weight(named)
        spec = LoraSpec(path=Path(named), weight=float(cast("float", weight)))
        mask = _one_mask(table["mask"], files) if "mask" in table else None
    if mask is not None:
        mask = replace(mask, **_edge(look, mask))
    return replace(spec, path=files.weights(spec.path, "lora"), mask=mask)


def _references(look: Table, files: Files) -> tuple[ReferenceSpec, ...]:
    found = (_reference(entry) for entry in _several(look["references"]))
    return tuple(replace(spec, path=files.place(spec.path)) for spec in found)


def _reference(entry: object) -> ReferenceSpec:
    if not isinstance(entry, dict):
        return parse_reference(str(entry))
    table = cast("dict[str, object]", entry)
    if not str(table.get("file", "")).strip():
        raise InputError("a reference needs a file", remedy='write { file = "still.png", weight = 0.7 }')
    return ReferenceSpec(path=Path(str(table["file"])), weight=float(cast("float", table.get("weight", 1.0))))


def _painted(look: Table, files: Files) -> tuple[PaintedSpec, ...]:
    found: list[PaintedSpec] = []
    for text in _texts(look["keyframe"]):
        if text.strip() and "=" not in text:
            found += in_folder(files.place(Path(text.strip())))
        else:
            spec = parse_painted(text)
            found.append(replace(spec, path=files.place(spec.path)))
    return tuple(found)


def _embeddings(look: Table, files: Files) -> tuple[EmbeddingSpec, ...]:
    return tuple(_embedding(parse_embedding(text), files) for text in _texts(look["embeddings"]))


def _embedding(spec: EmbeddingSpec, files: Files) -> EmbeddingSpec:
    """An embedding where it lies; a listed name stays its word in prompts."""
    path = files.weights(spec.path, "embedding")
    return replace(spec, path=path, token=spec.token if path.name == spec.path.name else spec.word)


# A control that is not understood is found before what is laid over the controls.
_READERS: tuple[tuple[str, str, Callable[[Table, Files], object]], ...] = (
    ("controls", "controls", _controls),
    ("from", "controls", _controls),
    ("mask", "mask", _mask),
    ("regions", "regions", _regions),
    ("references", "references", _references),
    ("loras", "loras", _loras),
    ("regions", "loras", _loras_of_regions),
    ("embeddings", "embeddings", _embeddings),
    ("keyframe", "keyframe", _painted),
)


def _region(entry: object, files: Files) -> RegionSpec:
    if not isinstance(entry, dict):
        spec = parse_region(str(entry))
        return replace(spec, mask=_placed(spec.mask, files))
    table = cast("dict[str, object]", entry)
    if not {"mask", "prompt"} <= table.keys():
        raise InputError(
            "a region needs mask and prompt", remedy='write { mask = "subject:the dog", prompt = "bronze" }'
        )
    if not str(table["prompt"]).strip():
        raise InputError("a region has an empty prompt", remedy="say what the picture becomes there")
    return RegionSpec(mask=_one_mask(table["mask"], files), prompt=str(table["prompt"]).strip())


def _edge(look: Table, spec: MaskSpec) -> dict[str, Any]:
    """What the look says of the edges of all its masks, over what a mask says itself."""
    return {key: float(cast("float", look.get(key, getattr(spec, key)))) for key in ("grow", "feather")}


def _one_mask(value: object, files: Files) -> MaskSpec:
    if isinstance(value, dict):
        return _mask_table(cast("dict[str, object]", value), files)
    entries = _several(value)
    if any(isinstance(entry, dict) for entry in entries):
        raise InputError("a mask that is a table stands alone", remedy="write all of it in one table")
    return _placed(_union([parse_mask_spec(str(entry)) for entry in entries]), files)


def _mask_table(table: Table, files: Files) -> MaskSpec:
    spec = MaskSpec(
        files=tuple(map(parse_mask, _texts(table.get("file", [])))),
        boxes=tuple(map(parse_box, _texts(table.get("box", [])))),
        points=tuple(map(parse_point, _texts(table.get("point", [])))),
        **{key: _words(table, key) for key in ("subject", "background") if key in table},
        **{key: cast("Any", table[key]) for key in ("invert", "propagate") if key in table},
    )
    if not spec:
        raise InputError("it says no place", remedy="give file, box, point, subject or background")
    return replace(_placed(spec, files), **_edge(table, spec))


def _words(table: Table, key: str) -> Any:
    if not str(table[key]).strip():
        raise InputError(f"{key} is empty", remedy="name one, or leave the key out")
    return str(table[key]).strip()


def _union(specs: Sequence[MaskSpec]) -> MaskSpec:
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


def _placed(spec: MaskSpec, files: Files) -> MaskSpec:
    return replace(spec, files=tuple(replace(file, path=files.place(file.path)) for file in spec.files))
