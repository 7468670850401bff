"""How the picture is encoded: codec, pixel format, colour tags and quality, decided from the source and the wishes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vedit.errors import MediaError
from vedit.media.color.convert import (
    BT709,
    HD_LINES,
    RGB_MATRIX,
    SMPTE170M,
    UNSPECIFIED,
    effective_matrix,
    is_planar_rgb,
    is_rgb,
    unknown_matrix,
    usual_matrix,
)
from vedit.media.color.matrices import NAMES, Matrix, own_matrix
from vedit.media.output import CodecName, OutputOptions
from vedit.media.writing.codecs import CODECS, Codec, Encoder, find_encoder, holds_alpha, layout, pick_format
from vedit.media.writing.containers import CONTAINERS, Container
from vedit.media.writing.hdr import HDR_TRANSFERS, HdrMetadata
from vedit.types import ColorTags, VideoMetadata

RESERVED = (0, 3)
ANY_MATRIX = ("h264", "hevc", "av1")
"""Codecs whose streams can say every matrix of H.273."""
NARROW = ("prores",)
"""Codecs that have no way to say full range."""

HALF_BITS = 10
"""Code values of up to this depth survive half floats in linear light."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The encoder's settings."""

    name: CodecName
    codec: str
    """FFmpeg's name of the encoder."""
    tag: str | None
    """The code of the codec in the container; None is FFmpeg's own choice."""
    pixel_format: str
    bit_depth: int
    """Of the written samples; 16 and 32 are half and single precision for EXR."""
    options: dict[str, str]
    width: int
    height: int
    """Of the written picture, padding included."""
    matrix: int
    """H.273 matrix that RGB is converted with."""
    full_range: bool
    tags: ColorTags
    """What is written in the file."""
    alpha: bool
    notes: tuple[str, ...]
    lost: tuple[str, ...]
    """What of the source's picture this cannot keep."""

    @property
    def rgb(self) -> bool:
        """The written samples are red, green and blue."""
        return layout(self.pixel_format).chroma == "rgb"

    @property
    def own_matrix(self) -> Matrix | None:
        """The conversion of the samples where swscale lacks it."""
        return None if self.rgb else own_matrix(replace(self.tags, matrix=self.matrix))


def choose_encoding(
    metadata: VideoMetadata, container: Container, options: OutputOptions, hdr: HdrMetadata | None = None
) -> Encoding:
    """Encoder settings that keep the source's chroma, depth, range and transparency as far as the codec can.

    Args:
        metadata: of the source.
        container: to write.
        options: what the user chose.
        hdr: static HDR metadata of the source.

    Raises:
        MediaError: the container cannot hold the codec; the codec cannot hold the source's transparency, high dynamic
            range or size.
        InputError: there is no encoder for the codec.
    """
    notes: list[str] = []
    lost: list[str] = []
    graded = metadata.has_alpha and layout(metadata.pixel_format).depth > 0 and not _palette(metadata)
    codec = _codec(container, options, alpha=graded)
    encoder = find_encoder(codec, hardware=options.hardware)
    alpha = _alpha(metadata, container, codec, encoder, options, graded=graded, lost=lost)
    depth = _wanted_depth(metadata, codec, options, notes)
    chroma = _wanted_chroma(metadata, codec, options, notes)
    held = _held(metadata, codec, encoder, options, _Wanted(chroma=chroma, depth=depth, alpha=alpha), notes)
    written = _written_depth(codec, held.pixel_format, metadata.bit_depth)
    _check_depth(metadata, codec, options, written, lost)
    if options.bit_depth is not None and codec.name != "exr" and written < options.bit_depth:
        notes.append(f"{codec.name} holds no {options.bit_depth} bits here: written as {written}")
    _check_chroma(metadata, codec, options, layout(held.pixel_format).chroma, lost)
    settings = _settings(codec, encoder, options, held, written)
    _hand_on_hdr(encoder, hdr, settings, codec, lost)
    rgb = layout(held.pixel_format).chroma == "rgb"
    tags = ColorTags() if codec.name == "gif" else output_tags(metadata, rgb=rgb, codec=codec.name)
    _tell_of_color(metadata, codec, tags, lost, rgb=rgb)
    converted = not rgb and (_holds_rgb(metadata) or tags.matrix not in (metadata.color.matrix, UNSPECIFIED))
    return Encoding(
        name=codec.name,
        codec=encoder.name,
        tag=codec.tag.get(container.muxer),
        pixel_format=held.pixel_format,
        bit_depth=written,
        options=settings,
        width=held.width,
        height=held.height,
        matrix=effective_matrix(tags if converted else metadata.color, metadata.coded_height),
        full_range=rgb or bool(tags.full_range),
        tags=tags,
        alpha=alpha,
        notes=tuple(notes),
        lost=tuple(lost),
    )


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What the samples should hold."""

    chroma: str
    depth: int
    alpha: bool


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The samples that the encoder takes, and the size of the picture in them."""

    pixel_format: str
    chroma: str
    width: int
    height: int


