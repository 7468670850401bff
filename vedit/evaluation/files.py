"""Reports as files: JSON, CSV and a page."""

from __future__ import annotations

import json as js
from collections.abc import Sequence
from pathlib import Path

from vedit.evaluation.report import Report, as_csv
from vedit.media.writing.atomic import write_whole


def write_reports(
    reports: Sequence[Report], *, html: Path | None = None, json: Path | None = None, csv: Path | None = None
) -> None:
    """Write reports of one measurement; each file appears complete or not at all.

    Args:
        reports: of one clip.
        html: a page that needs nothing beside it.
        json: of one report its object, of several {"results": [...]}.
        csv: a line for each frame of each result.

    Raises:
        InputError: a file cannot be written.
    """
    if json is not None:
        told = reports[0].as_dict() if len(reports) == 1 else {"results": [one.as_dict() for one in reports]}
        write_whole(json, (js.dumps(told, indent=2) + "\n").encode())
    if csv is not None:
        write_whole(csv, as_csv(reports).encode("utf-8", "backslashreplace"))
    if html is not None:
        from vedit.evaluation.page.page import page_of

        write_whole(html, page_of(reports))
