"""Small tables in the folder for caches: which entries stay, and in what order."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from vedit.store import kept_table
from vedit.store.kept_table import read_table

keep = partial(kept_table.keep, version=1, newest=3)


@pytest.fixture(autouse=True)
def usual_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)


def entries(path: Path) -> list[tuple[str, object]]:
    return list(read_table(path, "rates", version=1).items())


def test_an_entry_that_is_kept_again_is_among_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rates.json"
    for name in ("a", "b", "c"):
        keep(path, "rates", {name: 1})
    keep(path, "rates", {"a": 2})
    assert entries(path) == [("b", 1), ("c", 1), ("a", 2)]
    keep(path, "rates", {"d": 1})
    assert entries(path) == [("c", 1), ("a", 2), ("d", 1)], "the oldest goes"


def test_nothing_is_written_where_there_is_nothing_to_keep_or_nothing_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "rates.json", "rates", {})
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    keep(tmp_path / "rates.json", "rates", {"a": 1})
    assert not list(tmp_path.iterdir())