def _held(
    metadata: VideoMetadata,
    codec: Codec,
    encoder: Encoder,
    options: OutputOptions,
    wanted: _Wanted,
    notes: list[str],
) -> _Held:
    """The samples nearest to what is wanted, in which a picture of this size can be written.

    Raises:
        MediaError: a side is odd and may not be padded, or the picture is too small for the codec.
    """
    width, height, chroma = metadata.width, metadata.height, wanted.chroma
    pixel_format = pick_format(encoder, chroma=chroma, depth=wanted.depth, alpha=wanted.alpha)
    found = layout(pixel_format).chroma
    odd = (found in ("420", "422") and width % 2 == 1) or (found == "420" and height % 2 == 1)
    if odd and not encoder.odd:
        whole = pick_format(encoder, chroma="444", depth=wanted.depth, alpha=wanted.alpha)
        if options.even or layout(whole).chroma != "444":
            if not options.even:
                raise MediaError(
                    f"{codec.name} ({encoder.name}) cannot hold {width}x{height}: a side is odd",
                    remedy="use --even to pad a pixel, or another --codec",
                )
            width, height = width + width % 2, height + (height % 2 if found == "420" else 0)
            notes.append(f"padded from {metadata.width}x{metadata.height} to {width}x{height}, right and bottom")
        else:
            notes.append(f"{width}x{height} has an odd side: written as 4:4:4 (--even pads a pixel instead)")
            pixel_format, chroma = whole, "444"
    if width < codec.smallest[0] or height < codec.smallest[1]:
        raise MediaError(
            f"{codec.name} holds no picture of {width}x{height}, the smallest is "
            f"{codec.smallest[0]}x{codec.smallest[1]}",
            remedy="use another --codec, for instance prores or h264",
        )
    return _Held(pixel_format=pixel_format, chroma=chroma, width=width, height=height)


def _settings(codec: Codec, encoder: Encoder, options: OutputOptions, held: _Held, written: int) -> dict[str, str]:
    """The encoder's own options: of the preset, and what a picture codec is told of its samples."""
    settings = encoder.options(options.preset, held.pixel_format)
    if codec.name == "exr":
        settings["format"] = "half" if written == 16 else "float"
    if codec.name == "jpeg":
        settings["subsampling"] = held.chroma if options.preset != "archive" else "444"
    return settings


def _tell_of_color(metadata: VideoMetadata, codec: Codec, tags: ColorTags, lost: list[str], *, rgb: bool) -> None:
    """What of the source's colour tags the result cannot say."""
    unknown, own = unknown_matrix(metadata), metadata.color.matrix
    if unknown is not None:
        lost.append(f"colours by the matrix {unknown}, which is not converted")
    elif not rgb and own_matrix(metadata.color) is not None and tags.matrix != own:
        lost.append(f"the matrix {own} ({NAMES[own]}) (written as {tags.matrix}, {codec.name} has a tag for few)")
    if codec.name in NARROW and metadata.color.full_range and not rgb and not _holds_rgb(metadata):
        lost.append(f"full range (written as limited, {codec.name} has no tag for it)")


