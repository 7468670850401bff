"""`vedit identity`: a clip through everything but a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import count, say, show, show_json, span
from vedit.cli.inputs import input_argument
from vedit.cli.progress import progress
from vedit.cli.setting_options import held
from vedit.cli.several import Folder, file_of
from vedit.cli.shared_options import writing_options
from vedit.options.source import SourceOptions

if TYPE_CHECKING:
    from vedit.media.output import OutputOptions


@click.command("identity", short_help="Pass a clip through unchanged, and check it.")
@input_argument()
@click.option(
    "-o", "--output", type=params.OUTPUT, required=True, help="The result, or FOLDER/ for NAME.same.EXT in it."
)
@held("reading", SourceOptions, "frames", "rate", "track", "allow_huge")
@writing_options
@params.json_option
@params.quiet_option
def identity_command(
    *,
    source: Path,
    output: Path | Folder,
    reading: dict[str, Any],
    writing: OutputOptions,
    as_json: bool,
    quiet: bool,
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

    track, codec = reading["track"], writing.codec
    target = file_of(output, lambda folder: in_folder(folder, source, "same", track=track, codec=codec))
    assert target is not None  # it is required
    with progress(quiet=quiet) as report:
        result = identity(source, target, options=writing, on_progress=report, **reading)
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
