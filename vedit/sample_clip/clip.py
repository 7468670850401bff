"""The built-in sample clip: a drawn landscape under a camera whose path is known, so that any motion can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.error import FFmpegError

from vedit.errors import InputError
from vedit.media.writing.unfinished import hold, let_go, sweep, unfinished_name
from vedit.sample_clip.landscape import Card, paint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from av.container import OutputContainer

WIDTH, HEIGHT = 480, 320
RATE = Fraction(24000, 1001)
TIMECODE = "01:00:00:00"
_SOUND_RATE = 48000
_PERIOD = 160
"""Frames of the camera's way there and back."""


@dataclass(frozen=True, kw_only=True)
class SampleClip:
    """What `write_sample` wrote."""

    path: Path
    frames: int
    rate: Fraction
    timecode: str
    motions: npt.NDArray[np.float64]
    """(frames, cards, 2, 3): where each card of the picture lies in each frame, see `motion`."""


def write_sample(path: Path, *, frames: int = 48) -> SampleClip:
    """Write the sample clip: H.264 and stereo AAC, 480 x 320 at 24000/1001, start timecode 01:00:00:00.

    The same frames on every call. The file appears under its name only when it is complete.

    Args:
        path: a name whose ending says the container: mp4, mov or mkv.
        frames: how many; the camera goes there and back in 160.

    Raises:
        InputError: no frames, or a container that cannot hold the clip.
    """
    if frames < 1:
        raise InputError(f"a clip has at least 1 frame, got {frames}")
    sweep(path)
    part = path.with_name(unfinished_name(path))
    handle = None
    try:
        with av.open(f"file:{part}", "w") as container:
            handle = hold(part)
            _write(container, frames)
        part.replace(path)
    except (FFmpegError, ValueError) as error:
        raise InputError(f"cannot write {path}: {error}", remedy="name a .mp4, .mov or .mkv file") from error
    finally:
        let_go(handle)
        part.unlink(missing_ok=True)
    motions = np.stack([motion(number) for number in range(frames)])
    return SampleClip(path=path, frames=frames, rate=RATE, timecode=TIMECODE, motions=motions)