def output_tags(metadata: VideoMetadata, *, rgb: bool = False, codec: str | None = None) -> ColorTags:
    """The colour tags to write: the source's own.

    A tag the source leaves open stays open: whatever a player assumes of the source it then assumes of the result, so
    untouched pixels look the same. Where the result could be taken differently, because a quarter turn moves it across
    the line count that players go by, or because the source was RGB, the assumption that was used is written down.

    Args:
        metadata: of the source.
        rgb: red, green and blue are written: there is no matrix, and the range is full.
        codec: that is written; few have a tag for every matrix.
    """
    tags = metadata.color
    source_rgb = _holds_rgb(metadata)
    clean = replace(
        tags,
        full_range=False if codec in NARROW and tags.full_range else tags.full_range,
        primaries=UNSPECIFIED if tags.primaries in RESERVED else tags.primaries,
        transfer=UNSPECIFIED if tags.transfer in RESERVED else tags.transfer,
        matrix=UNSPECIFIED if tags.matrix in (RGB_MATRIX, 3) else tags.matrix,
    )
    if rgb:
        return replace(clean, matrix=RGB_MATRIX, full_range=True)
    if source_rgb:
        matrix = effective_matrix(ColorTags(), metadata.coded_height)
        return ColorTags(
            primaries=_known(tags.primaries, matrix),
            transfer=_known(tags.transfer, matrix),
            matrix=matrix,
            full_range=False,
        )
    if codec not in ANY_MATRIX and own_matrix(tags) is not None:
        return replace(clean, matrix=usual_matrix(tags, metadata.coded_height))
    if clean.matrix == UNSPECIFIED and (metadata.coded_height >= HD_LINES) != (metadata.height >= HD_LINES):
        return replace(clean, matrix=effective_matrix(tags, metadata.coded_height))
    return clean


def _holds_rgb(metadata: VideoMetadata) -> bool:
    return is_rgb(metadata.pixel_format) or is_planar_rgb(metadata.pixel_format, metadata.color)


def _known(tag: int, matrix: int) -> int:
    if tag not in (*RESERVED, UNSPECIFIED):
        return tag
    return BT709 if matrix == BT709 else SMPTE170M


def _palette(metadata: VideoMetadata) -> bool:
    """A palette may hold transparent entries without one being used: it is no sign of graded transparency."""
    return metadata.codec == "gif" or metadata.pixel_format == "pal8"


def _codec(container: Container, options: OutputOptions, *, alpha: bool) -> Codec:
    if options.codec is None:
        return CODECS[(container.alpha_codec if alpha else None) or container.codec]
    codec = CODECS[options.codec]
    if container.muxer in codec.muxers and (container.only is None or codec.name == container.only):
        return codec
    better = [
        c.suffix
        for muxer in codec.muxers
        for c in CONTAINERS.values()
        if c.muxer == muxer and c.only in (None, codec.name)
    ]
    named = " or ".join(dict.fromkeys("NAME_%04d" + s if CONTAINERS[s].sequence else s for s in better))
    raise MediaError(f"{container.suffix} cannot hold {codec.name}", remedy=f"write {named}, or choose another --codec")


def _alpha(
    metadata: VideoMetadata,
    container: Container,
    codec: Codec,
    encoder: Encoder,
    options: OutputOptions,
    *,
    graded: bool,
    lost: list[str],
) -> bool:
    if holds_alpha(codec, encoder, container.muxer):
        return metadata.has_alpha and (graded or codec.name in ("ffv1", "png", "tiff", "exr"))
    if not metadata.has_alpha:
        return False
    if not graded or options.drop_alpha:
        lost.append("transparency" if graded else "transparency, if any of the palette's is used")
        return False
    muxer = container.muxer
    here = [n for n, c in CODECS.items() if muxer in c.muxers and any(holds_alpha(c, e, muxer) for e in c.encoders)]
    remedy = "write a .png, .tif or .exr" if container.sequence else "write a .mov, .webm or .mkv file"
    if here and container.only is None:
        remedy = f"use --codec {' or '.join(here)}"
    raise MediaError(
        f"{codec.name} in {container.suffix} cannot keep the source's transparency",
        remedy=f"{remedy}, or --drop-alpha",
    )


