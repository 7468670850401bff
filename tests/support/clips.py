"""Clips that several tests render."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

FRAMES, CUT = 10, 6
WIDTH, HEIGHT = 176, 144


def two_shots(path: Path, frames: int = FRAMES) -> Path:
    """Ten frames at 24000/1001 of two shots, or fewer of the first, with sound and a start timecode."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(24000, 1001))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.metadata["timecode"] = "01:00:00:00"
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        for t in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(t), format="rgb24")
            container.mux(video.encode(frame))
        tone = (np.sin(np.arange(2400 * frames) / 20) * 0.2).astype(np.float32)
        samples = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
        container.mux(video.encode(None))
    return path


def picture(t: int) -> npt.NDArray[np.uint8]:
    """A soft pattern that moves to the right; after the cut another one in other colours."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    wave = np.sin((columns - 3 * t) / 11) * np.cos(rows / 17)
    colours = (200, 90, 60) if t < CUT else (20, 60, 220)
    shift = 0 if t < CUT else 30
    return np.stack([np.clip(c / 2 + shift + 60 * wave, 0, 255) for c in colours], axis=2).astype(np.uint8)


def lossless(path: Path, frames: list[npt.NDArray[np.uint8]], rate: Fraction = Fraction(24000, 1001)) -> Path:
    """Frames (H, W, 3) as lossless video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = frames[0].shape[0], frames[0].shape[1], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path
