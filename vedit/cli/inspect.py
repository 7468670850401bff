"""`vedit probe`: what a clip is, without changing it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from vedit.cli import params
from vedit.cli.console import note, show, show_json, show_rows
from vedit.cli.inputs import input_argument
from vedit.cli.setting_options import held
from vedit.options.source import SourceOptions


@click.command("probe", short_help="Say what a clip holds.")
@input_argument()
@click.option("--frames", type=click.IntRange(min=0), default=0, metavar="N", help="Decode the first N frames too.")
@held("reading", SourceOptions, "rate", "track", "allow_huge")
@params.json_option
def probe_command(*, source: Path, frames: int, reading: dict[str, Any], as_json: bool) -> None:
    """Say what INPUT holds: size, rate, timecode, colour, sound, streams; from the headers and the first frame.

    INPUT is a video file, an image sequence (shot_%04d.png, shot_####.png) or a folder of one. It is opened in a
    process of its own, so that no file can harm this one.

    \b
    Examples:
      vedit probe input.mp4
      vedit probe input.mov --json
      vedit probe frames/shot_%04d.exr --rate 24 --frames 10
    """
    from vedit.media.color.convert import working_space
    from vedit.media.color.names import color_text
    from vedit.media.reading.facts import facts_of, stream_text
    from vedit.media.reading.isolate import check_file
    from vedit.media.reading.tracks import choice_note

    report = check_file(source, frames=frames, **reading)
    metadata, space = report.metadata, working_space(report.metadata)
    decoded = f"{report.frames} of the first {frames}" + (
        f", {report.damaged} packets are damaged" if report.damaged else ""
    )
    if as_json:
        told: dict[str, object] = {entry.name: getattr(metadata, entry.name) for entry in fields(metadata)}
        if frames:
            told |= {"frames_decoded": report.frames, "packets_damaged": report.damaged}
        show_json(told | {"color_names": color_text(metadata.color), "working_space": space})
        return
    show_rows(facts_of(metadata) | {"working": space} | ({"decoded": decoded} if frames else {}))
    for stream in metadata.streams:
        show(f"stream     {stream_text(stream)}")
    choice = choice_note(metadata) if reading["track"] is None else None
    if choice is not None:
        note(choice)
