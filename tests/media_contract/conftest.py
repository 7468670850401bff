"""Scale, results and the table of the suite that holds the media contract.

`VEDIT_MEDIA_SCALE=full` (set by `make test-media`) runs every figure in full; else each test runs at small scale.
What is measured goes to `build/media_contract/results.json`; `VEDIT_WRITE_DOCS=1` also puts it in docs/media.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media_contract.tables import ROOT, write_docs
from tests.support.forked import Forked

FULL = os.environ.get("VEDIT_MEDIA_SCALE", "small") == "full"
RESULTS = ROOT / "build" / "media_contract" / "results.json"


KEYS = {"files": 1, "exactness": 1, "diffusers": 1, "drift": 3, "memory": 2}
"""How many of a table's columns say what a row is about; a run of a part of the tests replaces only its own rows."""


def merged(name: str, old: dict[str, Any], scale: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a table with those that an earlier run of the same scale measured and this one did not."""
    if name not in KEYS or name not in old or old[name]["scale"] != scale:
        return rows

    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(value) for value in list(row.values())[: KEYS[name]])

    fresh = {key(row): row for row in rows}
    before = [fresh.pop(key(row), row) for row in old[name]["rows"]]
    return before + list(fresh.values())


class Results:
    """Rows of measured figures by the name of their table."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def add(self, table: str, **row: object) -> None:
        """A row; figures as they are to be read."""
        self.tables.setdefault(table, []).append(row)
        if FULL:
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether everything runs at its full figures."""
    return FULL


@pytest.fixture(scope="session")
def results() -> Iterator[Results]:
    """Where the tests put what they measure."""
    found = Results()
    yield found
    old = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    scale = "full" if FULL else "small"
    tables = {name: {"scale": scale, "rows": merged(name, old, scale, rows)} for name, rows in found.tables.items()}
    # A small run does not displace what a full one measured.
    kept = {name: table for name, table in old.items() if name not in tables or (table["scale"] == "full" and not FULL)}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**tables, **kept}, indent=1), "utf-8")
    if os.environ.get("VEDIT_WRITE_DOCS", "") not in ("", "0"):
        write_docs({**tables, **kept})


@pytest.fixture(scope="session")
def forked() -> Iterator[Forked]:
    """The command line, each call in a process of its own."""
    with Forked() as server:
        yield server


@pytest.fixture(scope="session")
def clip_folders() -> Path:
    """The folder of the test clips; skips with a reason where it is absent."""
    folder = Path(os.environ.get("VEDIT_TEST_DATA", ROOT.parent / "shared")) / "clips"
    if not folder.is_dir():
        pytest.skip(f"no clips at {folder}; set VEDIT_TEST_DATA")
    return folder