def sample_frames(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The frames before encoding, uint8 (3, 320, 480) RGB."""
    for number in range(count):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for card, matrix in zip(_cards(), motion(number), strict=True):
            moved = _place(card, matrix)
            picture = moved[..., :3] + picture * (1 - moved[..., 3:])
        yield (picture.clip(0, 1) * 255).round().astype(np.uint8).transpose(2, 0, 1)


def motion(number: int) -> npt.NDArray[np.float64]:
    """Where the cards lie in a frame: (cards, 2, 3), card pixel (x, y, 1) -> frame pixel, pixel centres at integers.

    The camera turns to the right, zooms in, and moves to the right by up to 0.8 m, which shifts near cards more than
    far ones; it slows down at the ends of its way and turns back.
    """
    way = 0.5 + 0.5 * np.sin(2 * np.pi * (number - 24) / _PERIOD)
    zoom, left, top, aside = 1 + 0.12 * way, 18 + 82 * way, 30 - 8 * way, 0.8 * way
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    matrices = [
        [
            [zoom, -zoom * aside * card.shear, middle[0] - zoom * (left + middle[0] + aside * card.near)],
            [0.0, zoom, middle[1] - zoom * (top + middle[1])],
        ]
        for card in _cards()
    ]
    return np.array(matrices)


def true_flow(number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The exact motion from a frame to the next, and where it is visible.

    Returns:
        Flow (2, 320, 480) in pixels, x then y, of the nearest card that covers at least half of a pixel; and
        (320, 480), false where the point is hidden or outside in the next frame, or where two cards share the pixel.
    """
    now, after = motion(number), motion(number + 1)
    owner, pure = _owners(now)
    next_owner, _ = _owners(after)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    flow = np.zeros((2, HEIGHT, WIDTH))
    for card, (here, there) in enumerate(zip(now, after, strict=True)):
        step = _square(there) @ np.linalg.inv(_square(here))
        own = owner == card
        flow[0][own] = (step[0, 0] * x + step[0, 1] * y + step[0, 2] - x)[own]
        flow[1][own] = (step[1, 0] * x + step[1, 1] * y + step[1, 2] - y)[own]
    column, row = np.rint(x + flow[0]).astype(int), np.rint(y + flow[1]).astype(int)
    inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    same = next_owner[row.clip(0, HEIGHT - 1), column.clip(0, WIDTH - 1)] == owner
    return flow.astype(np.float32), inside & same & pure


@cache
def _cards() -> tuple[Card, ...]:
    return paint()


def _square(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.vstack([matrix, [0, 0, 1]])


def _place(card: Card, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The card as a frame sees it, (320, 480, 4)."""
    left, top, right, bottom = card.box
    corners = matrix @ np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]).T
    reach = 4  # of the Lanczos kernel
    x0, y0 = (np.floor(corners.min(1)).astype(int) - reach).clip(0, (WIDTH, HEIGHT))
    x1, y1 = (np.ceil(corners.max(1)).astype(int) + reach).clip(0, (WIDTH, HEIGHT))
    out = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    if x0 < x1 and y0 < y1:
        shifted = matrix - np.array([[0, 0, x0], [0, 0, y0]])
        moved = cv2.warpAffine(card.image, shifted, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LANCZOS4)
        out[y0:y1, x0:x1] = moved.clip(0, 1)
    return out


def _owners(matrices: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The number of the nearest card that covers half of a pixel, and whether it has the pixel for itself."""
    owner = np.zeros((HEIGHT, WIDTH), np.intp)
    pure = np.ones((HEIGHT, WIDTH), np.bool_)
    for number, (card, matrix) in enumerate(zip(_cards(), matrices, strict=True)):
        coverage = _place(card, matrix)[..., 3]
        owner[coverage >= 0.5] = number
        pure = np.where(coverage > 0.95, True, pure & (coverage < 0.05))
    return owner, pure


def _write(container: OutputContainer, frames: int) -> None:
    container.metadata["timecode"] = TIMECODE
    container.metadata["title"] = "vedit sample"
    options = {"crf": "15", "preset": "medium", "threads": "1"}  # one thread: the same file everywhere
    video = container.add_stream("libx264", rate=RATE, options=options)
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.codec_context.color_primaries = video.codec_context.color_trc = video.codec_context.colorspace = 1
    video.codec_context.time_base = 1 / RATE
    sound = container.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
    for number, picture in enumerate(sample_frames(frames)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.transpose(1, 2, 0)), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = number, 1 / RATE
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    samples = _chord(round(frames / RATE * _SOUND_RATE))
    for start in range(0, samples.shape[1], 1024):
        block = av.AudioFrame.from_ndarray(samples[:, start : start + 1024], format="fltp", layout="stereo")
        block.sample_rate, block.pts, block.time_base = _SOUND_RATE, start, Fraction(1, _SOUND_RATE)
        container.mux(sound.encode(block))
    container.mux(sound.encode(None))


def _chord(count: int) -> npt.NDArray[np.float32]:
    """(2, count) in [-1, 1]: a quiet open chord that swells, with a plucked note each second."""
    t = np.arange(count) / _SOUND_RATE
    tones = [np.sin(2 * np.pi * pitch * t + phase) for phase, pitch in enumerate((146.83, 220.0, 293.66, 369.99))]
    swell = 0.5 - 0.4 * np.cos(2 * np.pi * t / 4)
    since = t % 1
    pluck = np.sin(2 * np.pi * 587.33 * since) * np.exp(-7 * since) * np.minimum(since * 400, 1)
    left = 0.06 * swell * (tones[0] + tones[1] + tones[2]) + 0.16 * pluck
    right = 0.06 * swell * (tones[0] + tones[1] + tones[3]) + 0.10 * pluck
    return np.stack([left, right]).astype(np.float32)
