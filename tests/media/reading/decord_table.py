"""Where decord may be used, file by file: the table of docs/media.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vedit.errors import MediaError
from vedit.media.reading.decord_reader import Agreement, Verdict, judge, may_be_same
from vedit.media.reading.read import open_video


def table(paths: Iterable[Path]) -> str:
    """Where decord may be used, as a Markdown table: one row per file, judged on every frame."""
    rows = ["| file | decord | why |", "|---|---|---|"]
    for path in paths:
        try:
            with open_video(path, backend="pyav") as reader:
                verdict = judge(reader, every_frame=may_be_same(reader.metadata))
        except MediaError:
            verdict = Verdict(agreement=Agreement.NO, reason="not readable at all")
        rows.append(f"| {path.name} | {verdict.agreement.value} | {verdict.reason} |")
    return "\n".join(rows) + "\n"
