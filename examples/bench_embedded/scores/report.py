"""Tables with bars: what was measured, what was asked, and whether it was met. Kept as JSON, shown as markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Cell = str | int | float
Figures = dict[str, Any]

PARTS = (
    "colour", "pairs", "texture", "nearest", "autoencoder", "lattice", "steadiness", "strength", "motion", "detail",
    "speed", "sheet",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A figure and the limit it is held against."""

    what: str
    figure: float
    sign: Literal["<", "<=", ">="]
    limit: float
    remark: str = ""

    @property
    def met(self) -> bool:
        """NaN meets no bar: all three comparisons are false for it."""
        if self.sign == "<":
            return self.figure < self.limit
        return self.figure <= self.limit if self.sign == "<=" else self.figure >= self.limit

    def line(self) -> str:
        """PASS or FALLS SHORT, with the figure beside the limit."""
        remark = f" ({self.remark})" if self.remark else ""
        verdict = "PASS" if self.met else "FALLS SHORT"
        return f"{verdict}: {self.what} {show(self.figure)}, asked {self.sign} {show(self.limit)}{remark}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One part of the bench."""

    title: str
    settings: str
    """One line: counts, seeds, threads; what the figures depend on."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    bars: tuple[Bar, ...] = ()


def show(cell: Cell) -> str:
    """Text as it is; numbers with three significant decimals, fewer where they are large."""
    if isinstance(cell, str | int):
        return str(cell)
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.3f}"


def markdown(table: Table) -> str:
    """The table, and under it one line for each bar."""
    lines = [f"## {table.title}", "", table.settings, ""]
    if table.rows:
        lines += [_line(table.columns), _line(["---"] * len(table.columns))]
        lines += [_line([show(cell) for cell in row]) for row in table.rows]
        lines.append("")
    lines += [f"- {bar.line()}" for bar in table.bars]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def read_figures(path: Path, weights: Mapping[str, object]) -> Figures:
    """What earlier runs measured on the same weights; nothing where the weights are others, since figures of two
    models must not stand in one report."""
    if path.is_file():
        figures: Figures = json.loads(path.read_text("utf-8"))
        if figures["weights"] == dict(weights):
            return figures
    return {"weights": dict(weights), "parts": {}}


def write_figures(figures: Figures, folder: Path) -> None:
    """figures.json and figures.md, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "figures.json", json.dumps(figures, indent=1) + "\n")
    _write(folder / "figures.md", document(figures))


def keep(figures: Figures, part: str, table: Table) -> None:
    """Put a part's table in, in place of an earlier one."""
    figures["parts"][part] = asdict(table) | {"met": [bar.met for bar in table.bars]}


def document(figures: Figures) -> str:
    """All parts in their fixed order, the bars that were missed first."""
    tables = {name: as_table(figures["parts"][name]) for name in PARTS if name in figures["parts"]}
    missed = [f"- {name}: {bar.line()}" for name, table in tables.items() for bar in table.bars if not bar.met]
    count = sum(len(table.bars) for table in tables.values())
    weights = figures["weights"]
    lines = [f"Weights: {weights['folder']}, {weights['fingerprint']}. {count - len(missed)} of {count} bars are met."]
    absent = [name for name in PARTS if name not in tables]
    lines += [f"Not measured: {', '.join(absent)}."] if absent else []
    lines += ["", *missed] if missed else []
    return "\n".join([*lines, "", *(markdown(table) for table in tables.values())])


def as_table(kept: Mapping[str, Any]) -> Table:
    """A table as JSON gave it back."""
    return Table(
        title=kept["title"],
        settings=kept["settings"],
        columns=tuple(kept["columns"]),
        rows=tuple(tuple(row) for row in kept["rows"]),
        bars=tuple(Bar(**bar) for bar in kept["bars"]),
    )


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    part.replace(path)
