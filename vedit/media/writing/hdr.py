"""Static HDR metadata: mastering display (SMPTE ST 2086) and content light level (CTA-861.3), read and handed on."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType

from vedit.media.reading.source import open_input, side_data_of

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vedit.media.writing.codecs import HdrKeys

PQ, HLG = 16, 18
HDR_TRANSFERS = (PQ, HLG)
"""By their H.273 code points."""

_MASTERING = struct.Struct("<22i")
_CHROMATICITY, _LUMINANCE = 50000, 10000
"""Units of ST 2086 in a bit stream: 0.00002 of chromaticity, 0.0001 cd/m2."""


@dataclass(frozen=True, kw_only=True)
class HdrMetadata:
    """What a display needs to show HDR as it was mastered; None where the source does not say."""

    primaries: tuple[tuple[Fraction, Fraction], ...] | None = None
    """CIE x, y of red, green, blue and the white point."""
    luminance: tuple[Fraction, Fraction] | None = None
    """Least and greatest, in cd/m2."""
    light: tuple[int, int] | None = None
    """Greatest content light level and frame average, in cd/m2."""

    def __bool__(self) -> bool:
        return self.primaries is not None or self.luminance is not None or self.light is not None

    def params(self, keys: HdrKeys) -> str | None:
        """The values in an encoder's `-params` option; None where there is nothing it takes."""
        found: list[str] = []
        if self.primaries is not None and self.luminance is not None:
            red, green, blue, white = self.primaries
            low, high = self.luminance
            if keys == "svtav1-params":
                points = "".join(
                    f"{name}({float(x):.6f},{float(y):.6f})"
                    for name, (x, y) in zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
                )
                found.append(f"mastering-display={points}L({float(high):.4f},{float(low):.4f})")
            else:
                points = "".join(
                    f"{name}({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})"
                    for name, (x, y) in zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
                )
                key = "mastering-display" if keys == "x264-params" else "master-display"
                found.append(f"{key}={points}L({round(high * _LUMINANCE)},{round(low * _LUMINANCE)})")
        if self.light is not None:
            key = {"x264-params": "cll", "x265-params": "max-cll", "svtav1-params": "content-light"}[keys]
            found.append(f"{key}={self.light[0]},{self.light[1]}")
        return ":".join(found) or None


def hdr_of(frame: VideoFrame) -> HdrMetadata:
    """The static HDR metadata that a decoded frame carries."""
    primaries = luminance = light = None
    for data in side_data_of(frame) or ():
        raw = bytes(data)
        if data.type == SideDataType.MASTERING_DISPLAY_METADATA and len(raw) >= _MASTERING.size:
            values = _MASTERING.unpack(raw[: _MASTERING.size])
            pairs = [Fraction(values[n], values[n + 1] or 1) for n in range(0, 20, 2)]
            if values[20]:
                primaries = tuple((pairs[n], pairs[n + 1]) for n in range(0, 8, 2))
            if values[21]:
                luminance = (pairs[8], pairs[9])
        elif data.type == SideDataType.CONTENT_LIGHT_LEVEL and len(raw) >= 8:
            most, average = struct.unpack("<2I", raw[:8])
            light = (most, average)
    return HdrMetadata(primaries=primaries, luminance=luminance, light=light)


def read_hdr(path: Path, stream_index: int) -> HdrMetadata:
    """The static HDR metadata of a file, from its first frame; empty where there is none or it cannot be decoded.

    Raises:
        MediaError: as `open_input` does.
    """
    with open_input(path) as container:
        stream = cast("VideoStream", container.streams[stream_index])
        try:
            frame = next(container.decode(stream), None)
        except FFmpegError:
            return HdrMetadata()
        return hdr_of(frame) if frame is not None else HdrMetadata()
