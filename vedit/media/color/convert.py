"""YUV <-> RGB with the matrix and range stated each time: swscale's own default is BT.601 whatever the tags say.

Chroma is resampled bicubically in both directions, with accurate rounding: of the pairs swscale offers it loses least
on a round trip at a bearable cost (YUV 4:2:0 -> RGB -> YUV on camera material: luma 83 dB, chroma 60 dB PSNR).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from vedit.media.color.exact import ToRgbByMatrix
from vedit.media.color.matrices import NAMES, own_matrix
from vedit.media.color.planes import FLAGS, Sample, plane_of
from vedit.types import ColorTags

if TYPE_CHECKING:
    from vedit.types import IntFrames, VideoMetadata

RGB_MATRIX, BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020_NCL = 0, 1, 2, 4, 5, 6, 7, 9
GBR_PLANES = (2, 0, 1, 3)
"""Where FFmpeg's planar RGB formats keep red, green, blue and alpha."""

SRGB_TRANSFER = 13
"""IEC 61966-2-1, by its H.273 code point."""

BT2020_PRIMARIES = 9

HD_LINES = 720
"""Untagged pictures of at least this many lines are BT.709, smaller ones BT.601: what players assume too."""

_SWSCALE = {
    BT709: Colorspace.ITU709,
    FCC: Colorspace.FCC,
    BT470BG: Colorspace.ITU601,
    SMPTE170M: Colorspace.ITU601,
    SMPTE240M: Colorspace.SMPTE240M,
    BT2020_NCL: Colorspace.BT2020,
}


def is_float(pixel_format: str) -> bool:
    """Whether the samples are floating point: linear light, of OpenEXR."""
    return "f16" in pixel_format or "f32" in pixel_format


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
    if tags.matrix in _SWSCALE or own_matrix(tags) is not None:
        return tags.matrix
    return BT709 if lines >= HD_LINES else SMPTE170M


def usual_matrix(tags: ColorTags, lines: int) -> int:
    """The matrix that goes with a picture where its own cannot be written: by its primaries, else by its height."""
    if tags.primaries == BT2020_PRIMARIES:
        return BT2020_NCL
    return BT709 if lines >= HD_LINES or tags.primaries == BT709 else SMPTE170M


def is_planar_rgb(pixel_format: str, tags: ColorTags) -> bool:
    """Whether samples called luma and chroma are green, blue and red by their tag, which takes whole chroma."""
    return tags.matrix == RGB_MATRIX and pixel_format.startswith(("yuv444p", "yuvj444p", "yuva444p"))


def unknown_matrix(metadata: VideoMetadata) -> str | None:
    """The name of a matrix that is not converted, for the user; None where the picture's own is."""
    tags, form = metadata.color, VideoFormat(metadata.pixel_format, 16, 16)
    told = tags.matrix != UNSPECIFIED and effective_matrix(tags, metadata.coded_height) != tags.matrix
    if not told or form.is_rgb or form.has_palette or len(form.components) < 3:
        return None
    if is_planar_rgb(metadata.pixel_format, tags):
        return None
    return f"{tags.matrix} ({NAMES.get(tags.matrix, 'not known')})"


def matrix_note(metadata: VideoMetadata) -> str | None:
    """What the user should know of the matrix of a picture; None where nothing is amiss."""
    name = unknown_matrix(metadata)
    if name is None:
        return None
    taken = {BT709: "BT.709", SMPTE170M: "BT.601"}[effective_matrix(metadata.color, metadata.coded_height)]
    return (
        f"{metadata.path.name}: its colours are tagged with matrix {name}, which is not converted: "
        f"they are read as {taken}"
    )


def tags_of(frame: VideoFrame) -> ColorTags:
    """The colour tags of a decoded frame; the `yuvj` formats say full range by their name."""
    full = {1: False, 2: True}.get(int(frame.color_range))
    if frame.format.name.startswith("yuvj"):
        full = True
    # Floating point is linear light in the file, and coded with the sRGB curve once it is read.
    return ColorTags(
        primaries=int(frame.color_primaries),
        transfer=SRGB_TRANSFER if is_float(frame.format.name) else int(frame.color_trc),
        matrix=int(frame.colorspace),
        full_range=full,
    )


def working_space(metadata: VideoMetadata) -> str:
    """What the code values of decoded frames mean, in words.

    They are the source's own, whatever its transfer: a PQ or HLG clip is not tone-mapped, and its tags say on the way
    back what they said on the way in. Only floating point has to be coded first.
    """
    if is_float(metadata.pixel_format):
        return "RGB, 16 bit on the sRGB curve; the file's linear light is clipped to 0..1"
    curve = {16: "PQ", 18: "HLG"}.get(metadata.color.transfer)
    told = f"{curve} code values as they are, not tone-mapped; tags kept" if curve else "the source's code values"
    return f"RGB, {metadata.bit_depth} bit, {told}"


def rgb_format(bit_depth: int, alpha: bool) -> str:
    """The RGB format that frames pass through at a depth: planar, as `Clip` is.

    swscale converts to and from planar RGB several times faster than packed, with the same values. The deep formats
    keep the depth exactly: code values are those of `bit_depth`, with no shift from 16 bits.
    """
    return f"gbr{'a' if alpha else ''}p{'' if bit_depth == 8 else f'{bit_depth}le'}"


