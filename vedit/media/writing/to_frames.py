"""RGB frames of the source's depth -> frames as an encoder takes them, padding included."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from vedit.media.color.convert import GBR_PLANES, FromRgb, rgb_format
from vedit.media.color.exact import samples_of
from vedit.media.color.planes import plane_of
from vedit.media.writing.codecs import layout

if TYPE_CHECKING:
    from vedit.media.color.matrices import Matrix
    from vedit.media.writing.encode import Encoding
    from vedit.types import IntFrames


class Converter:
    """One planned output's frames.

    RGB formats get the code values themselves: unchanged at the same depth, else scaled so that full scale stays full
    scale (PNG holds 8 or 16 bits), which is exact on the way back. EXR gets linear light by the curve of IEC 61966-2-1
    (sRGB), as it is read.

    Args:
        encoding: of the output.
        bit_depth: of the frames.
    """

    def __init__(self, encoding: Encoding, bit_depth: int) -> None:
        self._encoding = encoding
        self._from = bit_depth
        self._to = encoding.bit_depth if encoding.rgb and encoding.name != "exr" else bit_depth
        form = "rgb24" if encoding.name == "gif" else encoding.pixel_format
        self._convert = _to_samples(encoding, form, self._to)
        self._chroma = None
        by_swscale = not encoding.rgb and encoding.own_matrix is None and form.startswith("yuv")
        if by_swscale and encoding.full_range and encoding.bit_depth in WIDER:
            self._chroma = _FullRangeChroma(encoding, self._to)

    def __call__(self, picture: npt.NDArray[np.unsignedinteger]) -> VideoFrame:
        """One picture, (3 or 4, H, W)."""
        encoding = self._encoding
        if not encoding.alpha:
            picture = picture[:3]
        elif len(picture) == 3:
            opaque = np.full_like(picture[:1], (1 << self._from) - 1)
            picture = np.concatenate([picture, opaque])
        below, beside = encoding.height - picture.shape[1], encoding.width - picture.shape[2]
        if below or beside:
            picture = np.pad(picture, ((0, 0), (0, below), (0, beside)), mode="edge")
        if encoding.name == "exr":
            return self._linear(picture)
        if self._from != self._to:
            picture = scaled(picture, self._from, self._to)
        image = cast("IntFrames", picture.transpose(1, 2, 0))
        frame = self._convert(image)
        if self._chroma is not None:
            self._chroma(image, frame)
        return frame

    def _linear(self, picture: npt.NDArray[np.unsignedinteger]) -> VideoFrame:
        frame = VideoFrame(picture.shape[2], picture.shape[1], self._encoding.pixel_format)
        codes = picture.astype(np.float32) / ((1 << self._from) - 1)
        for channel, index in enumerate(GBR_PLANES[: len(picture)]):
            value = codes[channel]
            # IEC 61966-2-1, section 5.2; transparency is no light.
            light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
            samples = light if channel < 3 else value
            if self._encoding.bit_depth == 16:
                samples = samples.astype(np.float16)  # to the nearest: the encoder cuts the bits off
            plane_of(frame, index, np.float32)[:] = samples
        return frame


SITED_LEFT = ("h264", "hevc")
"""Codecs whose chroma lies at the left sample where the stream does not say (ITU-T H.264 and H.265, annex E.2.1)."""

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}


def _to_samples(encoding: Encoding, form: str, bit_depth: int) -> Callable[[IntFrames], VideoFrame]:
    """The conversion of (H, W, 3 or 4) pictures to a format, with chroma where the codec's readers take it to be."""
    own = encoding.own_matrix
    if own is not None:
        return _ByMatrix(own, encoding, form, bit_depth)
    if encoding.name in SITED_LEFT and layout(form).chroma in ("420", "422") and encoding.matrix in _MATRICES:
        return _SitedLeft(encoding, form, bit_depth)
    return FromRgb(form, matrix=encoding.matrix, full_range=encoding.full_range, bit_depth=bit_depth)


