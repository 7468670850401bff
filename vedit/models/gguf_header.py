"""What lies in a GGUF file, told by its first bytes: the network, its tensors, and how each is quantised.

The layout is that of ggml's own description of the format, versions 2 and 3. Imports nothing heavy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

from vedit.errors import ModelError
from vedit.models.headers import FETCH_AGAIN, GGUF

# Sizes of plain values by type number; 8 is a text and 9 an array.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _ARRAY = 8, 9
_MOST = 1_000_000
"""Keys, items of an array or tensors: more than any file has."""
_NAMES = (
    *("F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32"),
    *("I64", "F64", "IQ1_M", "BF16", "", "", "", "TQ1_0", "TQ2_0"),
)
"""ggml's number formats by their numbers; two were taken back, and three are of one machine's layout."""


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself, as far as it can be read."""

    architecture: str = ""
    """What it calls its network ("wan", "flux", ...); empty where it does not say."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Of all tensors, in torch's order of axes."""
    tensor_formats: Mapping[str, str] = field(default_factory=dict[str, str])
    """How each is stored: "Q4_K", "F16" ..."""

    @property
    def formats(self) -> Mapping[str, int]:
        """Number format -> how many numbers are in it."""
        found: dict[str, int] = {}
        for key, shape in self.shapes.items():
            name = self.tensor_formats[key]
            found[name] = found.get(name, 0) + prod(shape)
        return found


def read_gguf(path: Path) -> GgufHeader:
    """The header of a GGUF file; of one that is cut off, or of a later version, as much as was understood.

    Raises:
        ModelError: it is absent, or no GGUF file.
    """
    architecture, shapes, formats = "", dict[str, tuple[int, ...]](), dict[str, str]()
    try:
        with path.open("rb") as file:
            if file.read(4) != GGUF:
                raise ModelError(f"{path} is no GGUF file", remedy=FETCH_AGAIN)
            _, tensors, keys = struct.unpack("<IQQ", file.read(20))
            for _ in range(_within(keys)):
                key, value = _text(file), _value(file, _number(file))
                architecture = value if key == "general.architecture" and isinstance(value, str) else architecture
            for _ in range(_within(tensors)):
                key, axes = _text(file), _within(_number(file))
                sides = struct.unpack(f"<{axes}Q", file.read(8 * axes))
                kind, _ = struct.unpack("<IQ", file.read(12))
                shapes[key], formats[key] = tuple(reversed(sides)), _format(kind)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", remedy="check the path") from error
    except (struct.error, ValueError, KeyError, OverflowError):
        pass
    return GgufHeader(architecture=architecture, shapes=shapes, tensor_formats=formats)


def _format(number: int) -> str:
    return (_NAMES[number] if number < len(_NAMES) else "") or f"type {number}"


def _within(count: int) -> int:
    if count > _MOST:
        raise ValueError(f"{count} is more than any file has")
    return count


def _number(file: BinaryIO) -> int:
    return struct.unpack("<I", file.read(4))[0]


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    return file.read(_within(length)).decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> str | None:
    """The value where it is a text; any other is passed over."""
    if kind == _TEXT:
        return _text(file)
    if kind != _ARRAY:
        file.seek(_SIZES[kind], 1)
        return None
    inner, (count,) = _number(file), struct.unpack("<Q", file.read(8))
    if inner in _SIZES:
        file.seek(_within(count) * _SIZES[inner], 1)
        return None
    for _ in range(_within(count)):
        _value(file, inner)
    return None