class ToRgb:
    """Decoded frames of one clip -> planes of integers, (3 or 4, H, W), in coded orientation.

    Samples of floating point (EXR) are linear light; they come out coded with the curve of IEC 61966-2-1 (sRGB), as
    models and other clips are, with what is below 0 or above 1 clipped.

    Args:
        tags: the clip's colour tags.
        lines: coded height in pixels; decides the matrix where the tags do not.
        bit_depth: 8 (uint8 out), or 10 to 16 (uint16 out).
        alpha: keep a fourth channel.
    """

    def __init__(self, tags: ColorTags, lines: int, bit_depth: int, alpha: bool) -> None:
        self._depth = bit_depth
        self._alpha = alpha
        matrix = effective_matrix(tags, lines)
        self._matrix = _SWSCALE.get(matrix, Colorspace.ITU709)
        self._tags = tags
        self._full = bool(tags.full_range)
        self._scaler = VideoReformatter()
        own = own_matrix(tags) if matrix not in _SWSCALE else None
        self._own = None
        if own is not None:
            self._own = ToRgbByMatrix(own, full=self._full, bit_depth=bit_depth, alpha=alpha)

    def __call__(self, frame: VideoFrame) -> tuple[IntFrames, ...]:
        """Red, green, blue (and alpha), each (H, W). They are views of one frame's memory where that is possible."""
        name = frame.format.name
        if self._own is not None and not is_rgb(name) and len(frame.format.components) > 2:
            return self._own(frame)
        if is_planar_rgb(name, self._tags):
            return self._planar(frame)
        if is_float(name):
            linear = self._light(frame)
            return tuple(_srgb(plane) if channel < 3 else _codes(plane) for channel, plane in enumerate(linear))
        rgb = self._converted(frame, rgb_format(self._depth, self._alpha))
        if self._depth == 8:
            return tuple(self._planes(rgb, np.uint8))
        return tuple(self._planes(rgb, np.uint16))

    def _planar(self, frame: VideoFrame) -> tuple[IntFrames, ...]:
        """Green, blue and red in the planes of luma and chroma: H.273, equations 29 to 31 and 20 to 22."""
        bits = max(component.bits for component in frame.format.components)
        order = GBR_PLANES[: 4 if self._alpha else 3]
        full = self._full or frame.format.name.startswith("yuvj")
        high, top, unit = (1 << self._depth) - 1, (1 << bits) - 1, 1 << (bits - 8)
        codes = np.arange(1 << bits)
        whole = codes / top
        table = [whole if full else (codes - 16 * unit) / (219 * unit), whole]
        dtype = np.uint8 if self._depth == 8 else np.uint16
        of_color, of_alpha = (np.rint(np.clip(values, 0, 1) * high).astype(dtype) for values in table)
        planes = (plane_of(frame, n, np.uint8) if bits == 8 else plane_of(frame, n, np.uint16) for n in order)
        return tuple(cast("IntFrames", (of_alpha if n == 3 else of_color)[plane]) for n, plane in enumerate(planes))

    def _converted(self, frame: VideoFrame, target: str) -> VideoFrame:
        if frame.format.name == target:
            return frame
        full = self._full or is_rgb(frame.format.name) or frame.format.name.startswith("yuvj")
        return self._scaler.reformat(
            frame,
            format=target,
            interpolation=FLAGS,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )

    def _light(self, frame: VideoFrame) -> list[npt.NDArray[np.float32]]:
        if frame.format.name in ("gbrpf16le", "gbrapf16le"):
            # swscale takes half floats through integers, which loses the dark ones.
            return [plane.view(np.float16).astype(np.float32) for plane in self._planes(frame, np.uint16)]
        return self._planes(self._converted(frame, f"gbr{'a' if self._alpha else ''}pf32le"), np.float32)

    def _planes(self, frame: VideoFrame, dtype: type[Sample]) -> list[npt.NDArray[Sample]]:
        return [plane_of(frame, index, dtype) for index in GBR_PLANES[: 4 if self._alpha else 3]]


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
        self._matrix = _SWSCALE.get(matrix, Colorspace.ITU709)  # of no account where RGB is written
        self._range = ColorRange.JPEG if full_range else ColorRange.MPEG
        self._depth = bit_depth
        self._scaler = VideoReformatter()

    def __call__(self, picture: IntFrames) -> VideoFrame:
        """Fastest where `picture` is a view of planes, as `Clip.frames[n].transpose(1, 2, 0)` is."""
        height, width, channels = picture.shape
        source = VideoFrame(width, height, rgb_format(self._depth, channels == 4))
        for channel, index in enumerate(GBR_PLANES[:channels]):
            if self._depth == 8:
                plane_of(source, index, np.uint8)[:] = picture[..., channel]
            else:
                plane_of(source, index, np.uint16)[:] = picture[..., channel]
        return self._scaler.reformat(
            source,
            format=self._format,
            interpolation=FLAGS,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._range,
        )


def _srgb(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Linear light -> 16-bit codes by the curve of IEC 61966-2-1, section 5.2; nan is black."""
    light = np.clip(np.nan_to_num(linear), 0, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return _codes(coded)


def _codes(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    return np.rint(np.clip(np.nan_to_num(values), 0, 1) * 65535).astype(np.uint16)