class _SitedLeft:
    """Subsampled chroma at the left sample.

    A frame cannot be told where its chroma lies, and without being told swscale puts it in the middle: what is read
    from the left and written to the middle drifts by a quarter of a sample in every generation. The scale filter is
    the same converter, and can be told.
    """

    def __init__(self, encoding: Encoding, form: str, bit_depth: int) -> None:
        self._source = rgb_format(bit_depth, False)
        self._wide = bit_depth > 8
        ranges = f"in_range=full:out_range={'full' if encoding.full_range else 'limited'}"
        self._scale = _LeftScale(
            encoding, self._source, form, f"{ranges}:out_color_matrix={_MATRICES[encoding.matrix]}"
        )

    def __call__(self, picture: IntFrames) -> VideoFrame:
        source = VideoFrame(picture.shape[1], picture.shape[0], self._source)
        for channel, index in enumerate(GBR_PLANES[:3]):
            plane = plane_of(source, index, np.uint16) if self._wide else plane_of(source, index, np.uint8)
            plane[:] = picture[..., channel]
        return self._scale(source)


class _LeftScale:
    """A scale filter whose subsampled chroma lies at the left sample."""

    def __init__(self, encoding: Encoding, source: str, form: str, colours: str) -> None:
        self._graph = Graph()
        buffer = self._graph.add_buffer(
            width=encoding.width, height=encoding.height, format=VideoFormat(source), time_base=Fraction(1, 25)
        )
        scale = self._graph.add(
            "scale",
            f"flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:{colours}:out_chroma_loc=left",
        )
        target = self._graph.add("format", f"pix_fmts={form}")
        sink = self._graph.add("buffersink")
        buffer.link_to(scale)
        scale.link_to(target)
        target.link_to(sink)
        self._graph.configure()
        self._count = 0

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        frame.pts = self._count
        self._count += 1
        self._graph.vpush(frame)
        return self._graph.vpull()


class _ByMatrix:
    """Samples of a matrix that swscale lacks; it only makes their chroma smaller."""

    def __init__(self, matrix: Matrix, encoding: Encoding, form: str, bit_depth: int) -> None:
        self._matrix = matrix
        self._encoding = encoding
        self._form = form
        self._depth = bit_depth
        self._scale: Callable[[VideoFrame], VideoFrame] | None = None

    def __call__(self, picture: IntFrames) -> VideoFrame:
        encoding, bits = self._encoding, layout(self._form).depth
        frame = samples_of(picture, self._matrix, depth=self._depth, full=encoding.full_range, bits=bits)
        if frame.format.name == self._form:
            return frame
        if self._scale is None:
            told = "full" if encoding.full_range else "limited"
            self._scale = _LeftScale(encoding, frame.format.name, self._form, f"in_range={told}:out_range={told}")
        return self._scale(frame)


WIDER = {8: 10, 10: 12, 12: 16}
"""Depths at which chroma is converted before it is rounded."""


class _FullRangeChroma:
    """Chroma of full range, rounded to the nearest.

    swscale rounds it down, which shifts red and blue of the result by half a code value. It is converted again with
    more bits, where the same costs a quarter of a code value or less and is put right by the table that rounds.
    """

    def __init__(self, encoding: Encoding, bit_depth: int) -> None:
        self._depth = encoding.bit_depth
        wide = WIDER[self._depth]
        form = encoding.pixel_format.split("p", 1)[0]
        self._convert = _to_samples(encoding, f"{form}p{wide}le", bit_depth)
        codes = np.arange(1 << wide) + 0.5 - (1 << (wide - 1))
        high = (1 << self._depth) - 1
        exact = codes * high / ((1 << wide) - 1) + (1 << (self._depth - 1))
        self._table = np.clip(np.rint(exact), 0, high).astype(np.uint8 if self._depth == 8 else np.uint16)

    def __call__(self, picture: IntFrames, frame: VideoFrame) -> None:
        """Write the chroma of `picture` into `frame`."""
        wide = self._convert(picture)
        for index in (1, 2):
            target = plane_of(frame, index, np.uint8) if self._depth == 8 else plane_of(frame, index, np.uint16)
            target[:] = self._table[plane_of(wide, index, np.uint16)]


def scaled(picture: npt.NDArray[np.unsignedinteger], source: int, target: int) -> npt.NDArray[np.unsignedinteger]:
    """Code values of `source` bits as those of `target` bits, full scale to full scale, to the nearest."""
    high, full = (1 << target) - 1, (1 << source) - 1
    wide = (picture.astype(np.uint32) * high + full // 2) // full
    return wide.astype(np.uint8 if target == 8 else np.uint16)
