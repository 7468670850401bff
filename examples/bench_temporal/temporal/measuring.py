"""The figures of results, each measured once and kept until the result is another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vedit
from temporal import grit
from temporal.bars import Figures
from temporal.clips import frames_of
from vedit.evaluation.motion import Estimator
from vedit.evaluation.picture import Picture, measuring_size, picture_of
from vedit.media.writing.atomic import write_whole

METRICS: dict[Estimator, tuple[str, ...]] = {
    "farneback": ("warp_error", "flicker", "anchoring", "contrast", "look"),
    # Farneback's method sees no motion where there is no texture, so flat parts are judged by another; a figure is
    # given there only where the source's own faint detail rides on that flow.
    "dis": ("anchoring",),
}
SOURCE = ""
"""The name under which the source's own figures are."""
_GRIT = "grit"


def measured(
    source: Path, results: Mapping[str, Path], raw: str, kept: Path, *, look: str, side: int
) -> dict[str, Figures]:
    """Figures by the column's name, and the source's own under `SOURCE`; those that `dis` gave begin with it.

    Args:
        source: the clip.
        results: by the column's name.
        raw: the column that grit is held against; without it grit is not told.
        kept: a file for what is measured.
        look: the prompt.
        side: pixels of the shorter side at which.
    """
    book: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    for flow, metrics in METRICS.items():
        own = {name: [*_state(path), side, *metrics] for name, path in results.items()}
        missing = {name: results[name] for name in results if book.get(name, {}).get(flow, {}).get("of") != own[name]}
        if missing:
            reports = vedit.compare(
                source, missing, prompt=look, metrics=metrics, flow=flow, short_side=side, quick=True
            )
            start = "" if flow == "farneback" else f"{flow} "
            for report in reports:
                found = {start + name: figure.value for name, figure in report.figures.items()}
                book.setdefault(report.label, {})[flow] = {"of": own[report.label], "figures": found}
            of_source = {start + name: figure.own for name, figure in reports[0].figures.items()}
            book.setdefault(SOURCE, {})[flow] = {"figures": of_source}
            write_whole(kept, json.dumps(book).encode())
    if raw in results:
        _note_grit(source, results, raw, book, side)
        write_whole(kept, json.dumps(book).encode())
    return {
        name: {figure: value for part in book[name].values() for figure, value in part["figures"].items()}
        for name in (SOURCE, *results)
    }


def _note_grit(source: Path, results: Mapping[str, Path], raw: str, book: dict[str, Any], side: int) -> None:
    """Write into the book what is missing of grit."""
    settings = [side, grit.STRONGER, grit.FAINT, *_state(results[raw])]
    wanted = {name: [*_state(path), *settings] for name, path in results.items() if name != raw}
    missing = [name for name in wanted if book[name].get(_GRIT, {}).get("of") != wanted[name]]
    if not missing:
        return
    own = _pictures(source, side)
    drawn = _pictures(results[raw], side)
    ever, now = grit.reasons(own, drawn), grit.reasons_now(own, drawn)
    for name in missing:
        shown = _pictures(results[name], side)
        found = {"grit": grit.percent(ever, shown), "grit_now": grit.percent(now, shown)}
        book[name][_GRIT] = {"of": wanted[name], "figures": found}


def _pictures(path: Path, side: int) -> list[Picture]:
    frames = frames_of(path)
    size = measuring_size(frames[0].shape[1], frames[0].shape[2], side)
    return [picture_of(frame, 8, size) for frame in frames]


def _state(path: Path) -> list[int]:
    """What tells a file from another of its name."""
    told = path.stat()
    return [told.st_size, told.st_mtime_ns]
