"""What a report says in words and figures, as HTML that is read without the script too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from vedit.display.html_page import as_text
from vedit.evaluation.text import best_of, number, own_of

if TYPE_CHECKING:
    from vedit.evaluation.definition import Figure
    from vedit.evaluation.report import Level, Report, Verdict
    from vedit.media.contract.report import Check, ContractReport

_LEVELS: Mapping[Level, tuple[str, str]] = {
    "bad": ("\u2717", "Bad"),
    "fair": ("~", "Fair"),
    "good": ("\u2713", "Good"),
    "unknown": ("?", "Not known"),
}
"""Gravest first: mark and word."""


def summary(report: Report) -> tuple[str, str]:
    """Class and sentence of what to do about a result."""
    unmet = [one for one in report.required if not one.met]
    named = {level: [one.subject for one in report.verdicts if one.level == level] for level in _LEVELS}
    if unmet:
        many = f"{len(unmet)} of {len(report.required)} requirements" if len(report.required) > 1 else "the requirement"
        bad = f" What is bad: {_listed(named['bad'])}." if named["bad"] else ""
        return "bad", f"Not accepted: {many} {'are' if len(unmet) > 1 else 'is'} not met.{bad}"
    accepted = "Everything that was required is met. " if report.required else ""
    if named["bad"]:
        return "bad", f"{accepted}Look at this before you use it: {_listed(named['bad'])}."
    if named["fair"]:
        return "fair", f"{accepted}Usable; have a look at {_listed(named['fair'])}."
    if named["good"]:
        return "good", f"{accepted}Nothing stands out: what was judged is good."
    return "unknown", f"{accepted}There is no verdict: see the figures."


def verdicts(report: Report) -> str:
    """The gravest first, each with links to the figures that it rests on."""
    order = list(_LEVELS)
    return "\n".join(_verdict(one) for one in sorted(report.verdicts, key=lambda one: order.index(one.level)))


def _verdict(one: Verdict) -> str:
    links = ", ".join(f'<a href="#figure-{as_text(name)}">{as_text(name)}</a>' for name in one.figures)
    told = f"<b>{as_text(capital(one.subject))}.</b> {as_text(one.text)}"
    rests = f" <small>{links}</small>" if links else ""
    return f'<li class="verdict {one.level}">{badge(one.level)} <div>{told}{rests}</div></li>'


def badge(level: Level) -> str:
    mark, word = _LEVELS[level]
    return f'<span class="badge {level}"><span aria-hidden="true">{mark}</span> {word}</span>'


def contract(told: ContractReport | None) -> str:
    """The checks of timing, sound and metadata, what is broken on top."""
    if told is None:
        return "<p>Not checked: nothing says that the source's timing and sound were to be kept.</p>"
    broken, count = told.breaches, len(told.checks)
    rows = [_check(one) for one in (*broken, *(one for one in told.checks if one.ok))]
    table = _table(("What", "As expected", "As found", ""), rows)
    notes = "".join(f"<p>{as_text(note)}</p>" for note in told.notes)
    if broken:
        return f"<p>{len(broken)} of {count} do not hold.</p>\n{table}{notes}"
    return f"<details><summary>All {count} hold.</summary>\n{table}{notes}</details>"


def _check(one: Check) -> str:
    cells = (as_text(one.name), as_text(one.expected), as_text(one.found), badge("good" if one.ok else "bad"))
    return _row(("What", "As expected", "As found", ""), cells)


def requirements(report: Report) -> str:
    """Those that are not met on top."""
    rows = [
        _row(
            ("Asked for", "Found", ""),
            (
                f"<code>{as_text(one.requirement)}</code>",
                as_text(one.found),
                f'<span class="badge {"good" if one.met else "bad"}">{"met" if one.met else "not met"}</span>',
            ),
        )
        for one in sorted(report.required, key=lambda one: one.met)
    ]
    return _table(("Asked for", "Found", ""), rows)


def figures(report: Report) -> str:
    """Every figure of one report beside the source's own and the floors; those that were not measured last."""
    losses = list(report.floor_frames)
    heads = ("Figure", "Result", "Source itself", *(f"Source {as_text(loss)}" for loss in losses), "Better")
    rows = {
        figure.name: _row(
            heads,
            (
                _about(figure),
                _value(figure),
                number(figure, figure.own),
                *(number(figure, figure.floors.get(loss)) for loss in losses),
                figure.definition.better,
            ),
            name=figure.name,
        )
        for figure in report.figures.values()
    }
    spans = "; ".join(
        f"{as_text(loss)}, frames {span.start} to {span.stop - 1}" for loss, span in report.floor_frames.items()
    )
    floors = (
        f'<p class="soft">The floors are what no result gets below: the source after a loss of its own ({spans}).</p>'
        if spans
        else ""
    )
    return floors + _parted(heads, rows, [report])


def figures_beside(reports: Sequence[Report]) -> str:
    """Every figure of several reports, the best of each row marked; those that none has last."""
    heads = ("Figure", *(f"<bdi>{as_text(one.label)}</bdi>" for one in reports), "Source itself", "Better")
    rows: dict[str, str] = {}
    for name, first in reports[0].figures.items():
        best = best_of(name, reports)
        values = [
            _value(one.figures[name]) + (' <span class="best">best</span>' if place in best else "")
            for place, one in enumerate(reports)
        ]
        rows[name] = _row(heads, (_about(first), *values, own_of(name, reports), first.definition.better), name=name)
    return _parted(heads, rows, reports)


