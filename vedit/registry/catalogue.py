"""What is known by name and not built in: models, ControlNets, LoRAs and other weights, from files of TOML.

Vedit's own is `models.toml` beside this. A distribution adds one under the entry point group `vedit.models`
(`package:FILE.toml`), a user by `$VEDIT_MODELS` (one path, or several as in PATH) or as `models.toml` beside the config
file. All have one form; a name is taken once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast, get_args

from vedit.checks.nearest import suggest
from vedit.checks.structured import read_toml
from vedit.errors import InputError
from vedit.registry.regimes import regime_names
from vedit.registry.weights import WeightsInfo

VARIABLE = "VEDIT_MODELS"
GROUP = "vedit.models"
OWN = Path(__file__).with_name("models.toml")
ListedPart = Literal["model", "controlnet", "lora", "ip-adapter", "t2i-adapter", "embedding", "motion"]
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.ASCII)
_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_OF_PARTS = {"weight": ("lora",), "regime": ("lora", "model")}
"""Keys that entries of some parts alone have."""
_HEX = {"revision": re.compile(r"[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A model, or what is put beside one, known by name."""

    name: str
    part: ListedPart
    """What it is, and so which option takes its name."""
    summary: str
    repo: str
    """On the hub: owner/name."""
    size_bytes: int
    """To download; approximate."""
    licence: str
    family: str = ""
    """Of the models that it is, or is for."""
    file: str = ""
    """The one file of the repository that the name stands for; empty: its folder."""
    files: tuple[str, ...] = ()
    """Patterns of what is fetched; empty: `file`."""
    revision: str | None = None
    """The pinned commit, 40 hex digits; None: the newest at the time of pulling, recorded then."""
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    """Checksums of files, by name; a pull that brings others is refused."""
    commercial: bool | None = None
    """Whether the licence allows commercial use; None: that is not known."""
    limits: str = ""
    """Where on earth the licence does not hold, in words."""
    needs: tuple[str, ...] = ()
    """Names of what it is used beside."""
    controlnets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Control kinds -> names or hub places of the ControlNets that a model comes with."""
    weight: float = 1.0
    """Of a LoRA: how strongly it acts where a look says nothing else."""
    regime: str = ""
    """Of a few-step model or LoRA: how it is sampled, where its files do not tell (`vedit.registry.regimes`)."""
    origin: str = "vedit"
    """The distribution or file that lists it."""

    @property
    def place(self) -> str:
        """Where it is on the hub: owner/name, with @revision and /FILE where there are."""
        pinned = f"@{self.revision}" if self.revision else ""
        return f"{self.repo}{pinned}{'/' if self.file else ''}{self.file}"

    @property
    def fetched(self) -> tuple[str, ...]:
        """Patterns of the files that a pull fetches."""
        return self.files or (self.file,)

    @property
    def asked(self) -> str:
        """What the licence forbids, for which a pull asks; empty where it is free of that."""
        told = ["no commercial use"] if self.commercial is False else []
        return "; ".join([*told, *([self.limits] if self.limits else [])])


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All that is listed, by name, in order."""

    models: Mapping[str, ListedModel]
    weights: Mapping[str, WeightsInfo]


def catalogue() -> Catalogue:
    """Vedit's own and what others add, read again where a file has changed.

    Raises:
        InputError: a file of others cannot be read, says something that is not understood, or takes a name twice.
    """
    sources = [("vedit", OWN), *_of_distributions(), *_of_the_user()]
    return _read_all(tuple((origin, path, _changed(path)) for origin, path in sources))


def own() -> Catalogue:
    """Vedit's own alone."""
    return _read_all((("vedit", OWN, _changed(OWN)),))


def user_folder() -> Path:
    """The folder of a user's settings: in %APPDATA% on Windows, elsewhere in XDG_CONFIG_HOME or, without it, ~/.config.

    XDG base directories: a relative one does not count.
    """
    if sys.platform == "win32":
        folder = os.environ.get("APPDATA") or "~/AppData/Roaming"
    else:
        folder = os.environ.get("XDG_CONFIG_HOME", "")
        folder = folder if Path(folder).is_absolute() else "~/.config"
    return Path(folder).expanduser() / "vedit"


@cache
def _of_distributions() -> tuple[tuple[str, Path], ...]:
    found: list[tuple[str, Path]] = []
    for point in entry_points(group=GROUP):
        origin = point.dist.name if point.dist else "an unknown distribution"
        package, _, name = point.value.partition(":")
        try:
            spec = find_spec(package.strip())
        except (ImportError, ValueError):
            spec = None
        folder = next(iter(spec.submodule_search_locations or ()), None) if spec is not None else None
        if folder is None or not name.strip() or not (Path(folder) / name.strip()).is_file():
            raise InputError(
                f"the list of models {point.value!r} of {origin} is not there", remedy=f"mend or uninstall {origin}"
            )
        found.append((origin, Path(folder) / name.strip()))
    return tuple(found)


def _of_the_user() -> Iterator[tuple[str, Path]]:
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]
    for text in named:
        path = Path(text).expanduser()
        if not path.is_file():
            raise InputError(f"{VARIABLE} names {path}, which is no file", remedy="correct it, or unset it")
        yield str(path), path
    usual = user_folder() / "models.toml"
    if not named and usual.is_file():
        yield str(usual), usual


