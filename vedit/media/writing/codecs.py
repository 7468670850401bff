"""The codecs that are written, as data: encoders, pixel formats, containers and options of each preset.

Which of the encoders there are is a matter of the installed PyAV and of the machine, and is asked when an output is
planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import av
from av.codec.codec import Codec as AvCodec
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat

from vedit.errors import InputError
from vedit.media.output import CodecName, PresetName

Options = Mapping[str, str]
Presets = Mapping[PresetName, Options]
HdrKeys = Literal["x264-params", "x265-params", "svtav1-params"]

YUV8 = ("yuv420p", "yuv422p", "yuv444p")
YUV10 = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
YUV12 = ("yuv420p12le", "yuv422p12le", "yuv444p12le")


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder of a codec."""

    name: str
    """FFmpeg's name."""
    formats: tuple[str, ...]
    """Pixel formats that are written with it, least first."""
    presets: Presets
    common: Options = field(default_factory=dict[str, str])
    """Options of every preset."""
    profiles: Mapping[str, Mapping[PresetName, str]] = field(default_factory=dict[str, Mapping[PresetName, str]])
    """The `profile` option, by pixel format."""
    odd: bool = False
    """Subsampled formats may have odd sides."""
    hdr: HdrKeys | None = None
    """The option that takes mastering display and content light level; None where they cannot be written."""

    def options(self, preset: PresetName, pixel_format: str) -> dict[str, str]:
        """All options; those whose values are lists (`x265-params`) are joined."""
        merged = dict(self.common)
        for key, value in self.presets[preset].items():
            merged[key] = f"{merged[key]}:{value}" if key.endswith("-params") and key in merged else value
        if pixel_format in self.profiles:
            merged["profile"] = self.profiles[pixel_format][preset]
        return merged


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec that can be asked for."""

    name: CodecName
    encoders: tuple[Encoder, ...]
    """The first that is there is used."""
    muxers: tuple[str, ...]
    """Containers that hold it, best first, by FFmpeg's names."""
    hardware: tuple[Encoder, ...] = ()
    tag: Mapping[str, str] = field(default_factory=dict[str, str])
    """The code by which players know it, by muxer, where FFmpeg's default is another."""
    alpha_muxers: tuple[str, ...] | None = None
    """Containers that keep its transparency; None is all of them."""
    smallest: tuple[int, int] = (1, 1)
    """Width and height below which there is no encoding."""


def _all(options: Options) -> dict[PresetName, Options]:
    return {"web": options, "edit": options, "archive": options}


