"""What a clip is, in words: the rows that `vedit probe` prints and that a notebook shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.media.color.names import color_text
from vedit.media.reading.sequence import is_still

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from vedit.types import StreamInfo, VideoMetadata


def facts_of(metadata: VideoMetadata) -> dict[str, str]:
    """The figures of a clip by their names, as its headers have them."""
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


def stream_text(stream: StreamInfo) -> str:
    """One stream beside the film: `#1 audio, aac, 2 channels (stereo), 48000 Hz, eng`."""
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


def span(seconds: float) -> str:
    """A span of time to read: 8.4 s, 53 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _of_picture(path: Path) -> dict[str, str]:
    """What a still picture says beside its pixels."""
    from vedit.media.reading.picture_data import picture_data

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
