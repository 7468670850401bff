"""A frame for a look at a clip, quickly: where the index, which decodes the whole file, would take too long."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import MediaError
from vedit.media.reading.decode import Decoder

if TYPE_CHECKING:
    from vedit.media.reading.reader import VideoReader
    from vedit.types import IntFrames


def glance(reader: VideoReader, seconds: Fraction) -> tuple[IntFrames, Fraction]:
    """A frame by its time, found by seeking; what its number is, and whether the file seeks exactly, is not looked at.

    Args:
        reader: of the clip; where it stands is not changed. Interlaced fields are left as they are.
        seconds: after the first frame; where the clip is shorter, a late frame is taken.

    Returns:
        The first frame that begins then or later, (3 or 4, H, W), and when it begins.

    Raises:
        MediaError: nothing can be decoded.
    """
    metadata = reader.metadata
    decoder = Decoder(metadata.path, metadata.stream_index, threads=False, rate=metadata.average_rate)
    try:
        shown = first = next(decoder, None)
        if first is None or shown is None:
            raise MediaError(f"{metadata.path} holds no frame that can be decoded", remedy="check that it plays")
        begin = first.pts or 0
        wanted = begin + seconds / metadata.time_base
        if not (seconds > 0 and decoder.seek(int(wanted))):
            decoder.push_back(first)
        for shown in decoder:
            if shown.pts is None or shown.pts >= wanted:
                break
        shape = (4 if metadata.has_alpha else 3, metadata.height, metadata.width)
        out: IntFrames = np.empty(shape, np.uint8) if metadata.bit_depth == 8 else np.empty(shape, np.uint16)
        reader.draw(shown, 0, out)
        return out, ((shown.pts or begin) - begin) * metadata.time_base
    finally:
        decoder.close()
