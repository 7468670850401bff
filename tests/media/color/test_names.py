"""Colour tags and sound tracks in words, as `vedit probe` says them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vedit.cli.app import main
from vedit.media.color.names import MATRICES, PRIMARIES, TRANSFERS, color_text
from vedit.media.reading.probe import probe
from vedit.types import ColorTags


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (ColorTags(primaries=1, transfer=1, matrix=1, full_range=False), "BT.709, limited range (1-1-1)"),
        (ColorTags(), "not said, range not said (2-2-2)"),
        (
            ColorTags(primaries=9, transfer=16, matrix=9, full_range=True),
            "primaries BT.2020, transfer PQ (HDR), matrix BT.2020, full range (9-16-9)",
        ),
        (
            ColorTags(primaries=12, transfer=200, matrix=2),
            "primaries Display P3, transfer unknown (200), matrix not said, range not said (12-200-2)",
        ),
    ],
)
def test_tags_in_words(tags: ColorTags, text: str) -> None:
    assert color_text(tags) == text


def test_every_code_that_ffmpeg_knows_has_a_name() -> None:
    from av.video.reformatter import ColorPrimaries, ColorTrc

    assert {int(code) for code in ColorPrimaries} - {2} <= set(PRIMARIES)
    assert {int(code) for code in ColorTrc} - {2} <= set(TRANSFERS)
    assert set(MATRICES) >= {*range(15)} - {2, 3}


@pytest.mark.parametrize(
    ("extension", "layout", "rate", "channels"),
    [("mov", "mono", 44100, 1), ("mov", "stereo", 48000, 2), ("mov", "5.1", 48000, 6), ("mkv", "mono", 8000, 1)],
)
def test_sound_has_channels_and_rate(
    extension: str, layout: str, rate: int, channels: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"sound.{extension}"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(25))
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 400 * channels), np.int16), format="s16", layout=layout)
        samples.sample_rate = rate
        container.mux(sound.encode(samples))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    (track,) = probe(path).audio
    named = extension == "mov"  # Matroska says how many channels there are, not which
    assert (track.channels, track.layout, track.sample_rate) == (channels, layout if named else None, rate)
    assert main(["probe", str(path)], standalone_mode=False) == 0
    plural = "s" if channels > 1 else ""
    said = f"pcm_s16le, {channels} channel{plural}{f' ({layout})' if named else ''}, {rate} Hz"
    assert said in capsys.readouterr().out
