"""Measured figures as Markdown tables, put between their markers in docs/media.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "media.md"


def write_docs(tables: dict[str, dict[str, Any]], page: Path = PAGE) -> None:
    """Replace what lies between `<!-- NAME -->` and `<!-- /NAME -->` by the table of that name, for each that is there.

    Raises:
        ValueError: a table has no markers on the page.
    """
    text = page.read_text("utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{page.name} has no place for the table {name!r}: {begin} ... {end}")
        scale = "" if table["scale"] == "full" else "Measured at small scale.\n\n"
        text = f"{head}{begin}\n\n{scale}{markdown(table['rows'])}\n\n{end}{tail}"
    page.write_text(text, "utf-8")


def markdown(rows: list[dict[str, Any]]) -> str:
    """Rows of the same keys as a table; the keys are its head."""
    if not rows:
        return "Nothing was measured."
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(key, "")) for key in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
