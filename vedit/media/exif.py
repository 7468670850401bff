"""Exif data as pictures carry it: a small TIFF structure, changed in place so that everything in it stays where it is.

Maker notes point at places in the block by number, so that a block which is written anew loses them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vedit.types import Rotation

ORIENTATION, EXIF_IFD = 0x0112, 0x8769
_WIDTH, _HEIGHT = 0xA002, 0xA003
_SHORT, _LONG = 3, 4

TURNS: dict[int, tuple[Rotation, bool]] = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (90, True),
    6: (90, False),
    7: (270, True),
    8: (270, False),
}
"""Quarter turns clockwise, then a left-right flip, that bring a picture upright, by orientation (Exif 2.32, 4.6.4)."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    tag: int
    kind: int
    value: int
    """Where its value, or the place of a long one, stands in the block."""


def orientation_of(block: bytes) -> int:
    """1 to 8; 1 where the block says none or cannot be read."""
    try:
        order, first = _start(block)
        found = next((entry for entry in _entries(block, order, first) if entry.tag == ORIENTATION), None)
        (told,) = struct.unpack_from(f"{order}H", block, found.value) if found is not None else (1,)
    except (struct.error, ValueError):
        return 1
    return told if told in TURNS else 1


def upright(block: bytes, size: tuple[int, int]) -> bytes:
    """The block of a picture that was turned upright: its orientation is 1, its size as written, without a thumbnail.

    Args:
        block: begins with the byte order.
        size: width and height in pixels.

    Raises:
        ValueError: it is damaged.
    """
    data = bytearray(block)
    try:
        order, first = _start(block)
        (count,) = struct.unpack_from(f"{order}H", block, first)
        struct.pack_into(f"{order}I", data, first + 2 + 12 * count, 0)  # the thumbnail shows the source
        for entry in _entries(block, order, first):
            if entry.tag == ORIENTATION:
                struct.pack_into(f"{order}HH", data, entry.value, 1, 0)
            elif entry.tag == EXIF_IFD:
                (place,) = struct.unpack_from(f"{order}I", block, entry.value)
                for inner in _entries(block, order, place):
                    if inner.tag in (_WIDTH, _HEIGHT) and inner.kind in (_SHORT, _LONG):
                        form = f"{order}HH" if inner.kind == _SHORT else f"{order}I"
                        side = size[inner.tag == _HEIGHT]
                        struct.pack_into(form, data, inner.value, *((side, 0) if inner.kind == _SHORT else (side,)))
    except struct.error as error:
        raise ValueError(f"the Exif data are damaged ({error})") from error
    return bytes(data)


def _start(block: bytes) -> tuple[str, int]:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise ValueError("no byte order")
    magic, first = struct.unpack_from(f"{order}HI", block, 2)
    if magic != 42:
        raise ValueError("no TIFF structure")
    return order, int(first)


def _entries(block: bytes, order: str, place: int) -> Iterator[_Entry]:
    (count,) = struct.unpack_from(f"{order}H", block, place)
    for number in range(count):
        at = place + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", block, at)
        yield _Entry(tag=tag, kind=kind, value=at + 8)
