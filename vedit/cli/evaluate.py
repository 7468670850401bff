"""`vedit evaluate` and `vedit compare`: how good results are, beside their source and beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import note, say, show, show_json
from vedit.cli.grouped import Grouped, option
from vedit.cli.inputs import input_argument
from vedit.cli.listed import Listed
from vedit.cli.mask_params import mask_options
from vedit.cli.progress import progress
from vedit.cli.setting_options import gathered
from vedit.cli.shared_options import messages_options, overwrite_option, reading_options
from vedit.registry.metrics import metrics as registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vedit.cli.shared_options import Messages
    from vedit.evaluation.report import Report
    from vedit.options.masks import MaskSpec

NOT_MET = 3
"""The exit code where a requirement is not met."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of a report."""

    html: Path | None
    json: Path | None
    csv: Path | None
    overwrite: bool


def _written(**values: Any) -> Written:
    return Written(html=values["html"], json=values["json_file"], csv=values["csv_file"], overwrite=values["overwrite"])


_MEASURING = (
    option(
        "--prompt", metavar="TEXT", common=True, help="What the result was to look like.  [default: as its record says]"
    ),
    option(
        "--require",
        common=True,
        multiple=True,
        metavar="FIGURE<NUMBER",
        help="What a result has to hold to, else exit code 3: 'warp_error<1.3x' (times the source's own value), "
        "'camera_path<0.5', contract; repeatable.",
    ),
    option(
        "--metric",
        "metrics",
        common=True,
        multiple=True,
        type=Listed(registry),
        metavar="NAME",
        help="Measure this alone; repeatable; --list names them.  [default: all that can be]",
    ),
    option("--quick", is_flag=True, common=True, help="The cheap metrics only, at 256 pixels and without floors."),
    option(
        "--short-side",
        common=True,
        type=click.IntRange(64, 4096),
        help="Pixels of the shorter side at which frames are measured.  [default: 512, with --quick 256]",
    ),
    option(
        "--flow",
        common=True,
        type=params.Choice(["dis", "farneback", "raft"]),
        default="dis",
        show_default=True,
        help="What measures motion. vedit steadies along dis: another one is a second opinion; raft needs weights.",
    ),
)
_FILES = (
    option("--html", type=params.FILE, metavar="FILE.html", help="A page that needs nothing beside it."),
    option("--json-file", type=params.FILE, metavar="FILE.json", help="All figures as JSON.", stage="output"),
    option("--csv", "csv_file", type=params.FILE, metavar="FILE.csv", help="A line for each frame.", stage="output"),
    overwrite_option,
)
measuring_options = gathered("measuring", _MEASURING, dict)
"""`measuring: dict`, what `vedit.evaluate` takes of these names."""
file_options = gathered("written", _FILES, _written)
"""`written: Written`."""


