"""Track languages: one language has up to two ISO 639-2 codes, and QuickTime knows few of them."""

from __future__ import annotations

import io
from functools import lru_cache

import av
import numpy as np
from av.audio.frame import AudioFrame

# Bibliographic code, terminological code (ISO 639-2); the last pair is FFmpeg's own name for QuickTime's Swedish.
_PAIRS = (
    "alb sqi,arm hye,baq eus,bur mya,chi zho,cze ces,dut nld,fre fra,geo kat,ger deu,gre ell,ice isl,mac mkd,mao mri,"
    "may msa,per fas,rum ron,slo slk,tib bod,wel cym,sve swe"
)
_OTHER = {a: b for pair in _PAIRS.split(",") for a, b in (pair.split(), reversed(pair.split()))}
_CANONICAL = {pair.split()[0]: pair.split()[1] for pair in _PAIRS.split(",")}


def canonical(language: str | None) -> str:
    """One name for a language whatever code it is told by; "none" where it is not told."""
    if language is None or language == "und":
        return "none"
    return _CANONICAL.get(language, language)


@lru_cache(maxsize=256)
def written_as(muxer: str, language: str) -> str | None:
    """The code under which a container keeps a language, found by writing it to memory; None where it cannot."""
    for code in (language, _OTHER.get(language)):
        if code is not None and _survives(muxer, code):
            return code
    return None


def _survives(muxer: str, code: str) -> bool:
    if muxer == "mxf":
        return False  # it has no place for one, and its muxer takes no file without a picture
    file = io.BytesIO()
    codec = "libopus" if muxer == "webm" else "pcm_s16le"
    with av.open(file, "w", format=muxer) as output:
        stream = output.add_stream(codec, rate=48000)
        stream.layout = "mono"
        stream.metadata["language"] = code
        silence = AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        silence.sample_rate = 48000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as found:
        return found.streams[0].metadata.get("language") == code
