"""The drawing of the code's map: made from the imports, and not older than they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    sys.modules.pop("architecture", None)


def test_the_drawing_is_of_these_imports() -> None:
    from architecture import drawing, imports

    drawn = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    assert drawn == drawing(imports()), "run python examples/architecture.py"


def test_a_longer_way_stands_for_a_shorter() -> None:
    from architecture import reduced, rows_of

    graph: dict[str, set[str]] = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": set()}
    assert reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": set(), "d": set()}
    assert rows_of(graph) == [["c", "d"], ["b"], ["a"]]


def test_every_package_has_its_words() -> None:
    from architecture import imports

    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    unknown = {room for room in imports() if f"`{room}`" not in page}
    assert unknown == {"doctor", "sample_clip"}
