"""YUV <-> RGB with the matrix and range stated each time: swscale's own default is BT.601 whatever the tags say.

Chroma is resampled bicubically in both directions, with accurate rounding: of the pairs swscale offers it loses least
on a round trip at a bearable cost (YUV 4:2:0 -> RGB -> YUV on camera material: luma 83 dB, chroma 60 dB PSNR).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from vedit.types import ColorTags

if TYPE_CHECKING:
    from vedit.types import IntFrames

FLAGS = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)

RGB_MATRIX, BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020_NCL, BT2020_CL = 0, 1, 2, 4, 5, 6, 7, 9, 10
HD_LINES = 720
"""Untagged pictures of at least this many lines are BT.709, smaller ones BT.601: what players assume too."""

_SWSCALE = {
    BT709: Colorspace.ITU709,
    FCC: Colorspace.FCC,
    BT470BG: Colorspace.ITU601,
    SMPTE170M: Colorspace.ITU601,
    SMPTE240M: Colorspace.SMPTE240M,
    BT2020_NCL: Colorspace.BT2020,
    BT2020_CL: Colorspace.BT2020,
}


def is_rgb(pixel_format: str) -> bool:
    """Whether the samples are red, green and blue (or a palette of them) rather than luma and chroma."""
    form = VideoFormat(pixel_format, 16, 16)
    return form.is_rgb or form.has_palette


def has_alpha(pixel_format: str) -> bool:
    """Whether the pixel format carries transparency."""
    form = VideoFormat(pixel_format, 16, 16)
    return form.has_palette or any(component.is_alpha for component in form.components)


def working_depth(pixel_format: str) -> int:
    """The depth of decoded frames: 8, or the next of 10, 12, 14, 16 bits that holds the format's samples."""
    form = VideoFormat(pixel_format, 16, 16)
    bits = max(component.bits for component in form.components)
    return next(depth for depth in (8, 10, 12, 14, 16) if bits <= depth or depth == 16)


def effective_matrix(tags: ColorTags, lines: int) -> int:
    """The H.273 matrix to convert with: the tag where it names one that is known, else by the picture's height."""
    if tags.matrix in _SWSCALE:
        return tags.matrix
    return BT709 if lines >= HD_LINES else SMPTE170M


def tags_of(frame: VideoFrame) -> ColorTags:
    """The colour tags of a decoded frame; the `yuvj` formats say full range by their name."""
    full = {1: False, 2: True}.get(int(frame.color_range))
    if frame.format.name.startswith("yuvj"):
        full = True
    return ColorTags(
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=int(frame.colorspace),
        full_range=full,
    )


def rgb_format(bit_depth: int, alpha: bool) -> str:
    """The RGB format that frames pass through at a depth: packed for 8 bits, planar at the depth itself above.

    The planar formats keep the depth exactly: code values are those of `bit_depth`, with no shift from 16 bits.
    """
    if bit_depth == 8:
        return "rgba" if alpha else "rgb24"
    return f"gbr{'a' if alpha else ''}p{bit_depth}le"


class ToRgb:
    """Decoded frames of one clip -> (H, W, 3 or 4) integers, in coded orientation.

    Args:
        tags: the clip's colour tags.
        lines: coded height in pixels; decides the matrix where the tags do not.
        bit_depth: 8 (uint8 out), or 10 to 16 (uint16 out).
        alpha: keep a fourth channel.
    """

    def __init__(self, tags: ColorTags, lines: int, bit_depth: int, alpha: bool) -> None:
        self._format = rgb_format(bit_depth, alpha)
        self._matrix = _SWSCALE[effective_matrix(tags, lines)]
        self._full = bool(tags.full_range)
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> IntFrames:
        full = self._full or is_rgb(frame.format.name) or frame.format.name.startswith("yuvj")
        rgb = self._scaler.reformat(
            frame,
            format=self._format,
            interpolation=FLAGS,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
        return cast("IntFrames", rgb.to_ndarray())


class FromRgb:
    """(H, W, 3 or 4) integers -> frames of `pixel_format`, with the matrix and range stated.

    Args:
        pixel_format: of the encoder.
        matrix: H.273 matrix to convert with.
        full_range: code 0 to full scale rather than 16 to 235.
        bit_depth: of the RGB input.
    """

    def __init__(self, pixel_format: str, *, matrix: int, full_range: bool, bit_depth: int) -> None:
        self._format = pixel_format
        self._matrix = _SWSCALE[matrix]
        self._range = ColorRange.JPEG if full_range else ColorRange.MPEG
        self._depth = bit_depth
        self._scaler = VideoReformatter()

    def __call__(self, picture: IntFrames) -> VideoFrame:
        source = VideoFrame.from_ndarray(picture, format=rgb_format(self._depth, picture.shape[-1] == 4))
        return self._scaler.reformat(
            source,
            format=self._format,
            interpolation=FLAGS,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._range,
        )
