"""Reports as lines to read: the verdicts, then every figure beside the source's own and the floors."""

from __future__ import annotations

from collections.abc import Sequence

from vedit.evaluation.definition import Figure
from vedit.evaluation.report import Report

_MARKS = {"good": "ok", "fair": "so-so", "bad": "BAD", "unknown": "?"}


def lines_of(reports: Sequence[Report]) -> list[str]:
    """Of one result its verdicts and figures; of several a table, the best of each row marked."""
    return _one(reports[0]) if len(reports) == 1 else _several(reports)


def verdict_lines(report: Report) -> list[str]:
    """What the figures mean, a line each."""
    return [f"{_MARKS[one.level]:<6} {one.subject}: {one.text}" for one in report.verdicts]


def _one(report: Report) -> list[str]:
    lines = verdict_lines(report)
    losses = list(report.floor_frames)
    rows = [("figure", "result", "source", *losses, "", "")]
    for name, figure in report.figures.items():
        floors = [number(figure, figure.floors.get(loss)) for loss in losses]
        direction = "" if figure.definition.better == "neither" else f"{figure.definition.better} is better"
        told = figure.why if figure.value is None else direction
        rows.append((name, number(figure, figure.value), number(figure, figure.own), *floors, _unit(figure), told))
    return [*lines, *([""] if lines else []), *table(rows)]


def _several(reports: Sequence[Report]) -> list[str]:
    lines = [
        f"{report.label}: {_MARKS[one.level]} {one.subject}: {one.text}"
        for report in reports
        for one in report.verdicts
        if one.level in ("bad", "fair")
    ]
    rows = [("figure", *(report.label for report in reports), "source", "")]
    for name, first in reports[0].figures.items():
        best = best_of(name, reports)
        cells = [
            number(report.figures[name], report.figures[name].value) + ("*" if place in best else "")
            for place, report in enumerate(reports)
        ]
        rows.append((name, *cells, own_of(name, reports), _unit(first)))
    return [*lines, *([""] if lines else []), *table(rows), "* the best of its row"]


def own_of(name: str, reports: Sequence[Report]) -> str:
    """The source's own value of a figure; of results whose records tell other windows or models, one for each kind."""
    figures = [one.figures[name] for one in reports]
    return " / ".join(dict.fromkeys(number(one, one.own) for one in figures))


def best_of(name: str, reports: Sequence[Report]) -> tuple[int, ...]:
    """Places of the reports that are best at a figure; none where neither way is better, or all are alike."""
    better = reports[0].figures[name].definition.better
    values = {place: one.figures[name].value for place, one in enumerate(reports)}
    known = {place: value for place, value in values.items() if value is not None}
    if better == "neither" or len(set(known.values())) < 2:
        return ()
    ideal = reports[0].figures[name].definition.ideal
    off = {place: _off(value, better, ideal) for place, value in known.items()}
    return tuple(place for place, one in off.items() if one == min(off.values()))


def _off(value: float, better: str, ideal: float | None) -> float:
    """How far a value is from what would be best: one beyond the ideal is no better than one as far short of it."""
    if ideal is not None:
        return abs(value - ideal)
    return value if better == "lower" else -value


def number(figure: Figure, value: float | None) -> str:
    """A value with the digits that say something; a dash where there is none."""
    return "-" if value is None else f"{value:.{figure.definition.places}f}"


def _unit(figure: Figure) -> str:
    return figure.definition.unit


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines, in columns; all but the first and the last two to the right."""
    count = len(rows[0])
    widths = [max(len(row[column]) for row in rows) for column in range(count)]
    lines: list[str] = []
    for row in rows:
        cells = [
            cell.rjust(width) if 0 < column < count - 2 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
