"""What is said at the end of a run: which figures are the benchmark's, which are missing, and which are vedit's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from published.item import Layout
from published.placing import write_csv

OWN_PREFIX = "vedit:"
"""Before every figure of vedit's: none is to be taken for a benchmark's."""


def told_of_needs(layout: Layout, here: Collection[str], own: Collection[str]) -> list[str]:
    """Lines: the figures of the scorer that were measured here, and what each of the others waits for.

    Args:
        layout: of the benchmark.
        here: its figures that were measured.
        own: those of vedit that were, of which some ask nearly the same as what is missing.
    """
    lines: list[str] = []
    measured = [name for name in layout.figures if name in here]
    if measured:
        lines.append(f"measured here, in {layout.title}'s form: {', '.join(measured)}")
    for need in layout.needs:
        missing = [name for name in need.figures if name not in here]
        if missing:
            size = f" ({need.size})" if need.size else ""
            why = "which is not on this machine" if need.repo else "by which the scorer alone measures"
            line = f"not measured: {', '.join(missing)}: needs {need.name}{size}, {why}"
            near = [f"{OWN_PREFIX}{name}" for name in need.beside if name in own]
            lines.append(f"{line}; instead there is {', '.join(near)}" if near else line)
    return lines


def own_table(rows: Sequence[tuple[str, Mapping[str, object]]], path: Path) -> list[str]:
    """Write vedit's own figures, a line for each item and each with the source's own value; lines on what they say.

    Args:
        rows: (item's name, figure -> its value, the source's and its unit).
        path: of the table.
    """
    names = list(dict.fromkeys(name for _, own in rows for name in own))
    if not names:
        return ["vedit's own figures: none was measured"]
    columns = [f"{OWN_PREFIX}{name}{end}" for name in names for end in ("", " of the source")]
    table: list[dict[str, object]] = []
    for item, own in rows:
        line: dict[str, object] = {"item": item}
        for name in names:
            value, source = _values(own.get(name))
            line[f"{OWN_PREFIX}{name}"] = "" if value is None else f"{value:.6g}"
            line[f"{OWN_PREFIX}{name} of the source"] = "" if source is None else f"{source:.6g}"
        table.append(line)
    write_csv(path, ["item", *columns], table)
    lines = [f"written: {path}", "vedit's own figures, which are not the benchmark's (means; the source's own behind):"]
    for name in names:
        pairs = [_values(own.get(name)) for _, own in rows]
        values, sources = ([pair[i] for pair in pairs if pair[i] is not None] for i in (0, 1))
        if values:
            behind = f" ({fmean(map(float, sources)):.4g})" if sources else ""  # pyright: ignore[reportArgumentType]
            lines.append(f"  {OWN_PREFIX}{name} {fmean(map(float, values)):.4g}{behind}")  # pyright: ignore[reportArgumentType]
    return lines


def _values(found: object) -> tuple[float | None, float | None]:
    """A figure's value and the source's own, from its record."""
    if not isinstance(found, dict):
        return None, None
    own = cast("dict[str, Any]", found)
    return own.get("value"), own.get("source")
