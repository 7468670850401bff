"""The copied streams of a result against the source's: payload, order, language, and distance to the picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING

from vedit.media.contract.report import Check, check, milliseconds
from vedit.media.reading.source import open_input
from vedit.media.writing.languages import canonical, written_as
from vedit.media.writing.stream_copy import in_part, source_packets

if TYPE_CHECKING:
    from pathlib import Path

    from av.packet import Packet
    from av.stream import Stream


SAMPLES = ("pcm_", "adpcm_", "mace", "gsm")
"""How the names of codecs begin of which so many bytes are so many samples; muxers cut them into packets anew."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A copied stream: what its packets hold, and when they are, in seconds after the first video frame."""

    index: int
    kind: str
    language: str | None
    time_base: Fraction
    digest: str
    packets: int
    times: tuple[Fraction, ...]
    starts: tuple[int, ...] = ()
    """Bytes of the track before each packet, where a byte has a time of its own; see `divisible`."""
    size: int = 0
    """Bytes in all, alike."""
    ends: tuple[Fraction, ...] = ()
    """When each of those packets ends."""


def read_tracks(
    path: Path,
    origin: Fraction,
    *,
    kept: Collection[int] | None = None,
    part: tuple[Fraction, Fraction] | None = None,
    written: bool = False,
) -> list[Track]:
    """The sound and subtitles of a file, in file order; every packet is read.

    Args:
        path: of the file.
        origin: the time of the first video frame, in seconds on the file's clock.
        kept: indices of the streams to read; None reads all.
        part: only packets that are heard or seen in [begin, end) seconds on the file's clock.
        written: the file is a result, whose times count as they are; a source's are first made to increase.

    Raises:
        MediaError: the file cannot be read.
    """
    with open_input(path) as container:
        streams = [
            stream
            for stream in container.streams
            if stream.type in ("audio", "subtitle") and (kept is None or stream.index in kept)
        ]
        hashes = {stream.index: sha256() for stream in streams}
        times: dict[int, list[Fraction]] = {stream.index: [] for stream in streams}
        starts: dict[int, list[int]] = {stream.index: [] for stream in streams}
        sizes = {stream.index: 0 for stream in streams}
        ends: dict[int, list[Fraction]] = {stream.index: [] for stream in streams}
        for packet in source_packets(container, streams, _as_it_is if written else None):
            if part is not None and not in_part(packet, *part):
                continue
            number = packet.stream.index
            data = payload(bytes(packet), packet.stream)
            hashes[number].update(data)
            pts = packet.pts if packet.pts is not None else packet.dts or 0
            seconds = pts * packet.time_base - origin
            if divisible(packet.stream):
                starts[number].append(sizes[number])
                sizes[number] += len(data)
                ends[number].append(seconds + (packet.duration or 0) * packet.time_base)
            # A subtitle that is on screen when a part begins is shown from its first frame.
            times[number].append(max(seconds, Fraction(0)) if part and packet.stream.type == "subtitle" else seconds)
        return [
            Track(
                index=stream.index,
                kind=stream.type,
                language=stream.language,
                time_base=stream.time_base or Fraction(1, 1000),
                digest=hashes[stream.index].hexdigest()[:16],
                packets=len(times[stream.index]),
                times=tuple(times[stream.index]),
                starts=tuple(starts[stream.index]),
                size=sizes[stream.index],
                ends=tuple(ends[stream.index]),
            )
            for stream in streams
        ]


def _as_it_is(_: Packet[Stream]) -> bool:
    return True


def payload(data: bytes, stream: Stream) -> bytes:
    """A packet without transport framing: AAC loses its ADTS header, which mp4 and Matroska keep elsewhere."""
    if (
        stream.codec_context.codec.canonical_name == "aac"
        and len(data) > 7
        and data[0] == 0xFF
        and data[1] & 0xF6 == 0xF0
    ):
        return data[7 if data[1] & 1 else 9 :]
    return data


def divisible(stream: Stream) -> bool:
    """Whether the sound can be cut into packets anywhere: samples of a fixed size, whose bytes tell their time."""
    return stream.type == "audio" and stream.codec_context.codec.canonical_name.startswith(SAMPLES)


def track_checks(expected: list[Track], found: list[Track], *, tick: Fraction, muxer: str | None) -> list[Check]:
    """Every kept track of the source against the result's track at the same place among those of its kind.

    Args:
        expected: of the source.
        found: of the result.
        tick: the coarser of the two video time bases, in seconds.
        muxer: that wrote the result, which may know few languages; None takes every language as one that it knows.
    """
    checks: list[Check] = []
    for kind in ("audio", "subtitle"):
        wanted, got = [t for t in expected if t.kind == kind], [t for t in found if t.kind == kind]
        checks.append(check(f"{kind} tracks", len(wanted), len(got)))
        for number, (a, b) in enumerate(zip(wanted, got, strict=False), 1):
            name = f"{kind} {number}"
            checks.append(check(f"{name} payload", _payload(a), _payload(b)))
            checks.append(check(f"{name} language", _language(a.language, muxer), canonical(b.language)))
            limit = max(tick, a.time_base, b.time_base)
            worst = _apart(a, b)
            checks.append(
                check(
                    f"{name} offset to video",
                    f"within {milliseconds(limit)}",
                    f"largest difference {milliseconds(worst)}",
                    worst <= limit,
                )
            )
    return checks


def _payload(track: Track) -> str:
    # How samples are cut into packets is the muxer's choice, and nobody hears it.
    return f"{track.size} bytes {track.digest}" if track.starts else f"{track.packets} packets {track.digest}"


def _apart(a: Track, b: Track) -> Fraction:
    """The largest difference between the times of the same sound in two tracks, in seconds."""
    if not (a.starts and b.starts):
        return max((abs(x - y) for x, y in zip(a.times, b.times, strict=False)), default=Fraction(0))
    # Each packet of either runs at an even pace: what differs most does so where one begins.
    places = [place for place in dict.fromkeys((*a.starts, *b.starts)) if place < min(a.size, b.size)]
    return max((abs(_time(a, place) - _time(b, place)) for place in places), default=Fraction(0))


def _time(track: Track, place: int) -> Fraction:
    """When a byte of the track is heard."""
    number = bisect_right(track.starts, place) - 1
    last = number + 1 == len(track.starts)
    begin, end = track.times[number], track.ends[number]
    if not last and (end == begin or track.times[number + 1] < end):
        end = track.times[number + 1]
    after = track.size if last else track.starts[number + 1]
    return begin + Fraction(place - track.starts[number], after - track.starts[number]) * (end - begin)


def _language(language: str | None, muxer: str | None) -> str:
    """What a container can say of a language: QuickTime knows few."""
    if muxer is not None and language is not None and written_as(muxer, language) is None:
        return "none"
    return canonical(language)