def _changed(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@cache
def _read_all(sources: tuple[tuple[str, Path, tuple[int, int]], ...]) -> Catalogue:
    models, weights = dict[str, ListedModel](), dict[str, WeightsInfo]()
    owners: dict[str, str] = {"embedded": "vedit"}
    for origin, path, _ in sources:
        for entry in _entries(read_toml(path, str(path)), origin):
            if entry.name in owners:
                raise InputError(
                    f"{origin} lists {entry.name!r}, which {owners[entry.name]} has already",
                    remedy=f"give it another name in {path}",
                )
            owners[entry.name] = origin
            (models if isinstance(entry, ListedModel) else weights)[entry.name] = cast("Any", entry)
    for model in models.values():
        for kind, branch in model.controlnets.items():
            if "/" not in branch and (branch not in models or models[branch].part != "controlnet"):
                raise InputError(
                    f"{model.origin}: {kind} of {model.name} is {branch!r}, which is no listed ControlNet",
                    remedy="list it, or give a hub id",
                )
    return Catalogue(models=models, weights=weights)


def _entries(tables: Mapping[str, Any], where: str) -> Iterator[ListedModel | WeightsInfo]:
    known = {"model": ListedModel, "weights": WeightsInfo}
    for key, found in tables.items():
        if key not in known:
            raise InputError(f"{where}: there is no table {key!r}", remedy=suggest(key, known, before="there are "))
        if not isinstance(found, list):
            raise InputError(f"{where}: {key} is no list of tables", remedy=f"write [[{key}]]")
        for number, table in enumerate(cast("list[object]", found), start=1):
            yield _entry(table, known[key], f"{where}: {key} {number}")


def _entry(table: object, holder: type[ListedModel] | type[WeightsInfo], where: str) -> ListedModel | WeightsInfo:
    if not isinstance(table, dict):
        raise InputError(f"{where} is no table")
    told = cast("dict[str, object]", table)
    name = told.get("name")
    where = f"{where} ({name})" if isinstance(name, str) else where
    takes = {one.name: one for one in fields(holder) if one.name != "origin"}
    for key in told:
        if key not in takes:
            raise InputError(f"{where}: there is no key {key!r}", remedy=suggest(key, takes))
    free = {one.name for one in takes.values() if one.default is not MISSING or one.default_factory is not MISSING}
    missing = [key for key in takes if key not in told and key not in free | {"revision"}]
    if missing:
        raise InputError(f"{where} does not say {missing[0]}", remedy=f"it needs {', '.join(set(takes) - free)}")
    values: dict[str, Any] = {"revision": None}
    for key, value in told.items():
        fault = _fault(key, value)
        if fault:
            raise InputError(f"{where}: {key} = {value!r}", remedy=f"{key} {fault}")
        values[key] = tuple(cast("list[str]", value)) if isinstance(value, list) else value
    for key, parts in _OF_PARTS.items():
        if key in values and values["part"] not in parts:
            raise InputError(f"{where}: {key} is of a {' or a '.join(parts)}", remedy="leave it out")
    if holder is ListedModel:
        values["origin"] = where.partition(": ")[0]
        _check_files(values, where)
    return holder(**values)


def _check_files(values: Mapping[str, Any], where: str) -> None:
    patterns = values.get("files") or ()
    if not patterns and not values.get("file"):
        raise InputError(f"{where} says neither file nor files", remedy="say which of the repository are fetched")
    if values.get("file") and patterns and not any(fnmatch(values["file"], one) for one in patterns):
        raise InputError(f"{where}: files do not hold {values['file']}", remedy="add it to files")


def _fault(key: str, value: object) -> str:
    """What is wrong with a value; "" where nothing is."""
    if key == "name":
        return "" if _is(value, _NAME) else "is of small letters, digits, '.', '-' and '_'"
    if key == "part":
        return "" if value in get_args(ListedPart) else f"is one of {', '.join(get_args(ListedPart))}"
    if key == "repo":
        return "" if _is(value, _REPO) else "is a repository of the hub, owner/name"
    if key == "revision":
        return "" if _is(value, _HEX["revision"]) else "is a commit, 40 hex digits"
    if key == "size_bytes":
        return "" if type(value) is int and value > 0 else "is a number of bytes"
    if key == "commercial":
        return "" if isinstance(value, bool) else "is true or false"
    if key == "weight":
        return "" if type(value) in (int, float) and -10 <= cast("float", value) <= 10 else "is a number from -10 to 10"
    if key == "regime":
        return "" if value in regime_names() else f"is one of {', '.join(regime_names())}"
    if key in ("file", "files"):
        names = cast("list[object]", value) if key == "files" and isinstance(value, list) else [value]
        return next((fault for name in names if (fault := _file_fault(name))), "")
    if key == "needs":
        texts = isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))
        return "" if texts else "is a list of names"
    if key in ("sha256", "controlnets"):
        table = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
        fits = all(_is(one, _HEX["sha256"]) if key == "sha256" else isinstance(one, str) for one in table.values())
        what = "files and their SHA-256, 64 hex digits" if key == "sha256" else "kinds and names of ControlNets"
        return "" if fits else f"is a table of {what}"
    return "" if isinstance(value, str) and value.strip() else "is a text"


def _file_fault(name: object) -> str:
    if not isinstance(name, str) or not name or name.startswith("/") or ".." in name.split("/"):
        return "names files of the repository, without .."
    ending = name.rpartition(".")[2].lower()
    return "names no pickle and no code" if ending in ("bin", "pt", "pth", "ckpt", "pkl", "py") else ""


def _is(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None
