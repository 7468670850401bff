"""`vedit keys`: the frames of a clip that are worth painting by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vedit.cli import params
from vedit.cli.console import count, note, say, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.mistyped import Group
from vedit.cli.progress import progress
from vedit.cli.setting_options import held
from vedit.cli.shared_options import overwrite_option
from vedit.errors import InputError
from vedit.options.source import SourceOptions


@click.group("keys", cls=Group, short_help="Frames to paint by hand: export.")
def keys_group() -> None:
    """Find the frames of a clip that are worth painting by hand, for `vedit restyle --keyframe`.

    \b
    Examples:
      vedit keys export input.mp4 keys/
      vedit restyle input.mp4 --keyframe keys/
    """


@keys_group.command("export", short_help="Write the frames to paint as PNG.")
@input_argument()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--keyframes",
    metavar="auto|N",
    default="auto",
    show_default=True,
    help="auto: a frame wherever a fifth of the picture is new; N: one in every N frames at least.",
)
@click.option("--shots", metavar="N[,N...]", help="Of these shots alone, as `vedit shots` numbers them.")
@overwrite_option
@held("reading", SourceOptions)
@params.json_option
@params.quiet_option
def export_command(
    *,
    source: Path,
    folder: Path,
    keyframes: str,
    shots: str | None,
    overwrite: bool,
    reading: dict[str, Any],
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the frames of INPUT that are worth painting into FOLDER, as PNG at full size.

    The names tell the frame: paint over the pictures, erase what the model shall draw, and give the folder back with
    `vedit restyle --keyframe FOLDER`. Pictures that are not painted yet are left out there. Printed are frame,
    timecode, shot, and how much of the picture the frame above it in the table does not show.

    \b
    Examples:
      vedit keys export input.mp4 keys/
      vedit keys export input.mp4 keys/ --keyframes 24 --range 2..6
      vedit keys export input.mp4 keys/ --shots 2,3 --json
    """
    from vedit.render.proposed_keys import export_keys

    chosen = _numbers(shots)
    with progress(quiet=quiet) as report:
        done = export_keys(
            source,
            folder,
            keyframes=keyframes,
            shots=chosen,
            overwrite=overwrite,
            reading=SourceOptions(**reading),
            on_progress=report,
        )
    if not quiet:
        for line in done.notes:
            note(line)
    if as_json:
        keys = [
            {"frame": key.frame, "time": key.time, "shot": key.shot, "new": round(key.new, 4), "file": file}
            for key, file in zip(done.keys, done.files, strict=True)
        ]
        show_json({"folder": folder, "keys": keys})
        return
    rows = [
        (f"#{key.frame}", key.time, str(key.shot), f"{key.new:.0%}", file.name)
        for key, file in zip(done.keys, done.files, strict=True)
    ]
    rows.insert(0, ("frame", "time", "shot", "new", "file"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        show("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    if not quiet:
        say(f"{count(len(done.keys), 'frame')} to paint in {folder}; then: vedit restyle {source} --keyframe {folder}")


def _numbers(text: str | None) -> tuple[int, ...]:
    """Numbers of shots. Raises InputError where one is none."""
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdecimal() for word in words):
        raise InputError(f"--shots is {text!r}", remedy="write numbers of shots: 2,3")
    return tuple(int(word) for word in words)
