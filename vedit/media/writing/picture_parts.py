"""What a picture says beside its pixels, put into a written PNG, JPEG, TIFF or EXR, each in the format's own way."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from zlib import compress

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vedit.media.exif import upright
from vedit.media.reading.picture_data import EXIF_IFD, GPS_IFD, PictureData
from vedit.media.writing.label import RECIPE_KEY, label_packet, png_chunk, with_attributes, with_text

CARRIERS = ("png", "jpeg", "tiff")
"""Codecs whose files hold a colour profile, Exif and XMP data."""
_INCH = Fraction(254, 10000)
"""Metres."""
_LONGEST_SEGMENT = 2**16 - 3
"""Bytes of a JPEG segment behind its length."""
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 2, 3, 4, 5, 7
_SOFTWARE = 305


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What goes into one written picture."""

    icc: bytes | None = None
    exif: bytes | None = None
    """Of the picture as it is written: upright, of its size."""
    xmp: bytes | None = None
    """The whole packet, the label included."""
    density: Fraction | None = None
    """Pixels an inch, both ways."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel over its height."""
    associated: bool = False
    texts: Mapping[str, str]


def parts_of(
    data: PictureData, codec: str, *, size: tuple[int, int], aspect: Fraction, label: bool, tags: Mapping[str, str]
) -> Parts:
    """What of a source picture goes into a written one.

    Args:
        data: of the source picture; an empty one of a video's frame.
        codec: png, jpeg, tiff or exr.
        size: width and height of the written picture.
        aspect: of its pixels.
        label: say that a trained model made part of it.
        tags: texts of the result's own.
    """
    recipe = tags.get(RECIPE_KEY) if codec in ("jpeg", "tiff") else None
    parts = Parts(xmp=_packet(None, label, recipe), aspect=aspect, texts=tags)
    if codec not in CARRIERS:
        return parts
    exif = None
    with suppress(ValueError):
        exif = upright(data.exif, size) if data.exif is not None else None
    even = data.density is not None and round(data.density[0], 3) == round(data.density[1], 3) and aspect == 1
    kept = replace(
        parts,
        icc=data.icc if data.profile_space == "RGB" else None,
        exif=exif,
        xmp=_packet(data.xmp, label, recipe),
        density=Fraction(data.density[0]).limit_denominator(10000) if even and data.density is not None else None,
        associated=data.associated and codec == "tiff",
        texts={**(data.texts if codec == "png" else {}), **tags},
    )
    if codec == "jpeg":
        if kept.xmp is not None and len(_XMP_HEAD) + len(kept.xmp) > _LONGEST_SEGMENT:
            kept = replace(kept, xmp=_packet(None, label, None))
        if kept.exif is not None and len(kept.exif) + 6 > _LONGEST_SEGMENT:
            kept = replace(kept, exif=None)
    return kept


def lost_parts(data: PictureData, parts: Parts, *, alpha: bool, codec: str) -> list[str]:
    """What of a source picture a written one has not, in words.

    Args:
        data: of the source picture.
        parts: of the written one; those of none where it is no picture file.
        alpha: transparency is written.
        codec: that is written.
    """
    lost: list[str] = []
    if data.icc is not None and parts.icc is None:
        space = "" if data.profile_space == "RGB" else f", for {data.profile_space} colours"
        lost.append(f"the colour profile ({data.profile}{space})")
    if data.exif is not None and parts.exif is None:
        lost.append("Exif data (camera, date, place)")
    if data.xmp is not None and (codec not in CARRIERS or not _holds(parts.xmp, data.xmp)):
        lost.append("XMP data")
    texts = [key for key in data.texts if key not in parts.texts]
    if texts:
        lost.append(f"the text{'' if len(texts) == 1 else 's'} {', '.join(texts)}")
    if data.associated and alpha and codec not in ("tiff", "exr"):
        lost.append("that the colours are multiplied by the transparency")
    return lost + list(data.further)


def with_parts(picture: bytes, codec: str, parts: Parts) -> bytes:
    """An encoded picture with its parts."""
    if codec == "png":
        return _png(picture, parts)
    if codec == "jpeg":
        return _jpeg(picture, parts)
    if codec == "tiff":
        return _tiff(picture, parts)
    return with_attributes(picture, parts.texts, xmp=parts.xmp)


def _packet(source: bytes | None, label: bool, recipe: str | None) -> bytes | None:
    """The XMP packet: the source's with the label and the recipe joined to it, or one of these alone."""
    own = label_packet(label=label, recipe=recipe)
    if source is None or own is None:
        return source if own is None else own.encode()
    end = source.rfind(b"</rdf:RDF>")
    if end < 0:
        return own.encode()
    if label:  # it says of the source what is not true of the result
        source = re.sub(rb'\s[\w-]+:DigitalSourceType\s*=\s*("[^"]*"|\'[^\']*\')', b"", source)
        source = re.sub(rb"<([\w-]+:DigitalSourceType)\b[^>]*>[^<]*</\1>", b"", source)
        end = source.rfind(b"</rdf:RDF>")
    begin = own.index("<rdf:Description")
    return source[:end] + own[begin : own.index("</rdf:RDF>")].encode() + source[end:]


def _holds(packet: bytes | None, source: bytes) -> bool:
    """Whether a packet has the source's in it."""
    return packet is not None and source[: source.rfind(b"<rdf:RDF")] in packet and len(packet) >= len(source) // 2


