"""`vedit identity`: a clip through everything but a model."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from vedit.cli import params
from vedit.cli.console import count, say, show, show_json, span
from vedit.cli.inputs import input_argument
from vedit.cli.progress import progress
from vedit.cli.several import Folder, file_of


@click.command("identity", short_help="Pass a clip through unchanged, and check it.")
@input_argument()
@click.option(
    "-o", "--output", type=params.OUTPUT, required=True, help="The result, or FOLDER/ for NAME.same.EXT in it."
)
@params.range_option
@params.output_options
@params.rate_option
@params.track_option
@params.huge_option
@params.json_option
@params.quiet_option
def identity_command(
    *,
    source: Path,
    output: Path | Folder,
    frames: str | None,
    rate: Fraction | None,
    track: int | None,
    allow_huge: bool,
    as_json: bool,
    quiet: bool,
    **writing: Any,
) -> None:
    """Check that vedit passes INPUT on unchanged: decode, pad, unpad, encode at its own size, compare.

    \b
    Examples:
      vedit identity input.mp4 -o same.mp4
      vedit identity input.mov -o same.mkv --codec ffv1
      vedit identity input.mov -o shots/shot_%04d.png --range 2..4

    No model is loaded and no picture is resampled, so what differs is the codec's doing. The result is checked as
    after every render; `vedit verify INPUT RESULT` checks it again.
    """
    from vedit.media.contract.identity import identity
    from vedit.options.output_names import in_folder

    choices = params.output_choices(**writing)
    target = file_of(output, lambda folder: in_folder(folder, source, "same", track=track, codec=choices.codec))
    assert target is not None  # it is required
    with progress(quiet=quiet) as report:
        result = identity(
            source,
            target,
            frames=frames,
            options=choices,
            rate=rate,
            track=track,
            allow_huge=allow_huge,
            on_progress=report,
        )
    if not quiet:
        for note in result.notes:
            say(f"note: {note}")
    if as_json:
        show_json(
            {
                "output": result.output,
                "frames": result.frames,
                "seconds": result.seconds,
                "notes": result.notes,
                "contract": result.report.as_dict(),
            }
        )
    else:
        show(f"{result.output}: {count(result.frames, 'frame')} in {span(result.seconds)}, contract ok")
