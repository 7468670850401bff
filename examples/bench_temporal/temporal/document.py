"""The page of the bench: what was run, the table, and the sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from temporal.clips import BenchClip
from temporal.peer import PEERS
from temporal.table import Row, lacking, markdown
from temporal.variants import NOT_HERE, VARIANTS

FLOWS = {"dis": "OpenCV DIS, along which vedit steadies", "farneback": "Farneback's method, a second opinion"}


def document(
    clips: Sequence[BenchClip],
    looks: Sequence[str],
    tables: Mapping[str, Sequence[Row]],
    labels: Mapping[str, str],
    *,
    run: str,
    sheets: Mapping[str, str],
) -> str:
    """Markdown.

    Args:
        clips: that were measured.
        looks: that were rendered.
        tables: rows by the estimator of motion.
        labels: label by the variant's name.
        run: frames, quality and model in a sentence.
        sheets: path of a clip's sheet, from the page.
    """
    tells = {one.name: one.tells for one in (*VARIANTS, *PEERS)}
    columns = "\n".join(f"- **{label}**: {tells[name]}." for name, label in labels.items())
    shown = "\n".join(f"- **{clip.name}**: {clip.shows} ({clip.origin or clip.file})." for clip in clips)
    parts = [
        "# Steadiness, measured",
        f"`make bench-temporal` writes this page. {run}",
        shown,
        f"The columns are vedit with one part at a time off, and diffusers without any:\n\n{columns}",
        NOT_HERE,
        "The two of diffusers have the same weights, control maps, prompt, guidance and working size, and as many "
        "network evaluations a frame as vedit, its inversion included. They are enlarged plainly, as *plain upscaling* "
        "is. Warp error is lower for what is blurred or flat: read it beside contrast.",
    ]
    for flow, rows in tables.items():
        parts.append(_section(rows, labels, flow, len(clips) * len(looks)))
    first = next(iter(tables.values()), [])
    if first and len(clips) > 1:
        own = [f"### {clip.name}\n\n{markdown(first, labels, clip=clip.name)}" for clip in clips]
        parts.append("## Each clip, the mean of its looks\n\n" + "\n\n".join(own))
    if sheets:
        names = ", ".join(f"`{sheets[clip.name]}`" for clip in clips if clip.name in sheets)
        told = (
            f"For each look ({', '.join(looks)}) consecutive frames of the part in which the clip changes most are "
            f"written beside this page: {names}. They are not kept in the repository, to which the clips do not belong."
        )
        parts.append(f"## Sheets\n\n{told}")
    return "\n\n".join(parts) + "\n"


def _section(rows: Sequence[Row], labels: Mapping[str, str], flow: str, count: int) -> str:
    head = f"## The mean of {count} results a column; motion by {FLOWS.get(flow, flow)}"
    missing = lacking(rows)
    told = f"\n\nNo metric that is installed measures: {', '.join(missing)}." if missing else ""
    few = [row.name for row in rows if any(0 < row.count(name) < count for name in labels)]
    if few:
        told += f"\n\nNot measurable in all results, so the mean of those where it is: {', '.join(few)}."
    none = [row.name for row in rows if not any(row.count(name) for name in labels)]
    if none:
        told += f"\n\nNot measurable in any result: {', '.join(none)}."
    return f"{head}\n\n{markdown(rows, labels)}{told}" if rows else f"{head}{told}"