def _wanted_depth(metadata: VideoMetadata, codec: Codec, options: OutputOptions, notes: list[str]) -> int:
    if options.bit_depth is not None:
        return options.bit_depth
    hdr = metadata.color.transfer in HDR_TRANSFERS
    if options.preset == "web" and codec.name == "h264" and not hdr and metadata.bit_depth > 8:
        notes.append(
            f"{metadata.bit_depth} bits are written as 8: few players take more in H.264 (--bit-depth 10 does)"
        )
        return 8
    return max(metadata.bit_depth, 10 if hdr else 8)


def _wanted_chroma(metadata: VideoMetadata, codec: Codec, options: OutputOptions, notes: list[str]) -> str:
    source = layout(metadata.pixel_format).chroma
    # A GIF is watched, not graded: 4:4:4 H.264 plays in few places.
    chroma = source if source != "rgb" else "420" if metadata.codec == "gif" else "444"
    if options.preset == "web" and codec.name in ("h264", "hevc", "av1", "vp9", "jpeg"):
        if chroma != "420":
            notes.append(f"{_ratio(source)} is written as 4:2:0, which plays everywhere (--preset edit keeps it)")
        return "420"
    if options.preset == "archive" and codec.name in ("prores", "dnxhr"):
        return "444"
    if metadata.rotation in (90, 270) and chroma == "422":
        notes.append("4:2:2 cannot be turned by 90 degrees: written as 4:4:4")
        return "444"
    return chroma


def _ratio(chroma: str) -> str:
    return "RGB" if chroma == "rgb" else ":".join(chroma)


def _written_depth(codec: Codec, pixel_format: str, source: int) -> int:
    if codec.name == "exr":
        return 16 if source <= HALF_BITS else 32
    return 8 if codec.name == "gif" else layout(pixel_format).depth


def _check_depth(metadata: VideoMetadata, codec: Codec, options: OutputOptions, written: int, lost: list[str]) -> None:
    hdr = metadata.color.transfer in HDR_TRANSFERS
    if hdr and codec.name == "exr":
        raise MediaError(
            "an EXR is linear light, and the source's PQ or HLG is not converted to it",
            remedy="use --codec ffv1 or png, which keep the code values, or hevc",
        )
    if hdr and written < 10 and not options.drop_unsupported:
        raise MediaError(
            f"the source is HDR ({'PQ' if metadata.color.transfer == HDR_TRANSFERS[0] else 'HLG'}) and "
            f"{codec.name} would be written with {written} bits, which shows bands",
            remedy="use --bit-depth 10 with --codec hevc, av1, prores or ffv1, or --drop-unsupported",
        )
    if metadata.bit_depth > written and (hdr or options.bit_depth is None or written < options.bit_depth):
        if options.preset == "web" and codec.name == "h264":
            return  # said, with the way to have more
        lost.append(f"{metadata.bit_depth} bits (written as {written}, {codec.name} holds no more)")


def _check_chroma(metadata: VideoMetadata, codec: Codec, options: OutputOptions, held: str, lost: list[str]) -> None:
    chroma = layout(metadata.pixel_format).chroma
    wanted = chroma if chroma != "rgb" else "444"
    if options.preset == "web" or _palette(metadata) or held == "rgb" or held >= wanted:
        return
    lost.append(f"{_ratio(chroma)} chroma (written as {_ratio(held)}, {codec.name} holds no more)")


def _hand_on_hdr(
    encoder: Encoder, hdr: HdrMetadata | None, settings: dict[str, str], codec: Codec, lost: list[str]
) -> None:
    if not hdr:
        return
    params = hdr.params(encoder.hdr) if encoder.hdr is not None else None
    if params is None or encoder.hdr is None:
        lost.append(f"mastering display and light level data ({codec.name} is written without)")
        return
    before = settings.get(encoder.hdr)
    settings[encoder.hdr] = f"{before}:{params}" if before else params
