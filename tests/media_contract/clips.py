"""Clips with known times, written by PyAV alone, and what PyAV alone reads of a file: no code of vedit is in here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.output import OutputContainer
    from av.video.stream import VideoStream

SOUND_RATE = 48000
SOUND_BLOCK = 1152


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A clip to write: a small picture that names its frame, and a tone."""

    path: Path
    pts: Sequence[int]
    """In `time_base`, increasing; where the container has edit lists, frames before 0 are hidden by one."""
    time_base: Fraction
    rate: Fraction
    """That the header names; for a variable rate, about the average."""
    last: int
    """Ticks that the last frame is shown."""
    size: tuple[int, int] = (64, 36)
    """(width, height)."""
    sound_start: Fraction | None = Fraction(0)
    """Seconds on the file's clock; None is no sound."""
    timecode: str | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"


def write_timed(clip: Timed) -> Path:
    """Write a clip. In mov and mp4 the track's ticks are those of `time_base`, and the movie's hold both tracks."""
    options: dict[str, str] = {}
    if clip.path.suffix in (".mp4", ".mov"):
        options = {
            "video_track_timescale": str(clip.time_base.denominator),
            "movie_timescale": str(clip.time_base.denominator * SOUND_RATE),
        }
        if clip.time_base.denominator * SOUND_RATE > 2**31 - 1:
            options["movie_timescale"] = str(clip.time_base.denominator)
    with av.open(f"file:{clip.path}", "w", container_options=options) as output:
        settings = {"preset": "ultrafast", "crf": "23", "bf": "0", "g": "48"} if clip.codec == "libx264" else {}
        stream = cast("VideoStream", output.add_stream(clip.codec, rate=clip.rate, options=settings))
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixel_format
        stream.time_base = clip.time_base
        context = stream.codec_context
        context.time_base = clip.time_base
        context.color_primaries = context.color_trc = context.colorspace = 1
        context.color_range = 1
        if clip.timecode is not None:
            stream.metadata["timecode"] = clip.timecode
        sound = None
        if clip.sound_start is not None:
            sound = output.add_stream("mp2", rate=SOUND_RATE)
            sound.layout = "mono"
        _write(output, stream, sound, clip)
    return clip.path


def _write(output: OutputContainer, stream: VideoStream, sound: AudioStream | None, clip: Timed) -> None:
    end = (clip.pts[-1] + clip.last) * clip.time_base
    tone = _tone(clip.sound_start or Fraction(0), end) if sound is not None else iter(())
    block = next(tone, None)
    durations = {a: b - a for a, b in zip(clip.pts, [*clip.pts[1:], clip.pts[-1] + clip.last], strict=True)}
    for number, pts in enumerate(clip.pts):
        while sound is not None and block is not None and cast("int", block.pts) < pts * clip.time_base * SOUND_RATE:
            output.mux(sound.encode(block))
            block = next(tone, None)
        frame = VideoFrame.from_ndarray(picture(number, *clip.size), format="gray8").reformat(format=clip.pixel_format)
        frame.pts, frame.time_base = pts, clip.time_base
        for packet in stream.encode(frame):
            packet.duration = durations[cast("int", packet.pts)]
            output.mux(packet)
    for packet in stream.encode(None):
        packet.duration = durations[cast("int", packet.pts)]
        output.mux(packet)
    while sound is not None and block is not None:
        output.mux(sound.encode(block))
        block = next(tone, None)
    if sound is not None:
        output.mux(sound.encode(None))


def _tone(start: Fraction, end: Fraction) -> Iterator[AudioFrame]:
    first = round(start * SOUND_RATE)
    samples = (np.sin(np.arange(SOUND_BLOCK) * 2 * np.pi * 5 / SOUND_BLOCK) * 8000).astype(np.int16)
    for pts in range(first, round(end * SOUND_RATE), SOUND_BLOCK):
        # The loudness goes up and down, so that no two packets in a row are the same bytes.
        block = (samples * (0.2 + 0.8 * ((pts // SOUND_BLOCK) % 23) / 23)).astype(np.int16)
        frame = AudioFrame.from_ndarray(block[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE, Fraction(1, SOUND_RATE), pts
        yield frame


def picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W) uint8: the frame number as 16 columns of bits over a slow ramp."""
    image = np.full((height, width), 40 + number % 60, np.uint8)
    column = max(1, width // 16)
    for bit in range(16):
        if number >> bit & 1:
            image[height // 4 : height // 2, bit * column : (bit + 1) * column] = 220
    return image


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A file as PyAV alone presents it; times are seconds on the file's own clock."""

    times: tuple[Fraction, ...]
    """Of every decoded frame."""
    time_base: Fraction
    sound_times: tuple[Fraction, ...]
    """Of every packet of the first sound track."""
    sound_time_base: Fraction | None
    sound: str
    """Checksum over the sound packets."""
    timecode: str | None

    @property
    def video(self) -> tuple[Fraction, ...]:
        """Seconds after the first frame."""
        return tuple(time - self.times[0] for time in self.times)

    @property
    def sound_after_video(self) -> tuple[Fraction, ...]:
        """Seconds from the first video frame to each sound packet."""
        return tuple(time - self.times[0] for time in self.sound_times)


def measure(path: Path) -> Measured:
    """Decode the pictures and read the sound packets."""
    digest, sounds = sha256(), list[Fraction]()
    with av.open(f"file:{path}") as container:
        stream = container.streams.video[0]
        base = cast("Fraction", stream.time_base)
        times = tuple(cast("int", frame.pts) * base for frame in container.decode(stream))
        tags = [stream.metadata, container.metadata, *(other.metadata for other in container.streams.data)]
        timecode = next((value for tag in tags for key, value in tag.items() if key.lower() == "timecode"), None)
        tracks = container.streams.audio
        sound_base = tracks[0].time_base if tracks else None
    if sound_base is not None:
        with av.open(f"file:{path}") as container:
            for packet in container.demux(container.streams.audio[0]):
                if packet.size and packet.pts is not None:
                    sounds.append(packet.pts * packet.time_base)
                    digest.update(bytes(packet))
    return Measured(
        times=times,
        time_base=base,
        sound_times=tuple(sounds),
        sound_time_base=sound_base,
        sound=digest.hexdigest()[:16],
        timecode=timecode,
    )


@dataclass(frozen=True, kw_only=True)
class Presented:
    """The frames of a file as PyAV alone presents them."""

    times: tuple[int | None, ...]
    time_base: Fraction
    keys: frozenset[int]
    """Numbers of the key frames."""
    pixels: int
    """Of one frame."""


def present(path: Path) -> Presented:
    """Decode the whole file, the default video track of it, past packets that do not decode."""
    times: list[int | None] = []
    keys: set[int] = set()
    with av.open(f"file:{path}") as container:
        stream = container.streams.best("video") or container.streams.video[0]
        stream = cast("VideoStream", stream)
        for frame in container.decode(stream):
            if frame.key_frame:
                keys.add(len(times))
            times.append(frame.pts)
        pixels = stream.codec_context.width * stream.codec_context.height
        base = cast("Fraction", stream.time_base)
    return Presented(times=tuple(times), time_base=base, keys=frozenset(keys), pixels=pixels)
