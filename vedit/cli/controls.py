"""`vedit controls`: control maps as video, to look at or to use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vedit.cli import params
from vedit.cli.console import show, show_json
from vedit.cli.progress import progress

if TYPE_CHECKING:
    from fractions import Fraction

    from vedit.media.choices import Interlaced


@click.command("controls", short_help="Write control maps as video.")
@click.argument("source", metavar="INPUT", type=params.FILE)
@click.option("--kind", "kind_text", required=True, metavar="KIND[,KIND...]", help="softedge, tile, canny, luma, flow.")
@click.option(
    "-o", "--output", type=params.FILE, required=True, help="The video; with several kinds, the kind joins the name."
)
@params.overwrite_option
@params.range_option
@click.option("--short-side", type=click.IntRange(min=16), help="Pixels of the shorter side.  [default: the source's]")
@params.rate_option
@params.huge_option
@params.interlaced_option
@params.json_option
@params.quiet_option
def controls_command(
    *,
    source: Path,
    kind_text: str,
    output: Path,
    overwrite: bool,
    frames: str | None,
    short_side: int | None,
    rate: Fraction | None,
    allow_huge: bool,
    interlaced: Interlaced,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a control map of INPUT as a video with INPUT's timing.

    \b
    Examples:
      vedit controls input.mp4 --kind softedge -o edges.mp4
      vedit controls input.mp4 --kind softedge,flow -o maps.mp4 --range 0..2
    """
    kinds = params.kinds(kind_text)
    from vedit.control_video import write_controls
    from vedit.media.isolate import check_file

    check_file(source, rate=rate, allow_huge=allow_huge)
    with progress(quiet=quiet) as report:
        written = write_controls(
            source,
            kinds,
            output,
            frames=frames,
            overwrite=overwrite,
            short_side=short_side,
            rate=rate,
            allow_huge=allow_huge,
            interlaced=interlaced,
            on_progress=report,
        )
    if as_json:
        show_json({"outputs": written})
        return
    for path in written:
        show(str(path))
