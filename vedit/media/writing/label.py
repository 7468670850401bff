"""What a file says of its making: the IPTC label of generated media and the render's recipe, where each format can.

`DigitalSourceType` is a property of the IPTC Video Metadata Hub and of IPTC Extension (XMP namespace Iptc4xmpExt); its
values are the NewsCodes of http://cv.iptc.org/newscodes/digitalsourcetype.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID
from xml.sax.saxutils import quoteattr
from zlib import crc32

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""A composite whose parts a trained model made."""
LABEL_KEY, RECIPE_KEY = "DigitalSourceType", "vedit"

MXF_COMMENT = "comment_"
"""Keys of this prefix become user comments of an MXF's material package."""

_MXF_OWN = (
    "application_platform company_name file_package_umid generation_uid material_package_umid "
    "modification_date operational_pattern_ul product_name product_uid product_version "
    "product_version_num toolkit_version toolkit_version_num uid"
)
"""Keys under which FFmpeg tells the identification of an MXF: what wrote that file, and when."""

_EXR_OWN = (
    "channels chromaticities chunkcount compression datawindow displaywindow envmap framespersecond gamma "
    "keycode lineorder multiview name pixelaspectratio preview screenwindowcenter screenwindowwidth tiles "
    "timecode type version view whiteluminance wrapmodes writer xmp"
)
"""Attributes of an OpenEXR picture, in small letters, that have a type and a meaning of their own."""

_LONGEST = {"png": 79, "exr": 31}
"""Bytes of a key (PNG, section 11.3.3.2; OpenEXR file layout, "Attribute Names")."""
_MXF_VALUE = 2**14 - 1
"""Characters of a comment: each takes up to 4 bytes in UTF-16, and their number has to fit in 16 bits."""

XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
"""The `uuid` box of an XMP packet (XMP specification, part 3, section 1.2.7)."""

_XMP_BEGIN = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
)
_XMP_LABEL = (
    f' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"'
)
_XMP_END = '/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'


def label_packet(*, label: bool, recipe: str | None = None) -> str | None:
    """An XMP packet with the label, the recipe or both; None for neither.

    Args:
        label: a trained model made part of the picture.
        recipe: for formats whose other places are shown to readers: as a property of vedit's own.
    """
    if not label and recipe is None:
        return None
    own = f" xmlns:vedit={quoteattr('urn:vedit:')} vedit:recipe={quoteattr(recipe)}" if recipe is not None else ""
    return f"{_XMP_BEGIN}{_XMP_LABEL if label else ''}{own}{_XMP_END}"


_XMP = f"{_XMP_BEGIN}{_XMP_LABEL}{_XMP_END}"


