"""Small video files with known times, sound and tags, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from av.container.core import Chapter
    from av.container.output import OutputContainer


@dataclass(frozen=True, kw_only=True)
class Sound:
    """One sound track: a tone, AAC unless told."""

    language: str = "eng"
    codec: str = "aac"
    start: Fraction = Fraction(0)
    """Seconds on the file's clock."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A file to make."""

    name: str = "clip.mp4"
    frames: int = 24
    size: tuple[int, int] = (64, 48)
    """(width, height)."""
    rate: Fraction = Fraction(24000, 1001)
    time_base: Fraction | None = None
    pts: Sequence[int] | None = None
    """In `time_base`; None is one frame after the other from 0."""
    last_duration: int | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"bf": "0", "g": "12", "crf": "10"})
    tags: tuple[int, int, int, int] | None = (1, 1, 1, 1)
    """Primaries, transfer, matrix, range (1 limited, 2 full); None leaves all open."""
    color: tuple[int, int, int] | None = None
    """A flat colour; None draws a picture that names its frame."""
    aspect: Fraction = Fraction(1)
    rotation: tuple[int, bool] | None = None
    """Degrees counter-clockwise, then a left-right flip."""
    sounds: tuple[Sound, ...] = ()
    subtitles: tuple[tuple[int, int, str], ...] = ()
    """(start, duration, text) in milliseconds."""
    timecode: str | None = None
    chapters: tuple[tuple[int, int], ...] = ()
    """(start, end) in milliseconds."""
    title: str | None = None
    faststart: bool = False


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes the file that a `Recipe` of these fields describes to the test's folder."""

    def write(**fields: Any) -> Path:
        recipe = Recipe(**fields)
        return write_recipe(tmp_path / recipe.name, recipe)

    return write


@pytest.fixture
def sound() -> type[Sound]:
    """One sound track of a recipe."""
    return Sound


@pytest.fixture
def draw() -> Callable[[int, int, int], npt.NDArray[np.uint8]]:
    """The picture that files made here show: of a frame number, width and height."""
    return picture


@pytest.fixture
def sound_only(tmp_path: Path) -> Path:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as output:
        _tone(output, _sound_stream(output, Sound()), Sound(), 0.5)
    return path


def picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3): a ramp in every corner's own colour, and a bright block that moves with the frame number."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 200 // width, y * 200 // height, (x + y + 5 * number) % 200], axis=-1).astype(np.uint8)
    left = (4 * number) % max(1, width - 8)
    image[height // 2 : height // 2 + 8, left : left + 8] = 255
    return image


def write_recipe(path: Path, recipe: Recipe) -> Path:
    base = recipe.time_base or 1 / recipe.rate
    options = {"video_track_timescale": str(base.denominator)} if path.suffix in (".mp4", ".mov") else {}
    if recipe.faststart:
        options["movflags"] = "faststart"
    with av.open(f"file:{path}", "w", container_options=options) as output:
        stream = cast("VideoStream", output.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options)))
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixel_format
        stream.time_base = base
        context = stream.codec_context
        context.time_base = base
        context.sample_aspect_ratio = recipe.aspect
        if recipe.tags is not None:
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = recipe.tags
        if recipe.rotation is not None:
            stream.set_display_rotation(recipe.rotation[0], hflip=recipe.rotation[1])
        if recipe.timecode is not None:
            stream.metadata["timecode"] = recipe.timecode
        if recipe.title is not None:
            output.metadata["title"] = recipe.title
        tracks = [(sound, _sound_stream(output, sound)) for sound in recipe.sounds]
        subtitles = output.add_mux_stream("subrip") if recipe.subtitles else None
        if subtitles is not None:
            subtitles.time_base = Fraction(1, 1000)
            subtitles.metadata["language"] = "eng"
        if recipe.chapters:
            output.set_chapters([_chapter(n, *times) for n, times in enumerate(recipe.chapters)])
        pts = (
            list(recipe.pts)
            if recipe.pts is not None
            else [round(n / recipe.rate / base) for n in range(recipe.frames)]
        )
        step = pts[-1] - pts[-2] if len(pts) > 1 else round(1 / recipe.rate / base)
        durations = {a: b - a for a, b in pairwise(pts)} | {pts[-1]: recipe.last_duration or step}
        for number, value in enumerate(pts):
            frame = _yuv(recipe, number)
            frame.pts, frame.time_base = value, base
            for packet in stream.encode(frame):
                _mux(output, packet, durations)
        for packet in stream.encode(None):
            _mux(output, packet, durations)
        for sound, track in tracks:
            _tone(output, track, sound, float((pts[-1] - min(0, pts[0])) * base) + 0.1)
        for start, duration, text in recipe.subtitles:
            packet = Packet(text.encode())
            packet.stream, packet.time_base = cast("Stream", subtitles), Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = duration
            output.mux(packet)
    return path


def _mux(output: OutputContainer, packet: Packet[VideoStream], durations: dict[int, int]) -> None:
    packet.duration = durations[cast("int", packet.pts)]
    output.mux(packet)


def _yuv(recipe: Recipe, number: int) -> VideoFrame:
    width, height = recipe.size
    image = picture(number, width, height)
    if recipe.color is not None:
        image[:] = recipe.color
    if recipe.pixel_format.startswith("yuva"):
        alpha = np.full((height, width, 1), 40 + 5 * number, dtype=np.uint8)
        frame = VideoFrame.from_ndarray(np.concatenate([image, alpha], axis=-1), format="rgba")
    else:
        frame = VideoFrame.from_ndarray(image, format="rgb24")
    matrix = recipe.tags[2] if recipe.tags else (1 if height >= 720 else 6)
    full = recipe.tags is not None and recipe.tags[3] == 2
    return frame.reformat(
        format=recipe.pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709 if matrix == 1 else Colorspace.ITU601,
        dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
    )


def _sound_stream(output: OutputContainer, sound: Sound) -> AudioStream:
    stream = cast("AudioStream", output.add_stream(sound.codec, rate=48000))
    stream.layout = "mono"
    stream.metadata["language"] = sound.language
    return stream


def _tone(output: OutputContainer, stream: AudioStream, sound: Sound, seconds: float) -> None:
    samples = np.sin(np.arange(int(seconds * 48000)) * 0.06 * (1 + len(sound.language))) * 0.3
    samples = samples.astype(np.float32)[np.newaxis]
    step = 1024
    for first in range(0, samples.shape[1], step):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:, first : first + step]), format="fltp", layout="mono"
        )
        frame.sample_rate = 48000
        frame.time_base = Fraction(1, 48000)
        frame.pts = first + round(sound.start * 48000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _chapter(number: int, start: int, end: int) -> Chapter:
    base = Fraction(1, 1000)
    return {"id": number, "start": start, "end": end, "time_base": base, "metadata": {"title": f"Part {number}"}}
