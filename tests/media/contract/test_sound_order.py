"""Sound that is cut into other packets than the muxer makes, and sound whose times step back."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame

from vedit.errors import MediaError
from vedit.media.contract.identity import identity
from vedit.media.contract.verify import verify
from vedit.media.contract.verify_tracks import Track, read_tracks, track_checks
from vedit.media.output import OutputOptions

CASES = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3].parent / "shared")) / "cases" / "media"
RATE = 48000
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


def pictures(output: Any, frames: int, rate: int = 25) -> Any:
    """Add a video track and give its packets, one a frame."""
    stream = output.add_stream("mpeg4", rate=rate, options={"g": "5"})
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    found: list[Packet[Any]] = []
    for number in range(frames):
        image = np.full((32, 32, 3), 20 + number * 5 % 200, np.uint8)
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        found += stream.encode(frame)
    return [*found, *stream.encode(None)]


def write_samples(
    path: Path,
    *,
    codec: str = "pcm_s16le",
    layout: str = "stereo",
    block: int = 24000,
    tracks: int = 1,
    start: int = 0,
    gap: int = 0,
    seed: int = 0,
) -> Path:
    """A clip of 1 s with PCM in packets of `block` samples, which begins at sample `start`; half way it pauses."""
    width = int("".join(filter(str.isdigit, codec.partition("_")[2]))) // 8 * CHANNELS[layout]
    random = np.random.default_rng(seed)
    with av.open(str(path), "w") as output:
        video = pictures(output, 25)
        streams = [cast("Any", output.add_stream(codec, rate=RATE, layout=layout)) for _ in range(tracks)]
        timed: list[tuple[Fraction, Packet[Any]]] = [(packet.pts * packet.time_base, packet) for packet in video]
        for stream in streams:
            for at in range(0, RATE, block):
                count = min(block, RATE - at)
                packet = Packet(random.bytes(count * width))
                packet.stream, packet.time_base = stream, Fraction(1, RATE)
                packet.pts = packet.dts = at + start + (gap if at >= RATE // 2 else 0)
                packet.duration = count
                timed.append((packet.pts * packet.time_base, packet))
        for _, packet in sorted(timed, key=lambda pair: pair[0]):
            output.mux(packet)
    return path


def samples(path: Path) -> list[bytes]:
    """All that the sound tracks of a file hold."""
    with av.open(str(path)) as container:
        found = {stream.index: b"" for stream in container.streams.audio}
        for packet in container.demux(*container.streams.audio):
            found[packet.stream.index] += bytes(packet)
    return list(found.values())


@pytest.mark.parametrize(
    ("name", "out", "told"),
    [
        ("a.mov", "b.mov", {}),
        ("a.mov", "b.mov", {"block": 1920}),
        ("a.mov", "b.mov", {"block": 700, "tracks": 3}),
        ("a.mov", "b.mov", {"codec": "pcm_s24le"}),
        ("a.mov", "b.mov", {"codec": "pcm_s24be", "layout": "5.1", "block": 5000}),
        ("a.mov", "b.mov", {"codec": "pcm_s16be", "start": 960}),
        ("a.mov", "b.mov", {"codec": "pcm_f32le", "start": 1}),
        ("a.mov", "b.mkv", {"codec": "pcm_s24le", "block": 4801}),
        ("a.mkv", "b.mkv", {"block": 1200}),
        ("a.mkv", "b.mov", {"block": 4800}),
        ("a.mp4", "b.mp4", {"block": 10000}),
        ("a.mkv", "b.mkv", {"block": 8000, "gap": 4800}),
    ],
)
def test_samples_are_compared_by_their_place(tmp_path: Path, name: str, out: str, told: dict[str, Any]) -> None:
    source = write_samples(tmp_path / name, **told)
    result = identity(source, tmp_path / out)
    assert result.report.ok
    assert samples(tmp_path / out) == samples(source)
    assert verify(source, tmp_path / out).ok


def test_a_part_of_samples(tmp_path: Path) -> None:
    source = write_samples(tmp_path / "a.mov", block=24000)
    assert identity(source, tmp_path / "b.mov", frames="#5..#20").report.ok


@pytest.mark.parametrize(
    "told",
    [{"seed": 1}, {"start": 4800}, {"block": 8000, "gap": 4800}, {"tracks": 2}],
    ids=["other bytes", "later", "a pause", "another track"],
)
def test_other_samples_are_a_breach(tmp_path: Path, told: dict[str, Any]) -> None:
    source = write_samples(tmp_path / "a.mkv", block=8000)
    other = write_samples(tmp_path / "b.mkv", **{"block": 3000, **told})  # pyright: ignore[reportArgumentType]
    breaches = verify(source, other).breaches
    assert breaches and all(breach.name.startswith("audio") for breach in breaches)


@pytest.mark.parametrize("name", ["b.mov", "b.mp4"])
def test_a_pause_that_a_container_cannot_hold_is_found_first(tmp_path: Path, name: str) -> None:
    source = write_samples(tmp_path / "a.mkv", block=8000, gap=4800)
    with pytest.raises(MediaError, match=r"pause or an overlap at 0.500 s.*\.mkv"):
        identity(source, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_packets_that_no_player_cuts_are_counted() -> None:
    track = Track(
        index=1, kind="audio", language=None, time_base=Fraction(1, RATE), digest="x", packets=2, times=(Fraction(0),)
    )
    checks = track_checks([track], [replace(track, packets=3)], tick=Fraction(1, RATE), muxer=None)
    assert [check.name for check in checks if not check.ok] == ["audio 1 payload"]


def boxes(data: bytes, begin: int, end: int) -> list[tuple[bytes, int, int]]:
    """(kind, begin, end) of the boxes in a part of a file."""
    found: list[tuple[bytes, int, int]] = []
    while begin < end:
        size, kind = struct.unpack(">I4s", data[begin : begin + 8])
        found.append((kind, begin, begin + size))
        begin += size
    return found


def with_edits(path: Path, edits: Mapping[int, Sequence[tuple[int, int]]]) -> Path:
    """Give tracks of an MP4 that ends in its index other edit lists: (movie ticks, first media tick) each."""

    def build(data: bytes, begin: int, end: int, wanted: Sequence[tuple[int, int]] | None) -> bytes:
        made = b""
        number = 0
        for kind, first, last in boxes(data, begin, end):
            body = data[first + 8 : last]
            if kind == b"trak":
                body = build(data, first + 8, last, edits.get(number))
                number += 1
            elif kind == b"moov":
                body = build(data, first + 8, last, None)
            elif kind == b"edts" and wanted is not None:
                entries = b"".join(struct.pack(">IiI", length, at, 0x10000) for length, at in wanted)
                body = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(wanted)) + entries
            made += struct.pack(">I4s", len(body) + 8, kind) + body
        return made

    data = path.read_bytes()
    path.write_bytes(build(data, 0, len(data), None))
    return path


def write_tone(path: Path, *, seconds: int = 4, codec: str = "aac", start: int = 0) -> Path:
    """A clip with a tone that swells, so that no two packets are alike."""
    with av.open(str(path), "w") as output:
        video = pictures(output, 25 * seconds)
        sound = cast("Any", output.add_stream(codec, rate=RATE, layout="mono"))
        wave = np.sin(np.arange(RATE * seconds) / 20) * np.arange(RATE * seconds) / (RATE * seconds)
        timed = [(packet.pts * packet.time_base, packet) for packet in video]
        size = sound.codec_context.frame_size or 1024
        flat = codec == "aac"
        for at in range(0, len(wave), size):
            piece = wave[at : at + size][None]
            data = piece.astype(np.float32) if flat else (piece * 20000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(data, format="fltp" if flat else "s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at + start, Fraction(1, RATE)
            timed += [(packet.pts * packet.time_base, packet) for packet in sound.encode(frame)]
        timed += [(packet.pts * packet.time_base, packet) for packet in sound.encode(None)]
        for _, packet in sorted(timed, key=lambda pair: pair[0]):
            output.mux(packet)
    return path


def increasing(path: Path) -> bool:
    with av.open(str(path)) as container:
        times = [packet.dts for packet in container.demux(container.streams.audio[0]) if packet.dts is not None]
    return len(times) > 10 and all(a < b for a, b in pairwise(times))


def played(path: Path) -> int:
    """Bytes of the packets that an edit list lets be heard."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return sum(packet.size for packet in packets if not packet.is_discard)


