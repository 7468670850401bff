"""The folder of what is only kept for speed: where it is, how much of it and how long, and what lies in it.

Importing this does not import torch.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

import platformdirs

from vedit.checks.rationals import rational

FOLDER = "VEDIT_CACHE"
"""Environment variable that names another folder."""
LIMIT = "VEDIT_CACHE_GB"
"""Environment variable with the gigabytes that are kept; 0 keeps nothing beyond the render."""
AGE = "VEDIT_CACHE_DAYS"
"""Environment variable with the days after which what nobody used goes; 0 keeps it however old it is."""
DEFAULT_GB, DEFAULT_DAYS = 4.0, 30.0
WHOLE, KEPT = "whole", "kept"
"""Files that say what a folder is: an entry with all of its frames, or one that its user fills."""
TENSORS = "tensors.safetensors"
"""The file of an entry that holds an inversion."""


def cache_root() -> Path:
    """Where everything is kept that is only needed for speed: `VEDIT_CACHE`, else the platform's folder for caches."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else Path(platformdirs.user_cache_path("vedit", appauthor=False))


def cache_folder() -> Path:
    """Where entries are kept."""
    return cache_root() if os.environ.get(FOLDER) else cache_root() / "frames"


def keeps_nothing() -> bool:
    """Whether nothing may outlive a command."""
    return limit_bytes() <= 0


def limit_bytes() -> int:
    """How much is kept; the usual where `VEDIT_CACHE_GB` is no number."""
    return int(_number(LIMIT, DEFAULT_GB) * 10**9)


def oldest_seconds() -> float | None:
    """How long what nobody uses is kept; None is for ever. The usual where `VEDIT_CACHE_DAYS` is no number."""
    days = _number(AGE, DEFAULT_DAYS)
    return days * 24 * 3600 if days > 0 else None


def is_entry(path: Path) -> bool:
    """Whether a folder is one of ours: `VEDIT_CACHE` may name a folder that others use too."""
    named = re.fullmatch(r"[0-9a-f]{32}", path.name) is not None
    return named and any((path / mark).is_file() for mark in (WHOLE, KEPT))


def use_of(path: Path) -> tuple[float, int]:
    """When an entry was touched last, or a folder in it, since mattes lie one deeper; and its bytes."""
    used, size = path.stat().st_mtime, 0
    for one in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            status = one.stat()
            if S_ISDIR(status.st_mode):
                used = max(used, status.st_mtime)
            else:
                size += status.st_size
    return used, size


@dataclass(frozen=True, kw_only=True)
class Held:
    """What lies in the folder."""

    maps: int = 0
    """Entries of control maps and mattes."""
    inversions: int = 0
    size_bytes: int = 0


def held(folder: Path) -> Held:
    """What lies in a folder now; what cannot be read, or goes away meanwhile, is not counted."""
    maps, inversions, size = 0, 0, 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if not is_entry(path):
                continue
            with contextlib.suppress(OSError):
                size += use_of(path)[1]
                of_inversion = (path / TENSORS).is_file()
                maps, inversions = maps + (not of_inversion), inversions + of_inversion
    return Held(maps=maps, inversions=inversions, size_bytes=size)


def _number(variable: str, usual: float) -> float:
    try:
        return float(rational(os.environ.get(variable, "") or usual))
    except ValueError:
        return usual
