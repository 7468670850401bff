"""`vedit mask`: look at a mask before a render, and take it to an editor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import say, show, show_json
from vedit.cli.grouped import Grouped
from vedit.cli.inputs import input_argument
from vedit.cli.mask_params import mask_options
from vedit.cli.progress import progress
from vedit.cli.setting_options import held
from vedit.cli.several import Folder, place_of
from vedit.cli.shared_options import reading_options
from vedit.media.output import OutputOptions

if TYPE_CHECKING:
    from vedit.masks.export import MatteReport
    from vedit.options.masks import MaskSpec


@click.command("mask", cls=Grouped, short_help="Preview a mask, or export it as a matte.")
@input_argument()
@mask_options
@click.option(
    "-o",
    "--output",
    type=params.OUTPUT,
    help="The matte in grey: a video, pictures (matte_%04d.png), or FOLDER/ for NAME.matte.EXT in it.",
)
@click.option(
    "--alpha", is_flag=True, help="Write INPUT itself with the mask as alpha: .mov (ProRes 4444) or pictures."
)
@click.option("--preview", type=params.FILE, metavar="FILE.png", help="A contact sheet of every shot, the mask tinted.")
@held("writing", OutputOptions, "codec", "preset", "overwrite")
@reading_options
@params.json_option
@params.quiet_option
def mask_command(
    *,
    source: Path,
    mask: MaskSpec | None,
    output: Path | Folder | None,
    alpha: bool,
    preview: Path | None,
    writing: dict[str, Any],
    reading: dict[str, Any],
    as_json: bool,
    quiet: bool,
) -> None:
    """Preview the mask of INPUT, or export it for an editor, with INPUT's timing.

    The mask is what `vedit restyle` makes of the same options: all that is given is joined into one, then inverted,
    grown and feathered. Its area over time is printed.

    \b
    Examples:
      vedit mask input.mp4 --mask person.png@0 --feather 8 --preview look.png
      vedit mask input.mp4 --mask-box 25%,10%,50%,80% -o matte.mov --codec prores
      vedit mask input.mp4 --mask-box 0,0,200,300@0 --mask-box 400,0,200,300@2.5 -o matte.mp4
      vedit mask input.mp4 --subject "the dog" --alpha -o dog.mov
      vedit mask input.mp4 --mask roto.mov --invert-mask --grow -4 -o "matte_%04d.png"
    """
    if mask is None:
        raise click.UsageError("no mask is given: use --mask, --mask-box, --mask-point, --subject or --background")
    if output is None and preview is None:
        raise click.UsageError("nothing is asked for: name the matte with -o, or a contact sheet with --preview")
    if alpha and output is None:
        raise click.UsageError("--alpha needs the file to write: -o OUT.mov")
    from vedit.masks.run import mask as export

    with progress(quiet=quiet) as report:
        done = export(
            source, mask, place_of(output), alpha=alpha, preview=preview, on_progress=report, **writing, **reading
        )
    if not quiet:
        for note in done.notes:
            say(f"note: {note}")
    if as_json:
        show_json(_as_json(done))
        return
    for shot in done.shots:
        show(f"shot {shot.number}  #{shot.frames.start}..#{shot.frames.stop}  {_area(done.of_shot(shot))}")
    for path in (done.output, done.preview):
        if path is not None:
            show(str(path))


def _area(areas: tuple[float, ...]) -> str:
    """`area 12.3 %  (10.1 % to 14.0 %)  ▁▂▄▆`: the mean, the extremes, and its course."""
    mean = sum(areas) / len(areas)
    return f"area {100 * mean:.1f} %  ({100 * min(areas):.1f} % to {100 * max(areas):.1f} %)  {_course(areas)}"


def _course(areas: tuple[float, ...]) -> str:
    """The area over time in at most 24 characters, from none of the picture to the largest part."""
    count = min(24, len(areas))
    pieces = [areas[n * len(areas) // count : (n + 1) * len(areas) // count] for n in range(count)]
    largest = max(areas) or 1.0
    return "".join(" ▁▂▃▄▅▆▇█"[round(8 * sum(piece) / len(piece) / largest)] for piece in pieces)


def _as_json(report: MatteReport) -> dict[str, object]:
    return {
        "output": report.output,
        "preview": report.preview,
        "first_frame": report.shots[0].frames.start,
        "areas": list(report.areas),
        "shots": [
            {"number": shot.number, "start": shot.frames.start, "stop": shot.frames.stop} for shot in report.shots
        ],
        "notes": list(report.notes),
    }
