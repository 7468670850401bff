"""Footage whose every frame and every audio sample says which one it is, and how it is read back."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 144, 96
COLUMNS, ROWS = 4, 2
CELL_WIDTH, CELL_HEIGHT = WIDTH // COLUMNS, HEIGHT // ROWS
BITS = COLUMNS * ROWS - 1
SAMPLES = 16000
"""Samples per second."""


def picture(number: int) -> npt.NDArray[np.uint8]:
    """(96, 144, 3): a cell for each bit, its upper half bright where the bit is set, its lower half where it is not.

    A look that changes brightness all over still leaves one half of a cell brighter than the other. The last cell is
    always bright above: where a look turns bright into dark, it shows that.
    """
    frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    for bit, (rows, columns) in enumerate(_halves()):
        bright = rows[0] if bit == BITS or number >> bit & 1 else rows[1]
        frame[bright, columns] = 215
    return frame


def number_of(frame: npt.NDArray[np.uint8]) -> int:
    """The number that a picture spells."""
    grey = frame.mean(axis=2)
    bright_above = [grey[upper, columns].mean() > grey[lower, columns].mean() for (upper, lower), columns in _halves()]
    return sum(int(above == bright_above[BITS]) << bit for bit, above in enumerate(bright_above[:BITS]))


def _halves() -> Iterator[tuple[tuple[slice, slice], slice]]:
    for bit in range(BITS + 1):
        row, column = divmod(bit, COLUMNS)
        top, left = row * CELL_HEIGHT, column * CELL_WIDTH
        middle = top + CELL_HEIGHT // 2
        yield (slice(top, middle), slice(middle, top + CELL_HEIGHT)), slice(left, left + CELL_WIDTH)


def write_footage(path: Path, numbers: range, rate: Fraction, timecode: str | None, *, sound: bool = True) -> Path:
    """H.264 with, as sound, samples that count up by one every 1/16000 s."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "12", "g": "8", "bf": "2"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if timecode is not None:
            video.metadata["timecode"] = timecode
        audio = container.add_stream("pcm_s16le", rate=SAMPLES, layout="mono") if sound else None
        for number in numbers:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            count = int(len(numbers) / rate * SAMPLES)
            for start in range(0, count, 1000):
                ramp = np.arange(start, min(start + 1000, count), dtype=np.int64).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(ramp.reshape(1, -1), format="s16", layout="mono")
                frame.sample_rate, frame.pts = SAMPLES, start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def numbers_in(path: Path) -> list[int]:
    """The number of every frame of a file."""
    with av.open(str(path)) as container:
        return [
            number_of(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)) for frame in container.decode(video=0)
        ]


def sample_at(path: Path, seconds: Fraction) -> int:
    """The sample that is heard at a time of the file's own clock, its first picture being at 0."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            begin = (frame.pts or 0) * (frame.time_base or 1)
            values = frame.to_ndarray()[0]
            place = round((seconds - begin) * frame.sample_rate)
            if 0 <= place < len(values):
                return int(values[place])
    raise AssertionError(f"{path.name} is silent at {float(seconds)} s")


def timecode_of(path: Path) -> str | None:
    """The start timecode that a file's header gives."""
    with av.open(str(path)) as container:
        told = [stream.metadata for stream in container.streams] + [container.metadata]
        return next((tags["timecode"] for tags in told if "timecode" in tags), None)
