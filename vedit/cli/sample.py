"""`vedit sample`: a clip to try things on, drawn on the spot."""

from __future__ import annotations

from pathlib import Path

import click

from vedit.cli import params
from vedit.cli.console import show, show_json
from vedit.cli.shared_options import overwrite_option


@click.command("sample", short_help="Write a sample clip.")
@click.option("-o", "--output", type=params.FILE, default=Path("sample.mp4"), show_default=True, help="Where to.")
@click.option("--frames", type=click.IntRange(min=1, max=100_000), default=48, show_default=True, help="How many.")
@overwrite_option
@params.json_option
def sample_command(*, output: Path, frames: int, overwrite: bool, as_json: bool) -> None:
    """Write a sample clip with sound, to try vedit on without a video at hand.

    \b
    Examples:
      vedit sample
      vedit sample -o demo/sample.mp4 --frames 24
    """
    params.check_output(output, overwrite=overwrite)
    from vedit.sample_clip.clip import write_sample

    write_sample(output, frames=frames)
    if as_json:
        show_json({"output": output, "frames": frames})
    else:
        show(str(output))
