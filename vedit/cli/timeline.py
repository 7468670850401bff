"""`vedit timeline`: the clips of a cut that was exported from an editing system, listed or restyled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.cli import params
from vedit.cli.configured import Configured
from vedit.cli.console import CELL, count, note, printable, show, show_json
from vedit.cli.grouped import option
from vedit.cli.inputs import input_argument
from vedit.cli.models_local import model_dir_option
from vedit.cli.setting_options import gathered, option_of, options_of
from vedit.cli.shared_options import Messages, allow_unknown_option, messages_options, writing_options
from vedit.cli.telling import Telling, talking
from vedit.errors import InputError
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.table import setting_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vedit.media.output import OutputOptions
    from vedit.nle.model import Timeline, TimelineClip

HANDLES = 8


_SETTINGS = (
    option(
        "--handles",
        type=click.IntRange(min=0),
        default=HANDLES,
        show_default=True,
        help="Frames on either side of what a clip shows, where the media has them.",
        stage="source",
    ),
    option(
        "--rate",
        type=params.RateType(),
        metavar="RATE",
        help="Frames per second of an EDL: 25, 23.976, 30000/1001.",
        stage="source",
    ),
    option(
        "--media",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        multiple=True,
        metavar="FOLDER",
        help="Read media of this folder too; media that moved is looked for in it. May be given more than once.",
        stage="source",
    ),
    option("--any-media", is_flag=True, help="Read media wherever the timeline says it lies.", stage="source"),
    option("--skip-missing", is_flag=True, help="Leave clips as they are whose media is not found.", stage="source"),
    option(
        "--allow-outside",
        is_flag=True,
        help="LOOKS.TOML may name masks, control videos and models outside its own folder.",
        stage="look",
    ),
    allow_unknown_option,
    option(
        "--results",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="FOLDER",
        help="Where the results go.  [default: beside each source]",
        stage="output",
    ),
    option(
        "--container",
        type=params.Choice(["mov", "mp4", "mkv", "mxf"]),
        help="What the results are written as.  [default: as each source is]",
        stage="output",
    ),
    option_of(
        setting_of(RestyleOptions, "quality"),
        help="For all clips, whatever the looks say: draft for a try.",
        default=None,
    ),
    option_of(
        setting_of(RenderRequest, "model"),
        help="For all clips, whatever the looks say: listed name, folder, .safetensors file, hub id.",
        default=None,
    ),
    *options_of(RenderRequest, "device", "precision", "quantize", "offload", "attention_backend", "allow_huge"),
    option_of(
        setting_of(RenderRequest, "fresh"),
        help="Render again what is there already, from the start; takes --overwrite.",
    ),
    option_of(setting_of(RenderRequest, "keep_work"), help="Keep what the model made of every clip."),
)
"""What `vedit.nle.run.timeline` takes of these names."""


@click.command("timeline", cls=Configured, short_help="Restyle the clips of a timeline from an editing system.")
@input_argument("source", "TIMELINE")
@click.option("--list", "as_list", is_flag=True, help="List the clips and what they show of their media, and stop.")
@click.option(
    "--edits",
    "edits",
    type=params.FILE,
    metavar="LOOKS.TOML",
    help="Which clips get which look; without it those that a note 'VEDIT: prompt' names in the timeline.",
)
@click.option(
    "-o",
    "--output",
    type=params.FILE,
    help="The timeline that shows the results.  [default: NAME.vedit.EXT beside TIMELINE]",
)
@gathered("settings", _SETTINGS)
@model_dir_option
@writing_options
@click.option("--dry-run", is_flag=True, help="Say what would be rendered, where, with which look, and stop.")
@messages_options
def timeline_command(
    *,
    source: Path,
    as_list: bool,
    edits: Path | None,
    output: Path | None,
    settings: dict[str, Any],
    writing: OutputOptions,
    dry_run: bool,
    messages: Messages,
) -> None:
    """Restyle clips of TIMELINE, and write a timeline that shows the results at the same place.

    TIMELINE is FCPXML (.fcpxml, .fcpxmld), FCP7 XML (.xml), a Kdenlive or MLT project, a CMX 3600 EDL, .otio or .aaf.
    Media is read only inside TIMELINE's folder and the folders of --media, unless --any-media is given. What each clip
    shows of its media is rendered once, with handles, beside its source and with its timecode and sound. All else in
    the timeline stays as it is.

    A run that was stopped goes on when the same command is run again; results that are there are not rendered again.

    \b
    Examples:
      vedit timeline cut.fcpxml --list
      vedit timeline cut.fcpxml --edits looks.toml --dry-run
      vedit timeline cut.fcpxml --edits looks.toml -o cut_ink.fcpxml
      vedit timeline cut.edl --edits looks.toml --rate 25 --media /footage
      vedit timeline cut.xml --edits looks.toml --handles 24 --codec prores --container mov
    """
    if not as_list and edits is None and output is None and not dry_run:
        raise InputError("nothing is asked for", remedy="give --list, or --edits looks.toml and -o OUT")
    if as_list:
        _list(source, settings, as_json=messages.as_json)
        return
    from vedit.cli.timeline_run import say_render, show_run
    from vedit.nle.run import ignore_render, timeline

    with talking(Telling(quiet=messages.quiet), each="render", renders=not dry_run) as heard:
        run = timeline(
            source,
            edits,
            output=output,
            writing=writing,
            dry_run=dry_run,
            **settings,
            on_render=ignore_render if messages.quiet else say_render,
            **heard,
        )
    show_run(run, dry=dry_run, as_json=messages.as_json)


def _list(source: Path, settings: dict[str, Any], *, as_json: bool) -> None:
    from vedit.nle.read import read_timeline

    rate, folders, anywhere = (settings[name] for name in ("rate", "media", "any_media"))
    timeline = read_timeline(source, rate=rate, folders=folders, anywhere=anywhere).timeline
    for line in timeline.notes:
        note(line)
    if as_json:
        show_json(timeline)
        return
    _show(timeline)


def _show(timeline: Timeline) -> None:
    clips = count(len(timeline.clips), "clip")
    show(f"{timeline.name or 'untitled'}: {timeline.format}, {timeline.rate} frames/s, {clips}")
    rows = [_row(timeline, clip) for clip in timeline.clips]
    header = ("#", "track", "clip", "in the cut", "of the media", "speed", "media")
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    sequence = timeline.name
    _line(header, widths)
    for clip, row in zip(timeline.clips, rows, strict=True):
        if clip.sequence and clip.sequence != sequence:
            sequence = clip.sequence
            show(f"in {sequence}:")
        _line(row, widths)


def _line(row: Sequence[str], widths: list[int]) -> None:
    show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(timeline: Timeline, clip: TimelineClip) -> tuple[str, ...]:
    """The cells of a clip; a name of 100 kB would widen every row."""
    from vedit.nle.clock import span_timecodes

    begin = timeline.start if clip.sequence in ("", timeline.name) else 0
    counted = clip.sequence_rate or timeline.rate
    record = span_timecodes(clip.record, counted, drop=timeline.drop, offset=begin)
    shown, media = "", clip.refusal
    if clip.source is not None:
        drop = clip.media.drop if clip.media is not None else False
        rate = (clip.media.rate if clip.media is not None else None) or timeline.rate
        shown = span_timecodes(clip.source, rate, drop=drop)
    if not media and clip.media is not None:
        media = str(clip.media.path) if clip.media.path is not None else f"{clip.media.problem}: {clip.media.written}"
    speed = "varies" if clip.speed is None else "" if clip.speed == 1 else f"{float(clip.speed * 100):.4g} %"
    state = "" if clip.enabled else " (off)"
    return (
        str(clip.number),
        clip.track,
        printable(clip.name, CELL) + state,
        record,
        shown,
        speed,
        printable(media, 4 * CELL),
    )
