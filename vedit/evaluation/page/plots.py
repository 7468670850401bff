"""Figures over time as SVG that fills its box: lines of the results and of the source itself, with what lies at a
moment: cuts, joins of windows, and bounds that were asked for.

The script reads values back from the points: the attributes say what the edges of the box stand for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from vedit.display.html_page import as_text
from vedit.evaluation.page.opened import covered
from vedit.evaluation.page.tables import capital
from vedit.evaluation.requirements import parse_requirements

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.evaluation.report import Report
    from vedit.types import FrameRange

WIDTH, HEIGHT = 1000.0, 160.0
"""Of the box that the points lie in; the page stretches it."""
MOST_POINTS = 800
"""Of a line: of a longer one the lowest and the highest of each few frames are kept."""
_ROOM = 0.06
"""Of the height, above and below what is drawn."""
_FAR = 4.0
"""A bound that is further off than so many heights is told in words alone."""


@dataclass(frozen=True, kw_only=True)
class _Box:
    """What the edges of a plot stand for."""

    first: int
    last: int
    low: float
    high: float

    def x(self, frame: int) -> float:
        return WIDTH * (frame - self.first) / max(1, self.last - self.first)

    def y(self, value: float) -> float:
        return HEIGHT * (1 - (value - self.low) / (self.high - self.low))


def plots_of(reports: Sequence[Report]) -> tuple[str, ...]:
    """A plot for each figure that has values over time: those first that are better low or high."""
    names = [
        name
        for name in dict.fromkeys(name for one in reports for name in one.figures)
        if any(name in one.figures and one.figures[name].series for one in reports)
    ]
    known = {name: next(one.figures[name] for one in reports if name in one.figures) for name in names}
    ordered = sorted(names, key=lambda name: known[name].definition.better == "neither")
    return tuple(_plot(known[name], reports) for name in ordered)


def _plot(figure: Figure, reports: Sequence[Report]) -> str:
    about, part = figure.definition, covered(reports)
    several = len(reports) > 1
    results = [
        (one.label if several else "result", one.figures[about.name].series if about.name in one.figures else {})
        for one in reports
    ]
    own = {frame: value for frame, value in figure.own_series.items() if frame in part}
    bounds = bounds_of(reports, about.name)
    box = _box(part, [own, *(series for _, series in results)], [bound for _, bound in bounds])
    cuts = [shot.frames.start for shot in reports[0].shots[1:] if shot.frames.start - 1 in part]
    marks = [
        *(_upright(box.x(cut) - box.x(box.first + 1) / 2, "cut") for cut in cuts),
        *(_upright(box.x(join), "join") for join in dict.fromkeys(join for one in reports for join in one.joins)),
        *(
            f'<line class="bound" x1="0" x2="{WIDTH:g}" y1="{box.y(bound):.1f}" y2="{box.y(bound):.1f}"/>'
            for _, bound in bounds
            if box.low <= bound <= box.high
        ),
    ]
    lines = [
        *_lines("own", "source itself", own, box, cuts),
        *(line for n, one in enumerate(results) for line in _lines(f"r{n % 6}", *one, box, cuts, whose=n)),
    ]
    unit = f", {about.unit}" if about.unit else ""
    better = "" if about.better == "neither" else f" ({about.better} is better)"
    required = "".join(
        f' <span class="asked">asked for: {as_text(text)}'
        f"{'' if box.low <= bound <= box.high else ', which is beyond the plot'}</span>"
        for text, bound in bounds
    )
    edges = (("high", box.high), ("low", box.low))
    return (
        f'<figure class="plot" id="plot-{as_text(about.name)}">\n'
        f"<figcaption>{as_text(capital(about.title))}{as_text(unit)}<small>{better}</small>{required}"
        '<output class="value"></output></figcaption>\n'
        '<div class="box">'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{as_text(about.title)} over the frames" data-first="{box.first}" data-last="{box.last}" '
        f'data-low="{box.low:.8g}" data-high="{box.high:.8g}" data-places="{about.places}">'
        + "".join(marks)
        + "".join(lines)
        + '<line class="head" x1="0" x2="0" y1="0" y2="160" visibility="hidden"/></svg>'
        + "".join(f'<span class="{edge}">{value:.{about.places}f}</span>' for edge, value in edges)
        + "</div>\n"
        f'<div class="axis"><span>frame {box.first}</span><span>{box.last}</span></div>\n</figure>'
    )


def _box(part: FrameRange, lines: Sequence[Mapping[int, float]], bounds: Sequence[float]) -> _Box:
    values = [value for line in lines for value in line.values()]
    low, high = min(values), max(values)
    reach = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-9)
    near = [bound for bound in bounds if low - _FAR * reach <= bound <= high + _FAR * reach]
    low, high = min([low, *near]), max([high, *near])
    if 0 <= low < 0.5 * high:  # a figure that is nearly none looks it
        low = 0.0
    room = _ROOM * max(high - low, 0.02 * max(abs(low), abs(high)), 1e-9)
    floor = low if low == 0 else low - room
    return _Box(first=part.start, last=part.stop - 1, low=floor, high=high + room)


def _upright(x: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT:g}"/>'


def _lines(
    kind: str, label: str, series: Mapping[int, float], box: _Box, cuts: Sequence[int], *, whose: int = -1
) -> list[str]:
    """A line, parted at the cuts; `whose` is the place of the result, -1 of the source."""
    edges = [box.first, *cuts, box.last + 1]
    found: list[str] = []
    each = max(8, MOST_POINTS // (len(edges) - 1))
    for start, stop in pairwise(edges):
        part = thinned({frame: series[frame] for frame in range(start, stop) if frame in series}, each)
        if not part:
            continue
        points = " ".join(f"{box.x(frame):.2f},{box.y(value):.3f}" for frame, value in part.items())
        lone = f" {points}" if len(part) == 1 else ""  # a line of one point is not drawn
        found.append(
            f'<polyline class="line {kind}" data-of="{whose}" data-name="{as_text(label)}" points="{points}{lone}"/>'
        )
    return found


def thinned(series: Mapping[int, float], most: int) -> Mapping[int, float]:
    """At most so many values over time: the lowest and the highest of each few neighbours, so that no peak is lost."""
    if len(series) <= most:
        return series
    frames, count = list(series), max(1, most // 2)
    kept: set[int] = set()
    for place in range(count):
        few = frames[place * len(frames) // count : (place + 1) * len(frames) // count]
        kept |= {min(few, key=series.__getitem__), max(few, key=series.__getitem__)}
    return {frame: series[frame] for frame in sorted(kept)}


def bounds_of(reports: Sequence[Report], name: str) -> list[tuple[str, float]]:
    """What was asked of a figure: as it was asked, and the value it comes to."""
    found: dict[str, float] = {}
    for report in reports:
        for outcome in report.required:
            (asked,) = parse_requirements([outcome.requirement], report.figures)
            figure = report.figures.get(name)
            if asked.name != name or figure is None:
                continue
            if not asked.times_own:
                found[asked.text] = asked.bound
            elif figure.own is not None:
                found[asked.text] = asked.bound * figure.own
    return list(found.items())
