"""The page of one report, or of several of one clip: verdicts, contract, pictures, plots, figures and recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.display.html_page import as_data, as_text, filled, image_address, script_hash
from vedit.evaluation.page import tables
from vedit.evaluation.page.plots import plots_of
from vedit.evaluation.page.stills import gather
from vedit.evaluation.page.worst import EACH, worst_of
from vedit.evaluation.text import number

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.evaluation.page.stills import Pictures
    from vedit.evaluation.page.worst import Worst
    from vedit.evaluation.report import Report

_HERE = Path(__file__).parent


def page_of(reports: Sequence[Report]) -> bytes:
    """One HTML page in UTF-8 that needs no other file and asks for none; its pictures are 2 MB at most.

    The clips are read again for the pictures, one frame at a time.

    Args:
        reports: of one clip, at least one; several stand side by side.

    Raises:
        MediaError: a clip cannot be read any more.
    """
    pictures = gather(reports)
    script = (_HERE / "page.js").read_text("utf-8")
    report = reports[0]
    several = len(reports) > 1
    title = f"{len(reports)} results of {report.source.name}" if several else f"{report.label} beside its source"
    values = {
        "SCRIPT_HASH": script_hash(script),
        "STYLE": (_HERE / "page.css").read_text("utf-8"),
        "TITLE": as_text(title),
        "WHAT": as_text(_what(report)),
        "SECTIONS": "\n".join(
            f'<section id="{name}">\n<h2>{head}</h2>\n{body}\n</section>'
            for name, head, body in _sections(reports, pictures)
            if body
        ),
        "DATA": as_data(_data(reports, pictures)),
        "SCRIPT": script,
    }
    return filled((_HERE / "page.html").read_text("utf-8"), values).encode()


def _what(report: Report) -> str:
    shots = f"{len(report.shots)} shot{'' if len(report.shots) == 1 else 's'}"
    how = ", quickly and without floors" if report.quick else ""
    return (
        f"Source {report.source.name}, frames {report.frames.start} to {report.frames.stop - 1}, {shots}. "
        f"Measured at {report.measured_at[1]}x{report.measured_at[0]} pixels{how}, motion as {report.flow} sees it; "
        f"it took {report.took:.0f} s."
    )


def _sections(reports: Sequence[Report], pictures: Pictures) -> list[tuple[str, str, str]]:
    """Name, head and body, in the order in which they are read; those without a body are left out."""
    several = len(reports) > 1
    figures = tables.figures_beside(reports) if several else tables.figures(reports[0])
    wins = "".join(f"<p>{line}</p>" for line in tables.winners(reports)) if several else ""
    return [
        ("verdicts", "Verdicts", _each(reports, _verdicts) + wins),
        ("contract", "Timing, sound and metadata", _contracts(reports)),
        (
            "required",
            "What was required",
            _each([one for one in reports if one.required], tables.requirements, named=several),
        ),
        ("pictures", "Pictures", _viewer(reports, pictures)),
        ("worst", "Where it is worst", _worst(reports, pictures)),
        ("plots", "Over time", _plots(reports)),
        ("lines", "Lines of pixels over time", _lines(pictures)),
        ("figures", "All figures", figures if reports[0].figures else ""),
        ("notes", "Notes", tables.notes(reports)),
        ("recipe", "How it was made", _each(reports, _recipe)),
    ]


def _each(reports: Sequence[Report], part: Callable[[Report], str], *, named: bool | None = None) -> str:
    """A part for each report, under its label where there are several."""
    if not (len(reports) > 1 if named is None else named):
        return "\n".join(part(one) for one in reports)
    cards = "\n".join(
        f'<div class="card"><h3><bdi>{as_text(one.label)}</bdi></h3>\n{part(one)}</div>' for one in reports
    )
    return f'<div class="cards">\n{cards}\n</div>' if reports else ""


def _contracts(reports: Sequence[Report]) -> str:
    if all(one.contract is None for one in reports):
        return tables.contract(None)
    return _each(reports, lambda one: tables.contract(one.contract))


def _verdicts(report: Report) -> str:
    level, sentence = tables.summary(report)
    told = tables.verdicts(report)
    return f'<p class="summary {level}">{as_text(sentence)}</p>' + (f"\n<ul class='told'>{told}</ul>" if told else "")


def _recipe(report: Report) -> str:
    return f"<details><summary>Settings and weights</summary>\n{tables.recipe(report)}</details>"


def _names(reports: Sequence[Report]) -> list[str]:
    return ["source", *(one.label for one in reports)] if len(reports) > 1 else ["source", "result"]


def _viewer(reports: Sequence[Report], pictures: Pictures) -> str:
    """Two pictures under a line that is moved, and all of them side by side, of one frame."""
    height, width = pictures.size
    names = [as_text(name) for name in _names(reports)]
    choices = [
        "".join(
            f'<option value="{n}"{" selected" if n == chosen else ""}>{name}</option>' for n, name in enumerate(names)
        )
        for chosen in (0, 1)
    ]
    picks = (
        f'<label>Left <select id="left">{choices[0]}</select></label>'
        f'<label>Right <select id="right">{choices[1]}</select></label>'
        if len(reports) > 1
        else '<span class="soft">Left of the line is the source, right of it the result.</span>'
    )
    grid = "".join(
        f'<figure><img data-of="{n}" alt="{name}" width="{width}" height="{height}"><figcaption><bdi>{name}</bdi>'
        "</figcaption></figure>"
        for n, name in enumerate(names)
    )
    last = len(pictures.stills) - 1
    return (
        "<noscript><p>Pictures need JavaScript, which this browser does not run.</p></noscript>\n"
        '<div class="bar"><button type="button" id="before" aria-label="Frame before">&#9664;</button>'
        f'<input type="range" id="scrub" min="0" max="{last}" value="0" aria-label="Frame">'
        '<button type="button" id="after" aria-label="Frame after">&#9654;</button>'
        '<output id="where" aria-live="polite"></output></div>\n'
        f'<div class="bar">{picks}</div>\n'
        f'<div class="pair" style="--ratio: {width} / {height}"><img id="right-picture" alt="right of the line">'
        '<img id="left-picture" class="left" alt="left of the line"><span class="divider"></span>'
        '<input type="range" id="line" min="0" max="100" step="0.5" value="50" '
        'aria-label="How much of the left picture is shown"></div>\n'
        f'<div class="beside{"" if len(names) > 2 else " two"}">{grid}</div>\n'
        f'<p class="soft">{len(pictures.stills)} frames are in this page: the worst, and others evenly spaced. '
        "The arrow keys go from one to the next.</p>"
    )


def _worst(reports: Sequence[Report], pictures: Pictures) -> str:
    """The worst frames of every figure, each to be clicked."""
    several = len(reports) > 1
    shown = {still.frame for still in pictures.stills}
    parts: list[str] = []
    for name, first in reports[0].figures.items():
        found = [(one, worst) for one in reports for worst in worst_of(one.figures[name], 1 if several else EACH)]
        if not several:
            found = [(one, worst) for one, worst in found if worst.frame in shown]
        if found:
            title = as_text(tables.capital(first.definition.title))
            cards = "\n".join(_card(one, first, worst, pictures, several=several) for one, worst in found)
            parts.append(f'<div><h3>{title}</h3>\n<div class="shots">\n{cards}\n</div></div>')
    if not parts and any(figure.series for one in reports for figure in one.figures.values()):
        return "<p>No frame is worse than the source's own, by any figure.</p>"
    heat = "Bright is where the figure comes from; dark grey is the picture beneath. " if pictures.heats else ""
    told = f'<p class="soft">Furthest beyond what the source itself gives. {heat}Click one to see it above.</p>'
    return f'{told}\n<div class="groups">\n' + "\n".join(parts) + "\n</div>" if parts else ""


def _card(report: Report, figure: Figure, worst: Worst, pictures: Pictures, *, several: bool) -> str:
    """A button that leads to a frame; of several results without a picture, which all of them have above."""
    heat = pictures.heats.get((figure.name, worst.frame))
    height, width = pictures.size
    size = f'width="{width}" height="{height}"'
    picture = f'<img data-still="{worst.frame}" data-of="1" alt="the result" {size}>'
    if several:
        picture = ""
    elif heat is not None:
        picture = f'<img src="{image_address(heat)}" alt="where in the frame" {size}>'
    whose = f"<span><b><bdi>{as_text(report.label)}</bdi></b></span>" if several else ""
    unit = f" {as_text(figure.definition.unit)}" if figure.definition.unit else ""
    own = "" if worst.own is None else f", source {number(figure, worst.own)}"
    moment = report.seconds[worst.frame - report.frames.start]
    return (
        f'<button type="button" class="seek" data-frame="{worst.frame}">{picture}'
        f"{whose}<span>frame {worst.frame}, {moment:.2f}&nbsp;s</span>"
        f"<span><b>{number(figure, worst.value)}</b>{unit}{own}</span></button>"
    )


def _plots(reports: Sequence[Report]) -> str:
    plots = plots_of(reports)
    if not plots:
        return ""
    lines = "".join(
        f'<span class="key r{n % 6}"><i></i><bdi>{as_text(name)}</bdi></span>'
        for n, name in enumerate(_names(reports)[1:])
    )
    marks = '<span class="key own"><i></i>source itself</span>'
    if len(reports[0].shots) > 1:
        marks += '<span class="key cut"><i></i>cut</span>'
    if any(one.joins for one in reports):
        marks += '<span class="key join"><i></i>join of two windows</span>'
    if any(one.required for one in reports):
        marks += '<span class="key bound"><i></i>asked for</span>'
    return (
        f'<p class="keys">{lines}{marks}</p>\n<p class="soft">Click into a plot to see the nearest frame that this '
        f"page holds.</p>\n" + '<div class="plots">\n' + "\n".join(plots) + "\n</div>"
    )


def _lines(pictures: Pictures) -> str:
    if not pictures.over_time:
        return ""
    told = (
        '<p class="soft">One row and one column of the picture, time to the right; the source above, the result '
        "below. Clean lines are steady, frayed ones flicker; what stays level while the source climbs sticks to the "
        "screen.</p>"
    )
    figures = [
        f'<figure class="line-picture"><figcaption>{kind}{whose}</figcaption>'
        f'<img src="{image_address(data)}" alt="{kind} over time, source above result"></figure>'
        for one in pictures.over_time
        for whose in [f" of <bdi>{as_text(one.label)}</bdi>" if len(pictures.over_time) > 1 else ""]
        for kind, data in (("A row", one.row), ("A column", one.column))
    ]
    return told + "\n" + "\n".join(figures)


def _data(reports: Sequence[Report], pictures: Pictures) -> dict[str, object]:
    """What the script shows: frames, their times, and the pictures of each."""
    report = reports[0]
    return {
        "frames": [one.frame for one in pictures.stills],
        "seconds": [round(report.seconds[one.frame - report.frames.start], 3) for one in pictures.stills],
        "pictures": [
            [None if data is None else image_address(data) for data in one.pictures] for one in pictures.stills
        ],
    }
