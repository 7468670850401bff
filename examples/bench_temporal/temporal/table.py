"""One table of all figures, by the names that the installed metrics have, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, cast

GROUPS = (
    ("warp error", ("warp",)),
    ("flicker", ("flicker",)),
    ("anchoring", ("anchor", "scene", "screen", "drawn")),
    ("contrast", ("contrast",)),
    ("motion", ("motion", "camera")),
    ("structure", ("structure", "edge", "ssim")),
)
"""What is shown, in this order: figures whose name has one of the words in it."""
_OTHERS = ("drift", "outside")
"""Words of figures that are of another kind: a clip of a second hardly drifts, and no mask is used here."""
SOURCE = "source"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A figure of one result."""

    clip: str
    look: str
    variant: str
    value: float | None
    source: float | None
    """The same of the clip itself."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure over all results."""

    name: str
    group: str
    title: str
    unit: str
    better: str
    cells: tuple[Cell, ...] = field(default_factory=tuple)

    def mean(self, variant: str, *, clip: str | None = None) -> float | None:
        """Of a variant, or of the source, over what has a value; None where nothing has."""
        own = [cell for cell in self.cells if clip in (None, cell.clip)]
        if variant == SOURCE:
            # Under every look and variant it is the same.
            once = {cell.clip: cell.source for cell in own if cell.source is not None}
            return fmean(once.values()) if once else None
        values = [cell.value for cell in own if cell.variant == variant and cell.value is not None]
        return fmean(values) if values else None

    def count(self, variant: str) -> int:
        """How many results of a variant have a value."""
        return sum(cell.variant == variant and cell.value is not None for cell in self.cells)


def group_of(figure: str) -> str | None:
    """The first group that a figure's name belongs to; None where none wants it."""
    if any(word in figure for word in _OTHERS):
        return None
    return next((group for group, words in GROUPS if any(word in figure for word in words)), None)


def rows_of(reports: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[Row]:
    """The figures of reports, group by group.

    Args:
        reports: (clip, look, a report as `vedit.evaluation.report.Report.as_dict` gives it, labelled by its variant).
    """
    found: dict[str, dict[str, Any]] = {}
    cells: dict[str, list[Cell]] = {}
    for clip, look, report in reports:
        for name, figure in cast("Mapping[str, dict[str, Any]]", report["figures"]).items():
            if group_of(name) is None:
                continue
            found.setdefault(name, figure)
            cell = Cell(clip=clip, look=look, variant=report["label"], value=figure["value"], source=figure["source"])
            cells.setdefault(name, []).append(cell)
    order = [group for group, _ in GROUPS]
    rows = [
        Row(
            name=name,
            group=cast("str", group_of(name)),
            title=figure["title"],
            unit=figure["unit"],
            better=figure["better"],
            cells=tuple(cells[name]),
        )
        for name, figure in found.items()
    ]
    return sorted(rows, key=lambda row: order.index(row.group))


def markdown(rows: Sequence[Row], labels: Mapping[str, str], *, clip: str | None = None) -> str:
    """A line for each figure, a column for the source and for each variant; the best of a line is bold.

    Args:
        rows: the figures.
        labels: label by the variant's name, in the order of the columns.
        clip: of one clip; None is the mean over all.
    """
    heads = ["figure", SOURCE, *labels.values()]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        values = {name: row.mean(name, clip=clip) for name in (SOURCE, *labels)}
        best = best_of(row.better, {name: values[name] for name in labels})
        shown = [_cell(value, bold=name == best) for name, value in values.items()]
        if any(value is not None for value in values.values()):
            lines.append(f"| {_head(row)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def best_of(better: str, values: Mapping[str, float | None]) -> str | None:
    """The variant with the best value; None where neither direction is better, or two have it."""
    known = {name: value for name, value in values.items() if value is not None}
    if better not in ("lower", "higher") or len(known) < 2:
        return None
    wanted = min(known.values()) if better == "lower" else max(known.values())
    first = [name for name, value in known.items() if value == wanted]
    return first[0] if len(first) == 1 else None


def lacking(rows: Sequence[Row]) -> list[str]:
    """The groups that no metric of this machine fills."""
    return [group for group, _ in GROUPS if not any(row.group == group for row in rows)]


def _head(row: Row) -> str:
    arrow = {"lower": " (lower is better)", "higher": " (higher is better)"}.get(row.better, "")
    unit = f", {row.unit}" if row.unit else ""
    return f"{row.title}{unit} `{row.name}`{arrow}"


def _cell(value: float | None, *, bold: bool) -> str:
    if value is None:
        return ""
    told = f"{value:.3g}"
    return f"**{told}**" if bold else told
