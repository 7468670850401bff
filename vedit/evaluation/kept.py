"""A report in the record beside its result: whoever has the result has what was measured of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.media.writing.atomic import write_whole
from vedit.media.writing.sidecar import own_record, read_record, sidecar_path

if TYPE_CHECKING:
    from vedit.evaluation.report import Report

KEY = "evaluation"
"""Of the record."""


def check_record(result: Path) -> None:
    """Raises InputError where there is no record beside a result that a report could be kept in."""
    if read_record(sidecar_path(result)) is None:
        raise InputError(
            f"{result.name} has no record beside it that a report could be kept in",
            remedy="render it without --no-sidecar, or write the report to a file with --json-file",
        )


def keep(report: Report) -> Path:
    """Write a report into the record beside its result, in the place of an earlier one.

    Returns:
        The record.

    Raises:
        InputError: there is none, the result has changed since it was written, or the file cannot be written.
    """
    told = own_record(report.result)
    if told is None:
        check_record(report.result)
        raise InputError(
            f"{report.result.name} is not as it was written, so its record is another's",
            remedy="write the report to a file with --json-file",
        )
    # The recipe stands in the record already.
    content = {**told, KEY: {name: value for name, value in report.as_dict().items() if name != "recipe"}}
    path = sidecar_path(report.result)
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
    return path