def _png(picture: bytes, parts: Parts) -> bytes:
    chunks = b""
    if parts.icc is not None:
        picture = _without(picture, b"sRGB", b"iCCP", b"cICP", b"gAMA", b"cHRM")  # the profile says it better
        chunks += png_chunk(b"iCCP", b"icc\0\0" + compress(parts.icc))
    if parts.density is not None:
        picture = _without(picture, b"pHYs")
        dots = round(parts.density / _INCH)
        chunks += png_chunk(b"pHYs", struct.pack(">IIB", dots, dots, 1))
    if parts.exif is not None:
        chunks += png_chunk(b"eXIf", parts.exif)
    return with_text(picture, parts.texts, xmp=parts.xmp, chunks=chunks)


def _without(png: bytes, *names: bytes) -> bytes:
    """A PNG without the chunks of some names that stand before its pixels."""
    kept, position = [png[:8]], 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        name = png[position + 4 : position + 8]
        if name == b"IDAT":
            break
        if name not in names:
            kept.append(png[position : position + 12 + length])
        position += 12 + length
    return b"".join([*kept, png[position:]])


def _jpeg(picture: bytes, parts: Parts) -> bytes:
    """Segments behind the JFIF header, whose density is set (JFIF 1.02; Exif 2.32, 4.7.2; ICC.1, annex B.4)."""
    if picture[2:4] != b"\xff\xe0" or picture[6:11] != b"JFIF\0":
        raise ValueError("a JPEG without a JFIF header")
    unit, across, down = 0, parts.aspect.numerator, parts.aspect.denominator  # as FFmpeg and others read it
    if parts.density is not None and 1 <= round(parts.density) < 2**16:
        unit, across, down = 1, round(parts.density), round(parts.density)
    shape = Fraction(across, down).limit_denominator(2**16 - 1)
    across, down = (across, down) if unit else (shape.numerator, shape.denominator)
    end = 4 + struct.unpack_from(">H", picture, 4)[0]
    head = picture[:13] + struct.pack(">BHH", unit, across, down) + picture[18:end]
    segments = b""
    if parts.exif is not None:
        segments += _segment(0xE1, b"Exif\0\0" + parts.exif)
    if parts.xmp is not None:
        segments += _segment(0xE1, _XMP_HEAD + parts.xmp)
    if parts.icc is not None:
        size = _LONGEST_SEGMENT - 14
        pieces = [parts.icc[at : at + size] for at in range(0, len(parts.icc), size)]
        for number, piece in enumerate(pieces, 1):
            segments += _segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece)
    return head + segments + picture[end:]


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _tiff(picture: bytes, parts: Parts) -> bytes:
    """The one directory written anew at the end of the file, with further tags (TIFF 6.0, section 2)."""
    if picture[:4] != b"II*\0":
        raise ValueError("not a TIFF as it is written here")
    (place,) = struct.unpack_from("<I", picture, 4)
    (count,) = struct.unpack_from("<H", picture, place)
    entries = {
        struct.unpack_from("<H", picture, place + 2 + 12 * n)[0]: picture[place + 2 + 12 * n : place + 14 + 12 * n]
        for n in range(count)
    }
    entries.pop(_SOFTWARE, None)  # the library's name
    out = bytearray(picture)

    def add(tag: int, kind: int, number: int, data: bytes) -> None:
        if len(data) > 4:
            out.extend(bytes(len(out) % 2))
            value = struct.pack("<I", len(out))
            out.extend(data)
        else:
            value = data.ljust(4, b"\0")
        entries[tag] = struct.pack("<HHI", tag, kind, number) + value

    if parts.icc is not None:
        add(34675, _UNDEFINED, len(parts.icc), parts.icc)
    if parts.xmp is not None:
        add(700, _BYTE, len(parts.xmp), parts.xmp)
    if parts.density is not None:
        told = struct.pack("<II", parts.density.numerator, parts.density.denominator)
        add(282, _RATIONAL, 1, told)
        add(283, _RATIONAL, 1, told)
        add(296, _SHORT, 1, struct.pack("<H", 2))
    if parts.associated and 338 in entries:
        add(338, _SHORT, 1, struct.pack("<H", 1))
    if parts.exif is not None:
        block = Image.Exif()
        block.load(b"Exif\0\0" + parts.exif)
        for tag, value in dict(block).items():
            if isinstance(value, str) and tag not in (EXIF_IFD, GPS_IFD):
                text = value.encode() + b"\0"
                add(tag, _ASCII, len(text), text)
        for tag in (EXIF_IFD, GPS_IFD):
            inner = block.get_ifd(tag)
            if inner:
                directory = ImageFileDirectory_v2(ifh=b"II*\0\0\0\0\0")
                for key, value in inner.items():
                    directory[key] = value
                out.extend(bytes(len(out) % 2))
                at = len(out)
                out.extend(directory.tobytes(at))
                add(tag, _LONG, 1, struct.pack("<I", at))
    out.extend(bytes(len(out) % 2))
    struct.pack_into("<I", out, 4, len(out))
    ordered = [entries[tag] for tag in sorted(entries)]
    return bytes(out) + struct.pack("<H", len(ordered)) + b"".join(ordered) + bytes(4)


def encode_jpeg(frame: Image.Image, options: Mapping[str, str]) -> bytes:
    """A picture as a JPEG of the options of an encoding."""
    file = io.BytesIO()
    ratio = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4"}[options["subsampling"]]
    frame.save(file, "JPEG", quality=int(options["quality"]), subsampling=ratio, optimize=True)
    return file.getvalue()
