"""A small table on disk that is only ever needed for speed: what is absent or damaged is empty, and written anew.

Importing this does not import torch.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from vedit.store.cache_folder import keeps_nothing

COSTS, RATES, DIGESTS, FINDINGS = "costs.json", "rates.json", "digests.json", "findings.json"
BFLOAT16 = "bfloat16.json"
"""The files of these tables: what stages took, what the machine computes, digests of files, findings about models, and
whether the machine does better in bfloat16. They stand here for who must name them and cannot import their makers,
which import torch."""
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


def keep(path: Path, name: str, entries: Mapping[str, Any], *, version: int, newest: int) -> None:
    """Put entries at the end of the table of a name, unless nothing may be kept. Not to be able to is no error.

    Args:
        path: of the JSON file.
        name: of the table.
        entries: JSON-able; one whose key is there already takes its place among the newest.
        version: of the format.
        newest: how many entries the table holds; the oldest go.
    """
    if not entries or keeps_nothing():
        return
    before = {key: one for key, one in read_table(path, name, version=version).items() if key not in entries}
    _write(path, {"format": version, name: dict(list({**before, **entries}.items())[-newest:])})


def _write(path: Path, table: Mapping[str, Any]) -> None:
    """In one go, so that no reader meets half a file."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            json.dump(table, file, indent=1)
        try:
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
