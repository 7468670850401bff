"""Frames of a matrix that swscale lacks <-> planes of RGB, computed here; only chroma is resampled by swscale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from vedit.media.color.planes import FLAGS, plane_of

if TYPE_CHECKING:
    from vedit.media.color.matrices import Matrix, Planes
    from vedit.types import IntFrames

ROWS = 128
"""Rows that are converted at a time, so that floats of a whole picture are never held."""

_FULL_CHROMA = re.compile(r"yuvj?a?444p(\d+le)?$")


class ToRgbByMatrix:
    """Decoded frames -> planes of integers, (3 or 4, H, W), in coded orientation.

    Args:
        matrix: of the samples.
        full: code 0 to full scale rather than 16 to 235.
        bit_depth: of the result.
        alpha: keep a fourth channel.
    """

    def __init__(self, matrix: Matrix, *, full: bool, bit_depth: int, alpha: bool) -> None:
        self._matrix = matrix
        self._full = full
        self._depth = bit_depth
        self._alpha = alpha
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> tuple[IntFrames, ...]:
        """Red, green, blue (and alpha), each (H, W)."""
        bits = max(component.bits for component in frame.format.components)
        whole, spare = self._whole_chroma(frame, bits)
        full = self._full or frame.format.name.startswith("yuvj")
        high = (1 << self._depth) - 1
        found = np.empty((3, frame.height, frame.width), np.uint8 if self._depth == 8 else np.uint16)
        for top in range(0, frame.height, ROWS):
            codes = np.stack([plane[top : top + ROWS] for plane in whole]).astype(np.float64) / (1 << spare)
            rgb = self._matrix.to_rgb(signal(codes, bits, full=full))
            found[:, top : top + ROWS] = np.rint(np.clip(np.nan_to_num(rgb), 0, 1) * high)
        planes: list[npt.NDArray[np.unsignedinteger]] = list(found)
        if self._alpha:
            opacity = plane_of(frame, 3, np.uint8) if bits == 8 else plane_of(frame, 3, np.uint16)
            planes.append(np.rint(opacity * (high / ((1 << bits) - 1))).astype(found.dtype))
        return cast("tuple[IntFrames, ...]", tuple(planes))

    def _whole_chroma(self, frame: VideoFrame, bits: int) -> tuple[list[npt.NDArray[np.unsignedinteger]], int]:
        """Luma and chroma of every pixel, and by how many bits the code values are shifted up."""
        if _FULL_CHROMA.match(frame.format.name):
            if bits == 8:
                return [plane_of(frame, index, np.uint8) for index in range(3)], 0
            return [plane_of(frame, index, np.uint16) for index in range(3)], 0
        # With one matrix and range on both sides nothing but the size of chroma changes.
        told = ColorRange.JPEG if self._full or frame.format.name.startswith("yuvj") else ColorRange.MPEG
        wide = self._scaler.reformat(
            frame,
            format="yuv444p16le",
            interpolation=FLAGS,
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=told,
            dst_color_range=told,
        )
        return [plane_of(wide, index, np.uint16) for index in range(3)], 16 - bits


def samples_of(picture: IntFrames, matrix: Matrix, *, depth: int, full: bool, bits: int) -> VideoFrame:
    """A frame of whole chroma with the samples of a picture.

    Args:
        picture: (H, W, 3 or 4) of `depth` bits.
        matrix: of the samples.
        depth: of the picture.
        full: write code 0 to full scale.
        bits: of the samples.
    """
    height, width, channels = picture.shape
    kind = "yuva444p" if channels == 4 else "yuv444p"
    frame = VideoFrame(width, height, kind if bits == 8 else f"{kind}{bits}le")
    high = (1 << depth) - 1
    planes = [plane_of(frame, n, np.uint8) if bits == 8 else plane_of(frame, n, np.uint16) for n in range(channels)]
    for top in range(0, height, ROWS):
        rows = picture[top : top + ROWS].transpose(2, 0, 1).astype(np.float64) / high
        coded = codes_of(matrix.from_rgb(rows[:3]), bits, full=full)
        for plane, values in zip(planes, coded, strict=False):
            plane[top : top + ROWS] = values
        if channels == 4:
            planes[3][top : top + ROWS] = np.rint(rows[3] * ((1 << bits) - 1))
    return frame


def signal(codes: Planes, bits: int, *, full: bool) -> Planes:
    """Luma in [0, 1] and chroma in [-0.5, 0.5] of code values: H.273, equations 20 to 28, inverted."""
    unit = 1 << (bits - 8)
    offsets, scales = ((0, 128 * unit), ((1 << bits) - 1,) * 2) if full else ((16 * unit, 128 * unit), _narrow(unit))
    return np.stack([(codes[n] - offsets[n > 0]) / scales[n > 0] for n in range(3)])


def codes_of(values: Planes, bits: int, *, full: bool) -> npt.NDArray[np.uint16]:
    """Code values of luma and chroma, to the nearest: H.273, equations 20 to 28."""
    unit = 1 << (bits - 8)
    offsets, scales = ((0, 128 * unit), ((1 << bits) - 1,) * 2) if full else ((16 * unit, 128 * unit), _narrow(unit))
    codes = np.stack([values[n] * scales[n > 0] + offsets[n > 0] for n in range(3)])
    return np.rint(np.clip(np.nan_to_num(codes), 0, (1 << bits) - 1)).astype(np.uint16)


def _narrow(unit: int) -> tuple[int, int]:
    return 219 * unit, 224 * unit