@pytest.mark.parametrize("out", ["b.mp4", "b.mov", "b.mkv"])
@pytest.mark.parametrize(
    "spans",
    [[(1000, 0), (1500, 2)], [(500, 0), (500, 1), (1000, 2.5)], [(1000, 2), (1000, 0)], [(800, 1), (800, 1)]],
    ids=["two", "three", "backward", "twice the same"],
)
def test_an_edit_list_with_several_entries(tmp_path: Path, spans: list[tuple[int, float]], out: str) -> None:
    source = write_tone(tmp_path / "a.mp4")
    with av.open(str(source)) as container:
        ticks = [round(1 / cast("Fraction", stream.time_base)) for stream in container.streams]
    edits = {
        number: [(length, round(at * rate) + (1024 if rate == RATE else 0)) for length, at in spans]
        for number, rate in enumerate(ticks)
    }
    with_edits(source, edits)
    result = identity(source, tmp_path / out)
    assert result.report.ok and increasing(tmp_path / out)
    assert any("no player plays" in note or "step back" in note for note in result.notes)
    assert played(tmp_path / out) >= played(source)
    assert verify(source, tmp_path / out).ok


def test_joined_recordings(tmp_path: Path) -> None:
    first = write_tone(tmp_path / "1.ts", seconds=2, codec="mp2")
    second = write_tone(tmp_path / "2.ts", seconds=1, codec="mp2")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    result = identity(joined, tmp_path / "b.mp4")
    assert any("begin anew" in note for note in result.notes)
    assert increasing(tmp_path / "b.mp4")
    track = read_tracks(tmp_path / "b.mp4", Fraction(0))[0]
    assert track.packets == sum(read_tracks(part, Fraction(0))[0].packets for part in (first, second))
    # What follows is put behind what came before: no pause of more than a packet, nothing on top of another.
    steps = [b - a for a, b in pairwise(track.times)]
    assert max(steps) < Fraction(2 * 1152, RATE) and min(steps) > 0
    with pytest.raises(MediaError, match="begin anew"):
        identity(joined, tmp_path / "c.mp4", options=OutputOptions(strict=True))
    assert not (tmp_path / "c.mp4").exists()


