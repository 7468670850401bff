"""`vedit shots`: where a clip is cut, as a list to read, to pick from, or for another program."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.console import json_text, note, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.listed import Listed
from vedit.cli.setting_options import gathered
from vedit.cli.shared_options import overwrite_option, whole_clip_options
from vedit.errors import InputError
from vedit.registry.shot_detectors import DEFAULT, shot_detectors

if TYPE_CHECKING:
    from vedit.shots.corrections import ShotChoices

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


def choices_of(
    *,
    detector: str,
    threshold: float | None,
    min_seconds: float,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    split_transitions: bool,
) -> ShotChoices:
    """The values of the options that say how shots are found."""
    from vedit.shots.corrections import ShotChoices

    return ShotChoices(
        detector=detector,
        threshold=threshold,
        minimum_seconds=Fraction(str(min_seconds)),
        add=add,
        remove=remove,
        split_transitions=split_transitions,
    )


detection_options = gathered("detection", _OPTIONS, choices_of)
"""`detection: ShotChoices`, how shots are found."""


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
@overwrite_option
@whole_clip_options
@params.json_option
def shots_command(
    *,
    source: Path,
    detection: ShotChoices,
    outputs: tuple[Path, ...],
    overwrite: bool,
    reading: dict[str, Any],
    as_json: bool,
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
    with open_video(source, **reading) as reader:
        found = find_shots(reader, detection)
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
