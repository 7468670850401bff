"""What a track is for (default, forced, commentary ...), and which of that a container has a place for."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.stream import Disposition

ROLES = (
    "default",
    "dub",
    "original",
    "comment",
    "lyrics",
    "karaoke",
    "forced",
    "hearing_impaired",
    "visual_impaired",
    "clean_effects",
    "captions",
    "descriptions",
    "dependent",
    "non_diegetic",
)
"""By FFmpeg's names; a cover or thumbnails are no role of a track that is copied."""

_SOUND = {"mp4": "aac", "mov": "pcm_s16le", "matroska": "pcm_s16le", "webm": "libopus"}
_TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}


def lost_roles(muxer: str, kind: str, told: Disposition) -> list[str]:
    """Roles of a sound or subtitle track that a container cannot say, in words."""
    names = [name for name in ROLES if told & Disposition[name]]
    return [name.replace("_", " ") for name in names if not _survives(muxer, kind, name)]


@lru_cache(maxsize=256)
def _survives(muxer: str, kind: str, role: str) -> bool:
    """Whether a container keeps a role, found by writing it to memory."""
    if muxer not in _SOUND or kind not in ("audio", "subtitle"):
        return True
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as output:
        # The first of its kind may be made the default one by the muxer: what counts is the second.
        sounds = [_sound(output, muxer) for _ in range(2)]
        texts: list[Any] = [output.add_mux_stream(_TEXT[muxer]) for _ in range(2)] if kind == "subtitle" else []
        (texts or sounds)[1].disposition = Disposition[role]
        for stream in sounds:
            silence = _silence(muxer)
            output.mux([*stream.encode(silence), *stream.encode(None)])
        for stream in texts:
            packet = Packet(b"a")
            packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
            output.mux(packet)
    file.seek(0)
    with av.open(file, "r") as found:
        return bool(found.streams[len(found.streams) - 1].disposition & Disposition[role])


def _sound(output: Any, muxer: str) -> Any:
    stream = output.add_stream(_SOUND[muxer], rate=48000)
    stream.layout = "mono"
    return stream


def _silence(muxer: str) -> AudioFrame:
    floats = muxer == "mp4"
    samples = np.zeros((1, 960 + 64 * floats), np.int16)
    frame = AudioFrame.from_ndarray(
        samples.astype(np.float32) if floats else samples, format="fltp" if floats else "s16", layout="mono"
    )
    frame.sample_rate = 48000
    return frame
