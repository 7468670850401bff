"""What the headers of MP4, QuickTime and Matroska say of a picture track that FFmpeg's reader does not hand on.

Small readers of nothing but these headers; sizes and counts are bounded, and damage ends the search without an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_HEADER = 64 * 2**20
MAX_BOXES = 10_000

_VIDEO_ENTRY = 78
"""Bytes of a video sample entry before its own boxes: ISO/IEC 14496-12, section 12.1.3."""

_SEGMENT, _TRACKS, _CLUSTER, _TRACK, _TYPE, _VIDEO = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xAE, 0x83, 0xE0
_CROPS = {0x54AA: "bottom", 0x54BB: "top", 0x54CC: "left", 0x54DD: "right"}
_ADDITION, _ADDITION_TYPE = 0x41E4, 0x41E7
"""Matroska element IDs: RFC 9559."""


def picture_boxes(path: Path, number: int) -> frozenset[str]:
    """Names of the boxes in the sample entries of the video track that is `number` among the video tracks of a file."""
    found: list[frozenset[str]] = []
    for name, body in _boxes(_moov(path)):
        if name != "trak":
            continue
        mdia = _within(body, "mdia")
        if _within(mdia, "hdlr")[8:12] != b"vide":
            continue
        entries = _within(_within(_within(mdia, "minf"), "stbl"), "stsd")[8:]
        found.append(frozenset(inner for _, entry in _boxes(entries) for inner, _ in _boxes(entry[_VIDEO_ENTRY:])))
    return found[number] if number < len(found) else frozenset()


def picture_elements(path: Path, number: int) -> tuple[dict[str, int], frozenset[str]]:
    """The crop of a Matroska video track, and the types of what is mapped to its blocks; see `picture_boxes`."""
    tracks: list[tuple[dict[str, int], frozenset[str]]] = []
    for identity, body in _elements(_tracks(path)):
        if identity != _TRACK:
            continue
        parts = list(_elements(body))
        if not any(part == _TYPE and data[-1:] == b"\x01" for part, data in parts):
            continue
        video = [inner for part, data in parts if part == _VIDEO for inner in _elements(data)]
        crop = {_CROPS[part]: int.from_bytes(data) for part, data in video if part in _CROPS and any(data)}
        mapped = [inner for part, data in parts if part == _ADDITION for inner in _elements(data)]
        types = (data[-4:].decode("latin-1") for part, data in mapped if part == _ADDITION_TYPE and len(data) >= 4)
        tracks.append((crop, frozenset(types)))
    return tracks[number] if number < len(tracks) else ({}, frozenset[str]())


def _moov(path: Path) -> bytes:
    with path.open("rb") as file:
        end = file.seek(0, 2)
        place = 0
        for _ in range(MAX_BOXES):
            file.seek(place)
            head = file.read(16)
            if len(head) < 8:
                return b""
            size, name = struct.unpack(">I4s", head[:8])
            begin = 8
            if size == 1 and len(head) == 16:
                size, begin = struct.unpack(">Q", head[8:])[0], 16
            size = end - place if size == 0 else size
            if size < begin:
                return b""
            if name == b"moov":
                file.seek(place + begin)
                return file.read(min(size - begin, MAX_HEADER))
            place += size
    return b""


def _boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    for _ in range(MAX_BOXES):
        if place + 8 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, place)
        begin = 8
        if size == 1 and place + 16 <= len(data):
            size, begin = struct.unpack_from(">Q", data, place + 8)[0], 16
        size = len(data) - place if size == 0 else size
        if size < begin:
            return
        yield name.decode("latin-1"), data[place + begin : place + size]
        place += size


def _within(data: bytes, name: str) -> bytes:
    return next((body for found, body in _boxes(data) if found == name), b"")


def _tracks(path: Path) -> bytes:
    with path.open("rb") as file:
        for identity, size in _heads(file):
            if identity == _SEGMENT:
                continue  # what is in it comes next
            if identity == _CLUSTER or size is None:
                return b""
            if identity == _TRACKS:
                return file.read(min(size, MAX_HEADER))
            file.seek(size, 1)
    return b""


def _heads(file: BinaryIO) -> Iterator[tuple[int, int | None]]:
    """The head of each element that the file stands at; the caller goes past its body, or into it."""
    for _ in range(MAX_BOXES):
        head = file.read(12)
        read = _head(head, 0)
        if read is None:
            return
        identity, size, begin = read
        file.seek(begin - len(head), 1)
        yield identity, size


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    for _ in range(MAX_BOXES):
        read = _head(data, place)
        if read is None:
            return
        identity, size, begin = read
        if size is None:
            return
        yield identity, data[begin : begin + size]
        place = begin + size


def _head(data: bytes, place: int) -> tuple[int, int | None, int] | None:
    """ID, size (None where it is not known) and where the body begins; None at the end."""
    numbers: list[int] = []
    for marked in (True, False):
        if place >= len(data) or not data[place]:
            return None
        length = 9 - data[place].bit_length()
        value = int.from_bytes(data[place : place + length])
        numbers.append(value if marked else value & ((1 << 7 * length) - 1))
        if not marked and numbers[1] == (1 << 7 * length) - 1:
            return numbers[0], None, place + length
        place += length
    return numbers[0], numbers[1], place
