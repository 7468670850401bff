"""What lies in a file of weights, told by its first bytes: names and shapes of tensors. Imports nothing heavy."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

from vedit.errors import ModelError
from vedit.models.configs import damaged

SUFFIX = ".safetensors"
FETCH_AGAIN = "fetch the file again"
# As large as the safetensors library itself allows.
_LARGEST_HEADER = 100_000_000
_GGUF = b"GGUF"
# Sizes of GGUF's plain values by type number; 8 is a string and 9 an array.
_GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_GGUF_STRING = 8
_GGUF_KEYS_READ = 64


@dataclass(frozen=True, kw_only=True)
class Header:
    """The tensors of a safetensors file."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    @property
    def parameters(self) -> int:
        """Numbers in all tensors together."""
        return sum(map(prod, self.shapes.values()))


def read_header(path: Path) -> Header:
    """The header of a safetensors file, remembered for as long as the file's size and time of change are the same.

    Raises:
        ModelError: it is absent, closed to the user, no safetensors file, cut short, or damaged; the message names it.
    """
    if not path.is_file():  # a pipe or a device would be read for ever
        raise damaged(path, "is a folder, where a file should be" if path.is_dir() else "is missing")
    status = path.stat()
    return _read(path, status.st_size, status.st_mtime_ns)


@cache
def _read(path: Path, size: int, _changed: int) -> Header:
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise damaged(path, _not_safetensors(start + file.read(64), size), FETCH_AGAIN)
            text = file.read(length)
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror or error}", "check the file and its rights") from None
    try:
        told = cast("dict[str, Any]", json.loads(text.decode("utf-8")))
        metadata = told.pop("__metadata__", {}) or {}
        entries = {str(key): _entry(entry) for key, entry in told.items()}
        header = Header(
            shapes={key: shape for key, (shape, _) in entries.items()},
            metadata={str(key): str(value) for key, value in metadata.items()},
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise damaged(path, "is no safetensors file: its header cannot be read", FETCH_AGAIN) from None
    end = max((end for _, end in entries.values()), default=0)
    if end != size - 8 - length:
        held = size - 8 - length
        raise damaged(path, f"is cut short or damaged: of {end} bytes of weights it holds {held}", FETCH_AGAIN)
    if not entries:
        raise damaged(path, "holds no weights", FETCH_AGAIN)
    return header


def _entry(entry: Any) -> tuple[tuple[int, ...], int]:
    """Shape and last byte of one tensor. Raises ValueError, TypeError or KeyError where it makes no sense."""
    begin, end = entry["data_offsets"]
    shape = tuple(cast("list[int]", entry["shape"]))
    if any(type(number) is not int or number < 0 for number in (*shape, begin, end)) or begin > end:
        raise ValueError("numbers that cannot be")
    if type(entry["dtype"]) is not str:
        raise ValueError("no type")
    return shape, end


def _not_safetensors(start: bytes, size: int) -> str:
    if size == 0:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights themselves"
    if start.startswith(_GGUF):
        return "is a GGUF file under the name of a safetensors file"
    if start.startswith((b"PK", b"\x80")):
        return "is a pickle under the name of a safetensors file; vedit opens none, since it can run code"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is no safetensors file, but a web page"
    return "is cut short, or is no safetensors file"


def gguf_architecture(path: Path) -> str:
    """What a GGUF file says of its network ("wan", "flux", ...), empty where it does not say.

    Raises:
        ModelError: it is absent, or no GGUF file.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != _GGUF:
                raise ModelError(f"{path} is no GGUF file", remedy=FETCH_AGAIN)
            for key, value in _gguf_texts(file):
                if key == "general.architecture":
                    return value
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", remedy="check the path") from error
    except (struct.error, ValueError, KeyError):
        pass  # what is cut off or of a later version says nothing
    return ""


def _gguf_texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The first keys with texts; GGUF begins with version, count of tensors and count of keys."""
    _, _, count = struct.unpack("<IQQ", file.read(20))
    for _ in range(min(count, _GGUF_KEYS_READ)):
        key, kind = _gguf_text(file), struct.unpack("<I", file.read(4))[0]
        if kind == _GGUF_STRING:
            yield key, _gguf_text(file)
        else:
            file.seek(_GGUF_SIZES[kind], 1)  # an array ends it: what names the network comes before


def _gguf_text(file: BinaryIO) -> str:
    length = struct.unpack("<Q", file.read(8))[0]
    if length > 4096:
        raise ValueError("a text too long to be a name")
    return file.read(length).decode("utf-8", "replace")
