"""The ControlNets and T2I-Adapters that lie in a model's own folder, and what they read. Does not import torch."""

from __future__ import annotations

import json
import re
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.configs import subfolders

TABLE = "controls.json"
# How the published ControlNets are called -> the control they read, the more specific first.
_CALLED = {
    "tile": "tile",
    "softedge": "softedge",
    "hed": "softedge",
    "pidi": "softedge",
    "lineart": "lineart",
    "canny": "canny",
    "depth": "depth",
    "normal": "normal",
    "openpose": "pose",
    "pose": "pose",
    "scribble": "scribble",
    "seg": "segment",
    "shuffle": "shuffle",
}


CONTROL_TYPES = {
    "pose": 0,
    "depth": 1,
    "softedge": 2,
    "scribble": 2,
    "canny": 3,
    "lineart": 3,
    "lineart-anime": 3,
    "mlsd": 3,
    "normal": 4,
    "segment": 5,
    "tile": 6,
}
"""The types of control that ControlNets of many kinds in one were trained on, by branch (xinsir's union, and its larger
sibling with tile)."""


def check_control_type(place: Path | str, kind: str, *, count: int) -> None:
    """Raises ModelError where a ControlNet of many kinds in one, of so many types, has none for a kind."""
    if CONTROL_TYPES.get(kind, count) >= count:
        known = ", ".join(sorted(name for name, number in CONTROL_TYPES.items() if number < count))
        raise ModelError(
            f"{place} is a ControlNet of many kinds in one, and {kind} is none of them", remedy=f"it reads {known}"
        )


def own_controlnets(folder: Path) -> dict[str, str]:
    """Control kinds -> subfolders of a diffusers folder.

    The folder's controls.json says which is which. diffusers writes none: it saves ControlNets as controlnet,
    controlnet_1, ..., T2I-Adapters as adapter, adapter_1, ... and what they read is told by the name that each was
    loaded from, which stands in its config.

    Raises:
        ModelError: controls.json is no table of kinds and folders that lie beside it.
    """
    table = folder / TABLE
    if table.is_file():
        return subfolders(table)
    found: dict[str, str] = {}
    for sub in _saved(folder):
        kind = _kind_of(folder / sub)
        if kind:
            found.setdefault(kind, sub)
    return found


def unnamed_controlnets(folder: Path) -> tuple[str, ...]:
    """Subfolders with a ControlNet or T2I-Adapter of which nothing says what it reads."""
    if (folder / TABLE).is_file():
        return ()
    return tuple(sub for sub in _saved(folder) if not _kind_of(folder / sub))


def _saved(folder: Path) -> list[str]:
    names = [sub.name for sub in folder.glob("*") if re.fullmatch(r"(controlnet|adapter)(_\d+)?", sub.name)]
    there = (name for name in names if (folder / name / "config.json").is_file())
    return sorted(there, key=lambda name: (name.startswith("adapter"), len(name), name))


def _kind_of(folder: Path) -> str | None:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        source = str(config.get("_name_or_path", "")).lower()
    except (OSError, ValueError, AttributeError, RecursionError):
        return None  # a damaged config is told where the ControlNet is loaded
    words = re.split(r"[^a-z]+", source.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return next((kind for called, kind in _CALLED.items() if any(word.startswith(called) for word in words)), None)
