"""`vedit verify`: whether a result keeps what it has to keep of its source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import say, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.setting_options import held
from vedit.options.source import SourceOptions

if TYPE_CHECKING:
    from vedit.media.contract.report import ContractReport


@click.command("verify", short_help="Check a result against its source.")
@click.argument("source", metavar="SOURCE", type=params.FILE)
@input_argument("result", "RESULT")
@held("reading", SourceOptions, "frames", "rate", "track", "allow_huge")
@params.json_option
def verify_command(
    *,
    source: Path,
    result: Path,
    reading: dict[str, Any],
    as_json: bool,
) -> int:
    """Decode RESULT and check it against SOURCE: frames and their times, size, sound, subtitles, timecode, tags.

    \b
    Examples:
      vedit verify input.mp4 input.vedit.mp4
      vedit verify input.mov part.mov --range 2..4
      vedit verify input.mov shots/shot_%04d.png --json

    RESULT.vedit.json, if it lies beside RESULT, tells which part of SOURCE was rendered and what was left out on
    request. Exit codes: 0 all holds, 1 something does not, 2 a file cannot be read.
    """
    from vedit.media.contract.verify import verify

    report = verify(source, result, **reading)
    if as_json:
        show_json({"source": source, "result": result, **report.as_dict()})
    else:
        _show(report)
    if not report.ok:
        say(f"{len(report.breaches)} of {len(report.checks)} checks do not hold: {_names(report)}")
    return 0 if report.ok else 1


def _names(report: ContractReport) -> str:
    return ", ".join(check.name for check in report.breaches)


def _show(report: ContractReport) -> None:
    """The checks as a table, then what was not held against the result."""
    rows = [("", "check", "expected", "found")]
    rows += [("ok" if c.ok else "FAIL", c.name, c.expected, c.found) for c in report.checks]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for note in report.notes:
        show(f"note: {note}")