def _parted(heads: Sequence[str], rows: Mapping[str, str], reports: Sequence[Report]) -> str:
    """A table of the rows that say something, and one of the others, folded away."""
    told = [name for name in rows if any(one.figures[name].value is not None for one in reports)]
    others = [rows[name] for name in rows if name not in told]
    shown = _table(heads, [rows[name] for name in told], numbers=True) if told else ""
    if not others:
        return shown
    count = f"{len(others)} figure{'' if len(others) == 1 else 's'} not measured, and why"
    return f"{shown}\n<details><summary>{count}</summary>\n{_table(heads, others, numbers=True)}</details>"


def winners(reports: Sequence[Report]) -> tuple[str, ...]:
    """A sentence for each result: where it is best."""
    judged = [name for name in reports[0].figures if best_of(name, reports)]
    told: list[str] = []
    for place, report in enumerate(reports):
        won = [reports[0].figures[name].definition.title for name in judged if place in best_of(name, reports)]
        told_won = "; ".join(_inside(title) for title in won)
        what = f"best in {len(won)} of {len(judged)}: {told_won}" if won else f"best in none of {len(judged)}"
        told.append(
            f"<b><bdi>{as_text(report.label)}</bdi></b> is {as_text(what)}."
            if judged
            else f"<b><bdi>{as_text(report.label)}</bdi></b>: no figure tells it from the others."
        )
    return tuple(told)


def _about(figure: Figure) -> str:
    about = figure.definition
    paper = f"<p>{as_text(about.paper)}</p>" if about.paper else "<p>vedit's own measure.</p>"
    ideal = "" if about.ideal is None else f"<p>The source against itself gives {about.ideal:g}.</p>"
    unit = f" <small>{as_text(about.unit)}</small>" if about.unit else ""
    return (
        f"{as_text(capital(about.title))}{unit}"
        f"<details><summary><code>{as_text(about.name)}</code> exactly</summary>"
        f"<p>{as_text(about.variant)}</p>{ideal}{paper}</details>"
    )


def _value(figure: Figure) -> str:
    why = f"<small>{as_text(figure.why)}</small>" if figure.why else ""
    if figure.value is None:
        return f"not measured {why}"
    return f"<b>{number(figure, figure.value)}</b> {why}".rstrip()


def notes(reports: Sequence[Report]) -> str:
    """Each note once; with whose it is where not all have it."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for note in report.notes:
            found.setdefault(note, []).append(report.label)
    whose = {
        note: "" if len(labels) == len(reports) else f"<b><bdi>{as_text(', '.join(labels))}</bdi></b>: "
        for note, labels in found.items()
    }
    items = "".join(f"<li>{whose[note]}{as_text(note)}</li>" for note in found)
    return f"<ul>{items}</ul>" if items else ""


def recipe(report: Report) -> str:
    """How the result was made, as its record says: settings, then what tells its weights from others."""
    if report.recipe is None:
        return "<p>No record lies beside it, so how it was made is not known.</p>"
    weights = ("weights", "model_sha256")
    settings = {name: value for name, value in report.recipe.items() if name not in weights}
    hashes = {name: report.recipe[name] for name in weights if name in report.recipe}
    parts = [_table(("Setting", "Value"), [_pair(*one) for one in _flat(settings)])]
    if hashes:
        parts.append("<h4>Weights</h4>" + _table(("Part", "SHA-256"), [_pair(*one) for one in _flat(hashes)]))
    return "\n".join(parts)


def _pair(name: str, value: str) -> str:
    return _row(("", ""), (f"<code>{as_text(name)}</code>", f"<code>{as_text(value)}</code>"))


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in cast("dict[str, object]", value).items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(one, dict) for one in cast("list[object]", value)):
        for place, inner in enumerate(cast("list[object]", value), 1):
            yield from _flat(inner, f"{name} {place}")
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(one) for one in cast("list[object]", value)) or "none"
    else:
        yield name, _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "", {}) else str(value)


def _table(heads: Sequence[str], rows: Sequence[str], *, numbers: bool = False) -> str:
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    kind = ' class="numbers"' if numbers else ""
    return f"<table{kind}><thead><tr>{top}</tr></thead>\n<tbody>" + "\n".join(rows) + "</tbody></table>"


def _row(heads: Sequence[str], cells: Sequence[str], *, name: str = "") -> str:
    """Cells are HTML already, and so are heads; on a narrow page each cell says its own head."""
    heads = [head.removeprefix("<bdi>").removesuffix("</bdi>") for head in heads]
    first, *others = cells
    told = "".join(f'<td data-head="{head}">{cell}</td>' for head, cell in zip(heads[1:], others, strict=True))
    at = f' id="figure-{as_text(name)}"' if name else ""
    return f'<tr{at}><th scope="row">{first}</th>{told}</tr>'


def capital(words: str) -> str:
    """Words as the beginning of a line."""
    return words[:1].upper() + words[1:]


def _inside(words: str) -> str:
    """Words inside a sentence; abbreviations stay as they are."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def _listed(words: Sequence[str]) -> str:
    words = [_inside(word) for word in words]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
