"""How the picture is encoded: codec, pixel format, colour tags and quality, decided from the source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from av.video.format import VideoFormat

from vedit.media.color import (
    BT709,
    HD_LINES,
    RGB_MATRIX,
    SMPTE170M,
    UNSPECIFIED,
    effective_matrix,
    is_rgb,
)
from vedit.media.containers import Container
from vedit.types import ColorTags, VideoMetadata

RESERVED = (0, 3)

# No B-frames: then each packet is one frame in order, decode times equal presentation times, and neither an edit list
# nor a shifted start is needed to keep timestamps exact in any container. It costs some size and nothing else.
OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "14", "preset": "fast", "bf": "0"},
    "libvpx-vp9": {"crf": "12", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "prores_ks": {"profile": "4444", "vendor": "apl0", "alpha_bits": "16"},
}


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The encoder's settings."""

    codec: str
    pixel_format: str
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


def choose_encoding(metadata: VideoMetadata, container: Container, *, even: bool) -> Encoding:
    """Encoder settings that keep the source's chroma, depth, range and transparency as far as the container allows.

    Args:
        metadata: of the source.
        container: to write.
        even: pad an odd side by one pixel where 4:2:0 needs an even one, rather than write 4:4:4.
    """
    notes: list[str] = []
    alpha = metadata.has_alpha and container.alpha_codec is not None
    if metadata.has_alpha and not alpha:
        notes.append(f"{container.suffix} cannot keep transparency: it is dropped (.mov and .webm keep it)")
    codec = (container.alpha_codec if alpha else None) or container.codec
    chroma = _chroma(metadata)
    if metadata.rotation in (90, 270) and chroma == "422":
        chroma = "444"
        notes.append("4:2:2 cannot be turned by 90 degrees: written as 4:4:4")
    width, height = metadata.width, metadata.height
    if codec == "libx264":
        odd_width, odd_height = width % 2 == 1, height % 2 == 1
        if (chroma == "420" and (odd_width or odd_height)) or (chroma == "422" and odd_width):
            if even:
                width, height = width + width % 2, height + (height % 2 if chroma == "420" else 0)
                notes.append(f"padded from {metadata.width}x{metadata.height} to {width}x{height}, right and bottom")
            else:
                notes.append(f"{width}x{height} has an odd side: written as 4:4:4 (--even pads a pixel instead)")
                chroma = "444"
    depth = min(metadata.bit_depth, 10)
    if alpha:
        chroma, depth = ("420", 8) if codec == "libvpx-vp9" else ("444", 10)
    if metadata.bit_depth > depth:
        notes.append(f"{metadata.bit_depth} bits are written as {depth}: {codec} holds no more")
    tags = output_tags(metadata)
    return Encoding(
        codec=codec,
        pixel_format=f"yuv{'a' if alpha else ''}{chroma}p{'10le' if depth == 10 else ''}",
        options=dict(OPTIONS[codec]),
        width=width,
        height=height,
        matrix=tags.matrix
        if is_rgb(metadata.pixel_format)
        else effective_matrix(metadata.color, metadata.coded_height),
        full_range=bool(metadata.color.full_range) and not is_rgb(metadata.pixel_format),
        tags=tags,
        alpha=alpha,
        notes=tuple(notes),
    )


def output_tags(metadata: VideoMetadata) -> ColorTags:
    """The colour tags to write: the source's own.

    A tag the source leaves open stays open: whatever a player assumes of the source it then assumes of the result, so
    untouched pixels look the same. Where the result could be taken differently, because a quarter turn moves it across
    the line count that players go by, or because the source was RGB, the assumption that was used is written down.
    """
    tags = metadata.color
    if is_rgb(metadata.pixel_format):
        matrix = effective_matrix(ColorTags(), metadata.coded_height)
        return ColorTags(
            primaries=_known(tags.primaries, matrix),
            transfer=_known(tags.transfer, matrix),
            matrix=matrix,
            full_range=False,
        )
    clean = replace(
        tags,
        primaries=UNSPECIFIED if tags.primaries in RESERVED else tags.primaries,
        transfer=UNSPECIFIED if tags.transfer in RESERVED else tags.transfer,
        matrix=UNSPECIFIED if tags.matrix in (RGB_MATRIX, 3) else tags.matrix,
    )
    if clean.matrix == UNSPECIFIED and (metadata.coded_height >= HD_LINES) != (metadata.height >= HD_LINES):
        return replace(clean, matrix=effective_matrix(tags, metadata.coded_height))
    return clean


def _known(tag: int, matrix: int) -> int:
    if tag not in (*RESERVED, UNSPECIFIED):
        return tag
    return BT709 if matrix == BT709 else SMPTE170M


def _chroma(metadata: VideoMetadata) -> str:
    if is_rgb(metadata.pixel_format):
        # A GIF is watched, not graded: 4:4:4 H.264 plays in few places.
        return "420" if metadata.codec == "gif" else "444"
    form = VideoFormat(metadata.pixel_format, 64, 64)
    if sum(not component.is_alpha for component in form.components) < 3:
        return "420"
    horizontal, vertical = 64 // form.chroma_width(64), 64 // form.chroma_height(64)
    if vertical > 1:
        return "420" if horizontal > 1 else "444"
    return "422" if horizontal > 1 else "444"