def own_tags(recipe: Mapping[str, object] | None, *, label: bool) -> dict[str, str]:
    """The label and the recipe as plain tags; a recipe that JSON does not hold raises TypeError."""
    tags: dict[str, str] = {}
    if label:
        tags[LABEL_KEY] = SOURCE_TYPE
    if recipe is not None:
        tags[RECIPE_KEY] = json.dumps(recipe, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return tags


def holds_tag(form: str, key: str, value: str) -> bool:
    """Whether a tag can be written in `form`: png, exr, gif or mxf."""
    try:
        name = key.encode({"png": "latin-1", "exr": "ascii"}.get(form, "utf-8"))
        value.encode()
    except UnicodeEncodeError:
        return False
    if not name or "\0" in key + value or len(name) > _LONGEST.get(form, 2**16):
        return False
    if form == "png":
        return key.isprintable() and key == " ".join(key.split()) and not key.startswith("XML:")
    if form == "exr":
        return key.lower() not in _EXR_OWN.split()
    return form != "mxf" or len(value) <= _MXF_VALUE


def mxf_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of an MXF by their plain names, without what it tells of its own making."""
    return {key.removeprefix(MXF_COMMENT): value for key, value in tags.items() if key not in _MXF_OWN.split()}


def append_boxes(path: Path, tags: Mapping[str, str], *, label: bool, quicktime: bool) -> None:
    """Tags and XMP at the end of an MP4 or QuickTime file, as boxes of the file itself.

    They are no part of `moov`, so that nothing moves and the tags that players show (iTunes' and QuickTime's lists)
    stay where they are. The tags are in a `meta` box of the handler `mdta` (QuickTime File Format, "Metadata"), which
    takes any key; readers of FFmpeg's kind present them with the others.

    Args:
        path: of a closed file.
        tags: keys and values.
        label: add the XMP packet of the label.
        quicktime: the `meta` box of QuickTime has no version and flags, that of MP4 has (ISO 14496-12, 8.11.1).
    """
    boxes: list[bytes] = []
    if tags:
        handler = _box(b"hdlr", bytes(8), b"mdta", bytes(13))
        keys = _box(b"keys", bytes(4), struct.pack(">I", len(tags)), *(_box(b"mdta", key.encode()) for key in tags))
        values = _box(
            b"ilst",
            *(
                _box(struct.pack(">I", number), _box(b"data", struct.pack(">II", 1, 0), value.encode()))
                for number, value in enumerate(tags.values(), 1)
            ),
        )
        boxes.append(_box(b"meta", b"" if quicktime else bytes(4), handler, keys, values))
    if label:
        boxes.append(_box(b"uuid", XMP_BOX.bytes, _XMP.encode()))
    if boxes:
        with path.open("ab") as file:
            file.writelines(boxes)


def append_extensions(path: Path, tags: Mapping[str, str], *, label: bool) -> None:
    """Tags and XMP before the trailer of a GIF: a comment each (GIF89a, section 24), and the XMP application block.

    The XMP block is read as plain text: 258 trailing bytes count down, so that decoders that walk it by block length
    come out at its end (XMP specification, part 3, section 1.1.2).
    """
    blocks = [b"\x21\xfe" + _sub_blocks(f"{key}={value}".encode()) for key, value in tags.items()]
    if label:
        trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
        blocks.append(b"\x21\xff\x0bXMP DataXMP" + _XMP.encode() + trailer)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\x3b":
            raise ValueError(f"{path.name} does not end as a GIF does")
        file.seek(-1, 2)
        file.write(b"".join(blocks) + b"\x3b")


def with_text(png: bytes, tags: Mapping[str, str], *, xmp: bytes | None = None, chunks: bytes = b"") -> bytes:
    """A PNG with tags and XMP as uncompressed international text (PNG, section 11.3.3.4) behind its header.

    Args:
        png: the picture.
        tags: keys and values.
        xmp: the packet.
        chunks: further chunks of the same place.
    """
    texts = {key: text.encode() for key, text in tags.items()}
    if xmp is not None:
        texts["XML:com.adobe.xmp"] = xmp
    told = [png_chunk(b"iTXt", key.encode("latin-1") + bytes(5) + text) for key, text in texts.items()]
    header = 8 + 25  # signature and IHDR
    return png[:header] + chunks + b"".join(told) + png[header:]


def with_attributes(exr: bytes, tags: Mapping[str, str], *, xmp: bytes | None = None) -> bytes:
    """An OpenEXR picture with tags and XMP as string attributes at the end of its header.

    The table of chunk offsets behind the header counts from the beginning of the file, and is moved along (OpenEXR
    file layout, "Header" and "Offset Tables"). The picture is of scan lines, in one part.
    """
    texts = {key: text.encode() for key, text in tags.items()} | ({} if xmp is None else {"xmp": xmp})
    added = b"".join(_attribute(key, text) for key, text in texts.items())
    position, rows, lines = 8, 0, 1  # behind magic number and version
    while exr[position]:
        name_end = exr.index(0, position)
        kind_end = exr.index(0, name_end + 1)
        (size,) = struct.unpack_from("<i", exr, kind_end + 1)
        value = kind_end + 5
        name = exr[position:name_end]
        if name == b"dataWindow":
            _, top, _, bottom = struct.unpack_from("<4i", exr, value)
            rows = bottom - top + 1
        elif name == b"compression":
            lines = _LINES_PER_CHUNK[exr[value]]
        position = value + size
    table = position + 1
    count = -(-rows // lines)
    offsets = struct.unpack_from(f"<{count}Q", exr, table)
    moved = struct.pack(f"<{count}Q", *(offset + len(added) for offset in offsets))
    return exr[:position] + added + b"\0" + moved + exr[table + 8 * count :]


_LINES_PER_CHUNK = {0: 1, 1: 1, 2: 1, 3: 16}
"""By the code of the compression: none, RLE, ZIPS, ZIP."""


def _attribute(name: str, value: bytes) -> bytes:
    return name.encode("ascii") + b"\0string\0" + struct.pack("<i", len(value)) + value


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, parts))) + kind + b"".join(parts)


def _sub_blocks(data: bytes) -> bytes:
    parts = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\x00"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))