def test_a_packet_that_shares_its_time_is_put_behind(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as output:
        video = pictures(output, 25)
        sound = cast("Any", output.add_stream("pcm_s16le", rate=RATE, layout="mono"))
        timed = [(packet.pts * packet.time_base, packet) for packet in video]
        for number in range(50):
            packet = Packet(bytes([number]) * 1920)
            packet.stream, packet.time_base = sound, Fraction(1, 1000)
            packet.pts = packet.dts = 20 * (number - (number == 20))
            packet.duration = 20
            timed.append((packet.pts * packet.time_base, packet))
        for _, packet in sorted(timed, key=lambda pair: pair[0]):
            output.mux(packet)
    result = identity(source, tmp_path / "b.mov")
    assert result.report.ok and increasing(tmp_path / "b.mov")
    assert any("1 packet of the sound" in note and "step back at 0.380 s" in note for note in result.notes)


@pytest.mark.parametrize("name", ["chunk24000.mov", "chunk1920.mov", "twoedits.mp4"])
def test_files_that_went_wrong(tmp_path: Path, name: str) -> None:
    source = CASES / name
    if not source.is_file():
        pytest.skip(f"no {source}")
    result = identity(source, tmp_path / name)
    assert result.report.ok
    assert any("no player plays" in note for note in result.notes) == (name == "twoedits.mp4")