# No B-frames anywhere: then each packet is one frame in order, decode times equal presentation times, and neither an
# edit list nor a shifted start is needed to keep timestamps exact in any container. It costs size and nothing else.
_X264 = Encoder(
    name="libx264",
    formats=YUV8 + YUV10,
    common={"bf": "0"},
    presets={
        "web": {"crf": "20", "preset": "medium"},
        "edit": {"crf": "14", "preset": "fast"},
        "archive": {"qp": "0", "preset": "fast"},
    },
    hdr="x264-params",
)
_X265 = Encoder(
    name="libx265",
    formats=YUV8 + YUV10 + YUV12,
    common={"bf": "0", "x265-params": "log-level=error:bframes=0"},
    presets={
        "web": {"crf": "23", "preset": "medium"},
        "edit": {"crf": "14", "preset": "fast"},
        "archive": {"x265-params": "lossless=1", "preset": "fast"},
    },
    hdr="x265-params",
)
_SVT = Encoder(
    name="libsvtav1",
    formats=("yuv420p", "yuv420p10le"),
    presets={
        "web": {"crf": "30", "preset": "8"},
        "edit": {"crf": "15", "preset": "8"},
        "archive": {"crf": "4", "preset": "6"},
    },
    hdr="svtav1-params",
)
_AOM = Encoder(
    name="libaom-av1",
    odd=True,
    formats=YUV8 + YUV10 + YUV12,
    common={"cpu-used": "6", "row-mt": "1", "b": "0"},
    presets={"web": {"crf": "30"}, "edit": {"crf": "12"}, "archive": {"aom-params": "lossless=1"}},
)
_VPX = Encoder(
    name="libvpx-vp9",
    odd=True,
    formats=(*YUV8, "yuva420p", *YUV10, *YUV12),
    common={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    presets={"web": {"crf": "28"}, "edit": {"crf": "12"}, "archive": {"lossless": "1"}},
)
_PRORES = Encoder(
    name="prores_ks",
    formats=("yuv422p10le", "yuv444p10le", "yuva444p10le"),
    common={"vendor": "apl0"},
    presets={"web": {}, "edit": {}, "archive": {}},
    profiles={
        "yuv422p10le": {"web": "lt", "edit": "hq", "archive": "hq"},
        "yuv444p10le": {"web": "4444", "edit": "4444", "archive": "4444xq"},
        "yuva444p10le": {"web": "4444", "edit": "4444", "archive": "4444xq"},
    },
)
_DNXHR = Encoder(
    name="dnxhd",
    formats=("yuv422p", "yuv422p10le", "yuv444p10le"),
    presets=_all({}),
    profiles={
        "yuv422p": {"web": "dnxhr_sq", "edit": "dnxhr_hq", "archive": "dnxhr_hq"},
        "yuv422p10le": {"web": "dnxhr_hqx", "edit": "dnxhr_hqx", "archive": "dnxhr_hqx"},
        "yuv444p10le": {"web": "dnxhr_444", "edit": "dnxhr_444", "archive": "dnxhr_444"},
    },
)
_FFV1 = Encoder(
    name="ffv1",
    # RGB, because the frames are: nothing is rounded on the way in or out.
    formats=("bgr0", "bgra", *(f"gbr{a}p{depth}le" for depth in (10, 12, 14, 16) for a in ("", "a"))),
    presets=_all({"level": "3", "slicecrc": "1", "g": "1", "slices": "12"}),
)
_PNG = Encoder(
    name="png",
    formats=("rgb24", "rgba", "rgb48be", "rgba64be"),
    presets={
        "web": {"compression_level": "9", "pred": "mixed"},
        "edit": {"compression_level": "3", "pred": "sub"},
        "archive": {"compression_level": "6", "pred": "mixed"},
    },
)
PILLOW_JPEG = "libjpeg"
"""The encoder that Pillow brings, in place of FFmpeg's `mjpeg`, whose best is quality 93 of a hundred."""

_JPEG = Encoder(
    name=PILLOW_JPEG,
    formats=("rgb24",),
    presets={"web": {"quality": "85"}, "edit": {"quality": "97"}, "archive": {"quality": "100"}},
)
_TIFF = Encoder(
    name="tiff", formats=("rgb24", "rgba", "rgb48le", "rgba64le"), presets=_all({"compression_algo": "deflate"})
)
_EXR = Encoder(name="exr", formats=("gbrpf32le", "gbrapf32le"), presets=_all({"compression": "zip16"}))
_GIF = Encoder(name="gif", formats=("pal8",), presets=_all({}))

_NVENC: Presets = {
    "web": {"preset": "p5", "rc": "vbr", "cq": "24", "b": "0"},
    "edit": {"preset": "p5", "rc": "vbr", "cq": "14", "b": "0"},
    "archive": {"preset": "p7", "tune": "lossless"},
}
_QUALITY: Presets = {
    "web": {"global_quality": "24"},
    "edit": {"global_quality": "14"},
    "archive": {"global_quality": "1"},
}
_AMF: Presets = {
    "web": {"rc": "cqp", "qp_i": "22", "qp_p": "24"},
    "edit": {"rc": "cqp", "qp_i": "14", "qp_p": "15"},
    "archive": {"rc": "cqp", "qp_i": "1", "qp_p": "1"},
}
_NO_B = {"bf": "0"}


def _hardware(codec: str, deep: bool) -> tuple[Encoder, ...]:
    ten = ("p010le",) if deep else ()
    return (
        Encoder(name=f"{codec}_nvenc", formats=("yuv420p", "yuv444p", *ten), presets=_NVENC, common=_NO_B),
        Encoder(name=f"{codec}_qsv", formats=("nv12", *ten), presets=_QUALITY, common=_NO_B),
        Encoder(name=f"{codec}_amf", formats=("nv12", *ten), presets=_AMF, common=_NO_B),
        Encoder(name=f"{codec}_videotoolbox", formats=("yuv420p", "nv12", *ten), presets=_QUALITY, common=_NO_B),
    )


_MP4 = ("mp4", "mov", "matroska")

CODECS: Mapping[CodecName, Codec] = {
    codec.name: codec
    for codec in (
        Codec(name="h264", encoders=(_X264,), hardware=_hardware("h264", False), muxers=_MP4),
        Codec(
            name="hevc",
            encoders=(_X265,),
            hardware=_hardware("hevc", True),
            muxers=_MP4,
            tag={"mp4": "hvc1", "mov": "hvc1"},
        ),
        Codec(
            name="av1",
            encoders=(_SVT, _AOM),
            hardware=_hardware("av1", True),
            muxers=("mp4", "matroska", "webm"),
            smallest=(64, 64),
        ),
        Codec(name="vp9", encoders=(_VPX,), muxers=("webm", "matroska", "mp4"), alpha_muxers=("webm", "matroska")),
        Codec(name="prores", encoders=(_PRORES,), muxers=("mov", "matroska")),
        Codec(name="dnxhr", encoders=(_DNXHR,), muxers=("mov", "mxf"), smallest=(256, 120)),
        Codec(name="ffv1", encoders=(_FFV1,), muxers=("matroska",)),
        Codec(name="png", encoders=(_PNG,), muxers=("image2", "mov")),
        Codec(name="jpeg", encoders=(_JPEG,), muxers=("image2",)),
        Codec(name="tiff", encoders=(_TIFF,), muxers=("image2",)),
        Codec(name="exr", encoders=(_EXR,), muxers=("image2",)),
        Codec(name="gif", encoders=(_GIF,), muxers=("gif",)),
    )
}


@lru_cache(maxsize=64)
def encoder_formats(name: str) -> tuple[str, ...] | None:
    """The pixel formats that an encoder takes; empty where it does not say, None where there is no such encoder."""
    if name == PILLOW_JPEG:
        return _JPEG.formats
    try:
        codec = AvCodec(name, "w")
    except (UnknownCodecError, ValueError):
        return None
    return tuple(form.name for form in codec.video_formats or ())


def available() -> tuple[CodecName, ...]:
    """The codecs for which the installed PyAV has an encoder."""
    return tuple(
        name for name, codec in CODECS.items() if any(encoder_formats(e.name) is not None for e in codec.encoders)
    )


def find_encoder(codec: Codec, *, hardware: bool) -> Encoder:
    """The encoder to use.

    Args:
        codec: what is to be written.
        hardware: use the machine's own encoder rather than a library.

    Raises:
        InputError: the installed PyAV has none, or the machine opens none; the message says what was tried.
    """
    if not hardware:
        for encoder in codec.encoders:
            if encoder_formats(encoder.name) is not None:
                return encoder
        names = " or ".join(encoder.name for encoder in codec.encoders)
        raise InputError(
            f"the installed PyAV {av.__version__} has no encoder for {codec.name} ({names})",
            remedy=f"use --codec with one of {', '.join(available())}",
        )
    for encoder in codec.hardware:
        if opens(encoder):
            return encoder
    tried = ", ".join(
        encoder.name if encoder_formats(encoder.name) is not None else f"{encoder.name} (not in this PyAV)"
        for encoder in codec.hardware
    )
    raise InputError(
        f"no hardware encoder for {codec.name} opens on this machine (tried {tried or 'none, there is none'})",
        remedy="leave out --hardware",
    )


def opens(encoder: Encoder) -> bool:
    """Whether an encoder opens for a small picture: hardware encoders are listed whether there is hardware or not."""
    known = encoder_formats(encoder.name)
    if known is None:
        return False
    context = CodecContext.create(encoder.name, "w")
    if not isinstance(context, VideoCodecContext):
        return False
    context.width = context.height = 256
    context.framerate = Fraction(25)
    context.pix_fmt = next((form for form in encoder.formats if not known or form in known), encoder.formats[0])
    context.options = encoder.options("edit", context.pix_fmt)
    try:
        context.open()
    except (FFmpegError, OSError, ValueError):
        return False
    return True


CHROMA = {"420": 0, "422": 1, "444": 2, "rgb": 3}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a pixel format holds."""

    chroma: Literal["420", "422", "444", "rgb"]
    depth: int
    """Bits of each component; 32 for floats."""
    alpha: bool


@lru_cache(maxsize=256)
def layout(pixel_format: str) -> Layout:
    """What a pixel format of this module, or of a decoded frame, holds; grey counts as 4:2:0 and a palette as RGB."""
    form = VideoFormat(pixel_format, 64, 64)
    alpha = any(component.is_alpha for component in form.components)
    depth = max(component.bits for component in form.components)
    if form.is_rgb or form.has_palette:
        return Layout(chroma="rgb", depth=depth, alpha=alpha or form.has_palette)
    if sum(not component.is_alpha for component in form.components) < 3:
        return Layout(chroma="420", depth=depth, alpha=alpha)
    across, down = 64 // form.chroma_width(64), 64 // form.chroma_height(64)
    if across > 1:
        return Layout(chroma="420" if down > 1 else "422", depth=depth, alpha=alpha)
    return Layout(chroma="444", depth=depth, alpha=alpha)


def pick_format(encoder: Encoder, *, chroma: str, depth: int, alpha: bool) -> str:
    """The encoder's pixel format that loses least of the wanted chroma, then depth, and wastes least.

    Args:
        encoder: with its formats.
        chroma: "420", "422", "444" or "rgb".
        depth: bits wanted.
        alpha: transparency is needed; `holds_alpha` says whether there is such a format.
    """
    known = encoder_formats(encoder.name)
    usable = [form for form in encoder.formats if (not known or form in known) and layout(form).alpha == alpha]
    usable = usable or [form for form in encoder.formats if not known or form in known] or list(encoder.formats)

    def distance(form: str) -> tuple[int, int, int, int]:
        has = layout(form)
        finer = CHROMA[has.chroma] - CHROMA[chroma]
        deeper = has.depth - depth
        return (max(0, -finer), max(0, -deeper), max(0, finer), max(0, deeper))

    return min(usable, key=distance)


def holds_alpha(codec: Codec, encoder: Encoder, muxer: str) -> bool:
    """Whether a codec, by an encoder as installed, keeps graded transparency in a container."""
    if codec.alpha_muxers is not None and muxer not in codec.alpha_muxers:
        return False
    known = encoder_formats(encoder.name)
    return any(layout(f).alpha and f != "pal8" for f in encoder.formats if not known or f in known)
