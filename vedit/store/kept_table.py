"""A small table on disk that is only ever needed for speed: what is absent or damaged is empty, and written anew."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from vedit.store.computed_on import computed_on

_LARGEST_FILE = 2**20


def read_table(path: Path, name: str, *, version: int) -> dict[str, Any]:
    """The table of a name in a JSON file; empty where the file is absent, damaged, too large or of another format."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return {}
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = told[name] if told["format"] == version else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def write_table(path: Path, name: str, table: Mapping[str, Any], *, version: int) -> None:
    """Write it in one go, so that no reader meets half a file. Not to be able to is no error."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            json.dump({"format": version, name: table}, file, indent=1)
        try:
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)


def machine_key(device: str) -> str:
    """What tells machines apart that share a folder, and ways to run on one: name, processor, device and threads."""
    told = {"name": platform.node(), "cores": os.cpu_count(), **computed_on(torch.device(device))}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
