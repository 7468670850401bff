"""`vedit probe`: what a clip is, without changing it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vedit.cli import params
from vedit.cli.console import note, show, show_json, show_rows, span
from vedit.cli.inputs import input_argument

if TYPE_CHECKING:
    from fractions import Fraction

    from vedit.types import StreamInfo, VideoMetadata


@click.command("probe", short_help="Say what a clip holds.")
@input_argument()
@click.option("--frames", type=click.IntRange(min=0), default=0, metavar="N", help="Decode the first N frames too.")
@params.rate_option
@params.track_option
@params.huge_option
@params.json_option
def probe_command(
    *, source: Path, frames: int, rate: Fraction | None, track: int | None, allow_huge: bool, as_json: bool
) -> None:
    """Say what INPUT holds: size, rate, timecode, colour, sound, streams; from the headers and the first frame.

    INPUT is a video file, an image sequence (shot_%04d.png, shot_####.png) or a folder of one. It is opened in a
    process of its own, so that no file can harm this one.

    \b
    Examples:
      vedit probe input.mp4
      vedit probe input.mov --json
      vedit probe frames/shot_%04d.exr --rate 24 --frames 10
    """
    from vedit.media.color import working_space
    from vedit.media.isolate import check_file
    from vedit.media.tracks import choice_note

    report = check_file(source, frames=frames, rate=rate, track=track, allow_huge=allow_huge)
    metadata, space = report.metadata, working_space(report.metadata)
    decoded = f"{report.frames} of the first {frames}" + (
        f", {report.damaged} packets are damaged" if report.damaged else ""
    )
    if as_json:
        told: dict[str, object] = {entry.name: getattr(metadata, entry.name) for entry in fields(metadata)}
        if frames:
            told |= {"frames_decoded": report.frames, "packets_damaged": report.damaged}
        show_json(told | {"working_space": space})
        return
    show_rows(_describe(metadata) | {"working": space} | ({"decoded": decoded} if frames else {}))
    for stream in metadata.streams:
        show(f"stream     {_stream(stream)}")
    choice = choice_note(metadata) if track is None else None
    if choice is not None:
        note(choice)


def _describe(metadata: VideoMetadata) -> dict[str, str]:
    """The figures of a clip, to be read."""
    from vedit.media.color_names import color_text
    from vedit.media.sequence import is_still

    rate = metadata.average_rate
    timed = {
        "rate": "unknown" if rate is None else _rate(rate),
        "duration": "unknown" if metadata.duration is None else span(float(metadata.duration)),
        "frames": "unknown" if metadata.declared_frames is None else f"{metadata.declared_frames} by the header",
        "timecode": metadata.timecode or "none",
        "fields": metadata.field_order,
    }
    return {
        "file": str(metadata.path),
        "container": ", ".join(metadata.container),
        "track": f"#{metadata.stream_index}",
        "video": f"{metadata.codec}, {metadata.pixel_format}, {metadata.bit_depth} bit"
        + (", alpha" if metadata.has_alpha else ""),
        "size": _size(metadata),
        **(_of_picture(metadata.path) if is_still(metadata.path) else timed),
        "colour": color_text(metadata.color),
        **({} if is_still(metadata.path) else {"chapters": str(metadata.chapters)}),
    }


def _of_picture(path: Path) -> dict[str, str]:
    """What a still picture says beside its pixels."""
    from vedit.media.picture_data import picture_data

    data = picture_data(path)
    there = [name for name, held in (("Exif", data.exif), ("XMP", data.xmp)) if held is not None]
    return {"profile": data.profile or "none", "data": " and ".join(there) or "none"}


def _rate(rate: Fraction) -> str:
    """25 frames/s, 24000/1001 (23.976) frames/s."""
    return f"{rate} frames/s" if rate.denominator == 1 else f"{rate} ({float(rate):.3f}) frames/s"


def _size(metadata: VideoMetadata) -> str:
    notes = [f"{metadata.width}x{metadata.height}"]
    if metadata.rotation or metadata.mirrored:
        coded = f"coded {metadata.coded_width}x{metadata.coded_height}, turned {metadata.rotation} degrees"
        notes.append(coded + (", mirrored" if metadata.mirrored else ""))
    if metadata.sample_aspect_ratio != 1:
        notes.append(f"pixel aspect {metadata.sample_aspect_ratio}")
    return ", ".join(notes)


def _stream(stream: StreamInfo) -> str:
    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    facts = [stream.codec]
    if stream.size is not None:
        facts.append(f"{stream.size[0]}x{stream.size[1]}")
        facts += [f"{stream.frames} frame{'' if stream.frames == 1 else 's'}"] if stream.frames else []
        facts += ["cover picture"] if stream.picture else []
    if stream.channels is not None:
        count = f"{stream.channels} channel{'' if stream.channels == 1 else 's'}"
        facts.append(count if stream.layout is None else f"{count} ({stream.layout})")
    facts += [f"{stream.sample_rate} Hz"] if stream.sample_rate is not None else []
    return f"#{stream.index} {stream.kind}, {', '.join(facts)}{language}"
