"""Data as OpenEXR pictures: float samples written and read as they are, with no curve, no clipping and no rounding.

The rest of vedit takes an EXR for a picture in linear light (`vedit.media.color.convert`); depth and motion are no
light.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from vedit.errors import MediaError
from vedit.media.color.convert import GBR_PLANES
from vedit.media.color.planes import plane_of
from vedit.media.reading.limits import MAX_PIXELS, check_size

if TYPE_CHECKING:
    import numpy.typing as npt

_FORMATS = {1: "grayf32le", 3: "gbrpf32le"}
_HALF_LARGEST = 65504


def encode_exr(values: npt.NDArray[np.floating], *, half: bool = False) -> bytes:
    """One picture as an EXR file of scan lines, ZIP compressed.

    Args:
        values: (1, H, W), written as the channel Y, or (3, H, W), written as R, G, B.
        half: 16-bit floats, rounded to the nearest; else 32-bit floats, exactly.

    Raises:
        ValueError: another shape, or values that half floats cannot hold.
    """
    if values.ndim != 3 or values.shape[0] not in _FORMATS:
        raise ValueError(f"an EXR takes (1, H, W) or (3, H, W), got {values.shape}")
    samples = values.astype(np.float32)
    if half:
        if np.nanmax(np.abs(samples), initial=0) > _HALF_LARGEST:
            raise ValueError(f"half floats hold values up to {_HALF_LARGEST}")
        samples = samples.astype(np.float16).astype(np.float32)  # to the nearest: the encoder cuts the bits off
    channels, height, width = samples.shape
    context = CodecContext.create("exr", "w")
    context.width, context.height, context.pix_fmt = width, height, _FORMATS[channels]
    context.time_base = Fraction(1, 25)  # a file has no time
    context.options = {"compression": "zip16", "format": "half" if half else "float"}
    frame = VideoFrame(width, height, _FORMATS[channels])
    for plane, target in zip(samples, GBR_PLANES if channels == 3 else (0,), strict=False):
        plane_of(frame, target, np.float32)[:] = plane
    frame.pts, frame.time_base = 0, context.time_base
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def read_exr(path: Path, *, allow_huge: bool = False) -> npt.NDArray[np.float32]:
    """The samples of an EXR file as they are: (1, H, W) of a grey one, else (3, H, W) RGB; alpha is left out.

    Raises:
        MediaError: it cannot be read, or is larger than `vedit.media.reading.limits` allows.
    """
    context = CodecContext.create("exr", "r")
    context.thread_type, context.thread_count = "SLICE", 1
    if not allow_huge:
        context.options = {"max_pixels": str(MAX_PIXELS)}  # the header is believed before anything is decoded
    try:
        frames = [frame for packet in (Packet(path.read_bytes()), None) for frame in context.decode(packet)]
    except (FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise MediaError(f"{path} cannot be read as an EXR picture ({reason})", remedy="export it again") from error
    if not frames:
        raise MediaError(f"{path} holds no picture", remedy="export it again")
    frame = frames[0]
    check_size(frame.width, frame.height, path, allow_huge=allow_huge)
    name = frame.format.name
    half = name.endswith("f16le")
    order = (0,) if name.startswith("gray") else GBR_PLANES[:3]
    planes = [
        plane_of(frame, index, np.float16).astype(np.float32) if half else plane_of(frame, index, np.float32)
        for index in order
    ]
    return np.stack(planes)