def _list(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from vedit.evaluation.listing import list_metrics

    for one in list_metrics():
        state = "ready" if one.usable else one.fault or f"needs the weights {', '.join(one.missing)}"
        show(f"{one.name:<14} {state}{'' if one.origin == 'vedit' else f'  (from {one.origin})'}")
        show(f"    {one.summary}")
        for figure in one.figures:
            unit = f", {figure.unit}" if figure.unit else ""
            show(f"    {figure.name:<22} {figure.title}{unit}; {_direction(figure.better)}")
    context.exit()


def _schema(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from vedit.evaluation.schema import report_schema

        show_json(report_schema())
        context.exit()


def _direction(better: str) -> str:
    return "neither way is better" if better == "neither" else f"{better} is better"


@click.command("evaluate", cls=Grouped, short_help="Measure how good a result is.")
@click.argument("source", metavar="SOURCE", type=params.FILE)
@input_argument("result", "RESULT")
@option(
    "--list",
    is_flag=True,
    is_eager=True,
    common=True,
    expose_value=False,
    callback=_list,
    help="List the metrics, and end.",
)
@option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_schema,
    help="Print the JSON schema of a report, and end.",
)
@measuring_options
@mask_options
@file_options
@option("--keep", is_flag=True, help="Write the report into the record beside RESULT, too.", stage="output")
@reading_options
@messages_options
def evaluate_command(
    *,
    source: Path,
    result: Path,
    measuring: dict[str, Any],
    mask: MaskSpec | None,
    written: Written,
    keep: bool,
    reading: dict[str, Any],
    messages: Messages,
) -> int:
    """Measure RESULT against SOURCE: timing and sound, motion, steadiness, structure, and how far it changed.

    Every figure stands beside the source's own value and beside floors that no render gets below. RESULT.vedit.json,
    if it lies beside RESULT, tells the part, the shots, the prompt and the mask.

    \b
    Examples:
      vedit evaluate input.mp4 input.vedit.mp4
      vedit evaluate input.mp4 input.vedit.mp4 --html report.html
      vedit evaluate input.mp4 out.mp4 --quick --require 'warp_error<1.3x' --require contract
      vedit evaluate --list

    Exit codes: 0 measured, 2 a file cannot be read or is of another cut, 3 a requirement is not met.
    """
    from vedit.evaluation.run import evaluate

    _check(written, (source, result))
    with progress(quiet=messages.quiet) as told:
        report = evaluate(source, result, mask=mask, keep=keep, on_progress=told, **_settings(measuring), **reading)
    return _done([report], written, messages)


@click.command("compare", cls=Grouped, short_help="Measure several results of one clip side by side.")
@click.argument("source", metavar="SOURCE", type=params.FILE)
@input_argument("results", "RESULT...", several=True)
@option(
    "--labels", common=True, metavar="A,B,...", help="What the results are called, in order.  [default: their names]"
)
@measuring_options
@mask_options
@file_options
@reading_options
@messages_options
def compare_command(
    *,
    source: Path,
    results: tuple[Path, ...],
    labels: str | None,
    measuring: dict[str, Any],
    mask: MaskSpec | None,
    written: Written,
    reading: dict[str, Any],
    messages: Messages,
) -> int:
    """Measure several RESULTs of SOURCE, those of other tools too, and say which does best where.

    Frames go together by time; what differs in length, size or rate is said.

    \b
    Examples:
      vedit compare input.mp4 ours.mp4 theirs.mp4 --html compare.html
      vedit compare input.mp4 a.mp4 b.mp4 c.mp4 --labels "draft,standard,high" --csv figures.csv

    Exit codes: 0 measured, 2 a file cannot be read, 3 a result does not meet a requirement.
    """
    from vedit.evaluation.run import compare

    _check(written, (source, *results))
    named = results if labels is None else _labelled(labels, results)
    with progress(quiet=messages.quiet) as told:
        reports = compare(source, named, mask=mask, on_progress=told, **_settings(measuring), **reading)
    return _done(reports, written, messages)


def _settings(measuring: dict[str, Any]) -> dict[str, Any]:
    """As the functions take them: no metric named is all of them."""
    return {**measuring, "metrics": measuring["metrics"] or None}


def _labelled(labels: str, results: Sequence[Path]) -> dict[str, Path]:
    names = [label.strip() for label in labels.split(",")]
    if len(names) != len(results) or len(set(names)) != len(names) or not all(names):
        raise click.BadParameter(f"{len(results)} results need as many names, each another", param_hint="'--labels'")
    return dict(zip(names, results, strict=True))


def _check(written: Written, sources: Sequence[Path]) -> None:
    """Refuse what cannot or may not be written, before the work."""
    files = [path for path in (written.html, written.json, written.csv) if path is not None]
    if len({path.absolute() for path in files}) != len(files):
        raise click.UsageError("--html, --json-file and --csv name one file: give each a name of its own")
    for path in files:
        params.check_output(path, overwrite=written.overwrite)
        if any(path.exists() and source.exists() and path.samefile(source) for source in sources):
            raise click.UsageError(f"{path} is one of the clips")


def _done(reports: Sequence[Report], written: Written, messages: Messages) -> int:
    """Write and show what was found; the exit code."""
    from vedit.evaluation.files import write_reports

    write_reports(reports, html=written.html, json=written.json, csv=written.csv)
    if messages.as_json:
        show_json(reports[0].as_dict() if len(reports) == 1 else {"results": [one.as_dict() for one in reports]})
    else:
        from vedit.evaluation.text import lines_of

        for line in lines_of(reports):
            show(line)
        for path in (written.html, written.json, written.csv):
            if path is not None:
                show(str(path))
    if not messages.quiet:
        for told in dict.fromkeys(line for one in reports for line in one.notes):
            note(told)
    failed = [(one, outcome) for one in reports for outcome in one.required if not outcome.met]
    for one, outcome in failed:
        name = f"{one.label}: " if len(reports) > 1 else ""
        say(f"not met: {name}{outcome.requirement}: {outcome.found}")
    return NOT_MET if failed else 0
