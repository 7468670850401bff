"""`vedit shots`: where a clip is cut, as a list to read, to pick from, or for another program."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vedit.cli import params
from vedit.cli.console import json_text, note, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.listed import Listed
from vedit.errors import InputError
from vedit.registry.shot_detectors import DEFAULT, shot_detectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from vedit.media.output import Interlaced
    from vedit.shots.corrections import ShotChoices

Command = TypeVar("Command", bound="Callable[..., Any]")
_OPTIONS = (
    click.option(
        "--detector",
        type=Listed(shot_detectors),
        default=DEFAULT,
        show_default=True,
        help="How cuts are found: adaptive, content, histogram or hash, by what changes; threshold, fades through "
        "black alone; or a plug-in's.",
    ),
    click.option(
        "--threshold", type=params.NON_NEGATIVE, help="Lower finds more.  [default: the detector's usual one]"
    ),
    click.option(
        "--min-seconds",
        type=params.NON_NEGATIVE,
        default=0.125,
        show_default=True,
        help="A cut sooner than this after the last one is dropped.",
    ),
    click.option(
        "--add-cut", "add", multiple=True, metavar="TIME", help="A shot begins there: seconds, timecode or #frame."
    ),
    click.option(
        "--remove-cut", "remove", multiple=True, metavar="TIME", help="There is no cut there, by up to two frames."
    ),
    click.option("--split-transitions", is_flag=True, help="Cut fades and dissolves in their middle."),
)


def detection_options(command: Command) -> Command:
    """Decorate a command with what says how shots are found; its parameters go to `choices_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def choices_of(
    *,
    detector: str,
    threshold: float | None,
    min_seconds: float,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    split_transitions: bool,
) -> ShotChoices:
    """The values of the options that `detection_options` adds."""
    from vedit.shots.corrections import ShotChoices

    return ShotChoices(
        detector=detector,
        threshold=threshold,
        minimum_seconds=Fraction(str(min_seconds)),
        add=add,
        remove=remove,
        split_transitions=split_transitions,
    )


@click.command("shots", short_help="List the shots of a clip.")
@input_argument()
@detection_options
@click.option(
    "-o",
    "--output",
    "outputs",
    type=params.FILE,
    multiple=True,
    help="Also write a .csv, .json, .edl, .otio, .html (pictures within) or .png (contact sheet); repeatable.",
)
@params.overwrite_option
@params.rate_option
@params.track_option
@params.huge_option
@params.interlaced_option
@params.json_option
def shots_command(
    *,
    source: Path,
    outputs: tuple[Path, ...],
    overwrite: bool,
    rate: Fraction | None,
    track: int | None,
    allow_huge: bool,
    interlaced: Interlaced,
    as_json: bool,
    **detection: Any,
) -> None:
    """List the shots of INPUT: number, frames (END exclusive), time, and fades or dissolves. Decodes the clip once.

    \b
    Examples:
      vedit shots input.mp4
      vedit shots input.mp4 --detector content --threshold 20 --min-seconds 0.5
      vedit shots input.mp4 --add-cut 12.4 --remove-cut "#310" -o shots.html -o shots.edl
      vedit shots input.mp4 --json
    """
    from vedit.media.reading.read import open_video
    from vedit.shots.corrections import find_shots, span_text
    from vedit.shots.formats import SUFFIXES, ListedShots, write_shots

    for path in outputs:
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} is no list of shots", remedy=f"use one of {', '.join(SUFFIXES)}")
        params.check_output(path, overwrite=overwrite, source=source)
    choices = choices_of(**detection)
    with open_video(source, rate=rate, track=track, allow_huge=allow_huge, interlaced=interlaced) as reader:
        found = find_shots(reader, choices)
        index, warnings = reader.index(), reader.warnings
        listed = ListedShots(reader=reader, found=found)
        for warning in warnings:
            note(warning)
        told: dict[str, object] = {
            "source": source,
            "frames": len(index),
            "rate": index.rate,
            "shots": listed.rows(),
            "transitions": found.transitions,
        }
        for path in outputs:
            write_shots(listed, path, lambda: json_text(told) + "\n")
    if as_json:
        show_json(told)
        return
    for shot, row in zip(found.shots, listed.rows(), strict=True):
        show(f"{shot.number:>4}  {span_text(index, shot)}  {row['transition']}".rstrip())
