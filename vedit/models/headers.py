"""What lies in a file of weights, told by its first bytes: names and shapes of tensors. Imports nothing heavy."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, cast

from vedit.errors import ModelError

SUFFIX = ".safetensors"
FETCH_AGAIN = "fetch the file again"
# As large as the safetensors library itself allows.
_LARGEST_HEADER = 100_000_000
GGUF = b"GGUF"
"""What a GGUF file begins with."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The tensors of a safetensors file."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    tensor_formats: Mapping[str, str] = field(default_factory=dict[str, str])
    """Number format of each: "F16", "BF16", "F32", "F8_E4M3" ..."""

    @property
    def formats(self) -> Mapping[str, int]:
        """Number format -> how many numbers are in it."""
        found: dict[str, int] = {}
        for key, name in self.tensor_formats.items():
            found[name] = found.get(name, 0) + prod(self.shapes[key])
        return found

    @property
    def parameters(self) -> int:
        """Numbers in all tensors together."""
        return sum(map(prod, self.shapes.values()))


def read_header(path: Path) -> Header:
    """The header of a safetensors file, remembered for as long as the file's size and time of change are the same.

    Raises:
        ModelError: it is absent, no safetensors file, cut off, or damaged; the message names it.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ModelError(f"there is no file {path}", remedy="check the path") from error
    if not path.is_file():  # a pipe would be waited for
        said = "is a folder, where a file should be" if path.is_dir() else "is no file"
        raise ModelError(f"{path} {said}", remedy=FETCH_AGAIN)
    return _read(path, status.st_size, status.st_mtime_ns)


@cache
def _read(path: Path, size: int, _changed: int) -> Header:
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise ModelError(f"{path} {_not_safetensors(start + file.read(64), size)}", remedy=FETCH_AGAIN)
            text = file.read(length)
        told = cast("dict[str, Any]", json.loads(text))
        metadata = told.pop("__metadata__", {}) or {}
        shapes = {key: _shape(entry["shape"]) for key, entry in told.items()}
        end = max((int(entry["data_offsets"][1]) for entry in told.values()), default=0)
        formats = {key: str(entry.get("dtype", "")) for key, entry in told.items()}
        header = Header(
            shapes=shapes,
            metadata={str(key): str(value) for key, value in metadata.items()},
            tensor_formats=formats,
        )
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", remedy="check the file and its rights") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} has a damaged header and is no safetensors file", remedy=FETCH_AGAIN) from error
    if 8 + length + end > size:
        raise ModelError(f"{path} is cut off: it has {size} of {8 + length + end} bytes", remedy=FETCH_AGAIN)
    if 8 + length + end < size:
        raise ModelError(
            f"{path} is damaged: it has {size} bytes, {8 + length + end} of them told of", remedy=FETCH_AGAIN
        )
    return header


def _shape(sides: object) -> tuple[int, ...]:
    found = tuple(cast("list[int]", sides))
    if any(type(side) is not int or side < 0 for side in found):
        raise ValueError(f"the shape {found}")
    return found


def _not_safetensors(start: bytes, size: int) -> str:
    if size == 0:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights themselves"
    if start.startswith(GGUF):
        return "is a GGUF file under the name of a safetensors file"
    if start.startswith((b"PK", b"\x80")):
        return "is a pickle under the name of a safetensors file; vedit opens none, since it can run code"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not weights"
    return "is no safetensors file"
