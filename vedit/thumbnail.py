"""Small pictures for notebooks: frames as a PNG, with nothing but NumPy, so that any value may show itself."""

from __future__ import annotations

import base64
import hashlib
import html
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

SIDE = 200
"""Pixels of the longer side."""
_GAP = 4
_HEAD = 8 + 25
"""Bytes of a PNG's signature and header, before which no other chunk may stand."""


def thumbnail(frame: npt.NDArray[np.integer], bit_depth: int = 8, *, side: int = SIDE) -> Image:
    """One frame, (3 or 4, H, W) integers -> (h, w, 3) uint8, its longer side at most `side`, averaged over areas."""
    height, width = frame.shape[1:]
    step = max(1, -(-max(height, width) // side))
    rows, columns = max(1, height // step), max(1, width // step)
    cut = frame[:3, : rows * step, : columns * step] if min(height, width) >= step else frame[:3, ::step, ::step]
    if cut.shape[1:] == (rows * step, columns * step):
        cut = cut.reshape(3, rows, step, columns, step).mean((2, 4), dtype=np.float32)
    return (cut / (1 << (bit_depth - 8)) + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def tiled(rows: Sequence[Sequence[Image]], *, paper: int = 255) -> Image:
    """Images (h, w, 3) in rows, aligned to the top left, with a gap between."""
    bands = [_joined(row, 1, paper) for row in rows if len(row)]
    return _joined(bands, 0, paper)


def png(image: Image) -> bytes:
    """(H, W, 3) uint8 RGB -> a PNG file (ISO/IEC 15948)."""
    height, width, _ = image.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # filter 0 before each line
    lines[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def signed(data: bytes) -> bytes:
    """A PNG with a text chunk (ISO/IEC 15948, 11.3.4.3) at its head that holds the hash of all the rest."""
    return data[:_HEAD] + _sign(data) + data[_HEAD:]


def is_signed(data: bytes) -> bool:
    """Whether a PNG carries the sign of `signed`, and no byte of it has changed since."""
    plain = data[:_HEAD] + data[_HEAD + len(_sign(b"")) :]
    return len(data) > len(plain) and signed(plain) == data


def _sign(data: bytes) -> bytes:
    return _chunk(b"tEXt", b"vedit\0" + hashlib.sha256(data).hexdigest().encode())


def image_html(data: bytes, caption: str = "") -> str:
    """A PNG with words beneath it, as HTML that needs no other file."""
    return (
        f'<figure style="display:inline-block;margin:4px"><img src="data:image/png;base64,'
        f'{base64.b64encode(data).decode()}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def _joined(images: Sequence[Image], axis: int, paper: int) -> Image:
    extent = max(image.shape[1 - axis] for image in images)
    length = sum(image.shape[axis] for image in images) + _GAP * (len(images) - 1)
    sheet = np.full((length, extent, 3) if axis == 0 else (extent, length, 3), paper, np.uint8)
    at = 0
    for image in images:
        place = [slice(0, image.shape[0]), slice(0, image.shape[1])]
        place[axis] = slice(at, at + image.shape[axis])
        sheet[tuple(place)] = image
        at += image.shape[axis] + _GAP
    return sheet


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
