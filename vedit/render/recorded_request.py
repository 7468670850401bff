"""A render's request in the record beside its result, and back: all that has to be known to render it again.

Files are named from the record's folder, so that a folder that moves as a whole stays right. Whoever reads a record has
each file's hash beside its name: what a record that comes from elsewhere names is only used where it is that file.
"""

from __future__ import annotations

import os
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from vedit.errors import InputError, SettingError
from vedit.media.writing.atomic import Stamp
from vedit.media.writing.sidecar import source_hash
from vedit.models.model_folders import in_model_folders
from vedit.models.resolve import known_names
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.registry.attention import CROSS_FRAME
from vedit.registry.catalogue import ListedPart
from vedit.types import Shot

_NAMED = {"Path": Path, "Fraction": Fraction, "Shot": Shot, "Stamp": Stamp}
"""What the modules of the options name for type checkers only."""

_ONCE: Mapping[type, Mapping[str, object]] = {RestyleOptions: {"attention": CROSS_FRAME}}
"""What settings were before records said them, where it is not what they are today."""
_PARTS: Mapping[str, ListedPart] = {
    "ip_adapter": "ip-adapter",
    "image_encoder": "ip-adapter",
    "motion_adapter": "motion",
    "unet": "model",
}
"""What a model may be given beside ControlNets, and what lists call it."""


def as_recorded(request: RenderRequest, folder: Path) -> dict[str, object]:
    """A request as JSON has it; where its result goes and what it may replace is not part of it.

    Args:
        request: settled, so that the controls that act stand in it.
        folder: of the record.
    """
    models = {
        "model": _model_from(folder, request.model),
        "controlnets": [[kind, _model_from(folder, place, "controlnet")] for kind, place in request.controlnets],
        **{name: _model_from(folder, place, _PARTS[name]) for name, place in _beside(request).items()},
    }
    asked = replace(
        request,
        output=None,
        fresh=False,
        keep_work=False,
        keep_frames=False,
        writing=replace(request.writing, overwrite=False, replaces=()),
    )
    return {**cast("dict[str, object]", _plain(asked, folder)), **models}


def hashes_of(request: RenderRequest, folder: Path) -> dict[str, str]:
    """SHA-256 of the masks and control videos of a request, by their names as `as_recorded` has them."""
    looks = request.all_looks
    files = dict.fromkeys(path for options in looks for path in options.files)
    return {_name_from(folder, path): source_hash(path)[0] for path in files}


def as_asked(told: Mapping[str, Any], folder: Path) -> RenderRequest:
    """The request of a record; its files from where `folder` is, which may be relative.

    Args:
        told: what `as_recorded` has made.
        folder: of the record.

    Raises:
        InputError: it says something else than requests of this version do.
    """
    try:
        request = cast("RenderRequest", _built(RenderRequest, told, folder))
        controlnets = tuple((kind, _placed_model(folder, place)) for kind, place in request.controlnets)
        beside: dict[str, Any] = {name: _placed_model(folder, place) for name, place in _beside(request).items()}
        return replace(request, model=_placed_model(folder, request.model), controlnets=controlnets, **beside)
    except SettingError:
        raise
    except (TypeError, ValueError, LookupError, ZeroDivisionError) as error:
        raise InputError(f"its request cannot be read ({error})") from None


def _beside(request: RenderRequest) -> dict[str, str]:
    """What the model is given beside ControlNets, of that which is named."""
    named = {name: getattr(request, name) for name in _PARTS}
    return {name: place for name, place in named.items() if place is not None}


def placed(folder: Path, name: str) -> Path:
    """A file by the name that a record in `folder` has of it. Raises ValueError for no name of a file."""
    if "\0" in name:
        raise ValueError(f"{name!r} is no name of a file")
    return Path(os.path.normpath(folder / name))


def _name_from(folder: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()


def _model_from(folder: Path, text: str, part: ListedPart = "model") -> str:
    """A model as it is named everywhere: one that lies here by its place, which a dot or a root begins."""
    listed = text in {model.name for model in known_names()}
    if not listed and not Path(text).exists():
        # The model folders of this run need not be those of the next.
        text = str(in_model_folders(text, part) or text)
    if listed or not Path(text).exists():
        return text
    name = _name_from(folder, Path(text))
    return name if name.startswith(".") or Path(name).is_absolute() else f"./{name}"


def _placed_model(folder: Path, text: str) -> str:
    return str(placed(folder, text)) if text.startswith(".") or Path(text).is_absolute() else text


def _plain(value: object, folder: Path) -> object:
    if isinstance(value, Path):
        return _name_from(folder, value)
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name), folder) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, folder) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item, folder) for item in cast("list[object]", value)]
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[int]", value))
    return value


def _built(kind: Any, value: Any, folder: Path) -> Any:
    """A value of a type from what `_plain` has made of it. Raises TypeError or ValueError where it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (one,) = (each for each in inner if each is not types.NoneType)
        return None if value is None else _built(one, value, folder)
    if origin is Literal:
        found = next((each for each in inner if each == value and type(each) is type(value)), None)
        return found if found is not None else _refuse(value)
    if origin is tuple and isinstance(value, list):
        items = cast("list[Any]", value)
        kinds = [inner[0]] * len(items) if inner[-1] is ... else inner
        return tuple(_built(each, item, folder) for each, item in zip(kinds, items, strict=True))
    if origin is frozenset and isinstance(value, list):
        return frozenset(_built(inner[0], item, folder) for item in cast("list[Any]", value))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        key = int if inner[0] is int else str
        return {key(name): _built(inner[1], item, folder) for name, item in pairs}
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, dict):
        return _built_fields(kind, cast("dict[str, Any]", value), folder)
    return _built_plain(kind, value, folder)


def _built_fields(kind: type[Any], told: Mapping[str, Any], folder: Path) -> Any:
    known = {item.name for item in fields(kind)}
    strange = [name for name in told if name not in known]
    if strange:
        raise ValueError(f"{strange[0]!r} is not known here: it is of another version")
    told = {**_ONCE.get(kind, {}), **told}
    hints = get_type_hints(kind, localns=_NAMED)
    return kind(**{name: _built(hints[name], value, folder) for name, value in told.items()})


def _built_plain(kind: Any, value: Any, folder: Path) -> Any:
    if kind is Path and isinstance(value, str):
        return placed(folder, value)
    if kind is Fraction and isinstance(value, str):
        return Fraction(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is object or type(value) is kind:
        return value
    return _refuse(value)


def _refuse(value: object) -> Any:
    raise TypeError(f"{value!r} is not what stands there")
