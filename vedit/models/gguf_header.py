"""What lies in a GGUF file, told by its first bytes: the network, its tensors, and how each is quantised.

The layout is that of ggml's own description of the format, versions 2 and 3. Imports nothing heavy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

from vedit.errors import ModelError
from vedit.models.headers import FETCH_AGAIN, GGUF

# Sizes of plain values by type number; 8 is a text and 9 an array.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _ARRAY = 8, 9
_WHOLE = {4: "<I", 5: "<i"}
"""How whole numbers of 32 bits are read."""
_MOST_AXES = 8
_MOST = 1_000_000
"""Keys, items of an array or tensors: more than any file has."""
_NAMES = (
    *("F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32"),
    *("I64", "F64", "IQ1_M", "BF16", "", "", "", "TQ1_0", "TQ2_0"),
)
"""ggml's number formats by their numbers; two were taken back, and three are of one machine's layout."""
PLAIN = {"F32": 4, "F16": 2, "BF16": 2}
"""The formats that are a number each, and its bytes."""
BLOCKS: Mapping[str, tuple[int, int]] = {
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
}
"""The formats in blocks that vedit reads (`vedit.models.gguf_blocks`): numbers in a block, and its bytes."""
_SHAPED = "comfy.gguf.orig_shape."
"""How keys begin that tell the shape that a tensor had before it was laid into rows of 256."""


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself, as far as it can be read."""

    architecture: str = ""
    """What it calls its network ("wan", "flux", ...); empty where it does not say."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """Of all tensors, in torch's order of axes."""
    tensor_formats: Mapping[str, str] = field(default_factory=dict[str, str])
    """How each is stored: "Q4_K", "F16" ..."""
    begins: Mapping[str, int] = field(default_factory=dict[str, int])
    """Where in the file each begins, in bytes; none of a file that is cut off within what it says of itself."""

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
    keys_told, shapes, formats = dict[str, object](), dict[str, tuple[int, ...]](), dict[str, str]()
    offsets, begins = dict[str, int](), dict[str, int]()
    try:
        with path.open("rb") as file:
            if file.read(4) != GGUF:
                raise ModelError(f"{path} is no GGUF file", remedy=FETCH_AGAIN)
            _, tensors, keys = struct.unpack("<IQQ", file.read(20))
            for _ in range(_within(keys)):
                key = _text(file)
                keys_told[key] = _value(file, _number(file))
            for _ in range(_within(tensors)):
                key, axes = _text(file), _within(_number(file))
                sides = struct.unpack(f"<{axes}Q", file.read(8 * axes))
                kind, offsets[key] = struct.unpack("<IQ", file.read(12))
                shapes[key], formats[key] = _shape(keys_told, key, sides), _format(kind)
            start = -(-file.tell() // _alignment(keys_told)) * _alignment(keys_told)
            begins = {key: start + offset for key, offset in offsets.items()}
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", remedy="check the path") from error
    except (struct.error, ValueError, KeyError, OverflowError):
        pass
    told = keys_told.get("general.architecture")
    return GgufHeader(
        architecture=told if isinstance(told, str) else "", shapes=shapes, tensor_formats=formats, begins=begins
    )


def _alignment(told: Mapping[str, object]) -> int:
    """What the beginnings of tensors are a multiple of, in bytes."""
    said = told.get("general.alignment")
    return said if isinstance(said, int) and said > 0 else 32


def _shape(told: Mapping[str, object], key: str, sides: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a tensor in torch's order; of one that was laid into rows, the one that it had before."""
    before = told.get(f"{_SHAPED}{key}")
    if isinstance(before, tuple):
        original = cast("tuple[int, ...]", before)
        if prod(original) == prod(sides):
            return original
    return tuple(reversed(sides))


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


def _value(file: BinaryIO, kind: int) -> object:
    """The value where it is a text, a whole number of 32 bits or a list of these; any other is passed over."""
    if kind == _TEXT:
        return _text(file)
    if kind in _WHOLE:
        return struct.unpack(_WHOLE[kind], file.read(4))[0]
    if kind != _ARRAY:
        file.seek(_SIZES[kind], 1)
        return None
    inner, (count,) = _number(file), struct.unpack("<Q", file.read(8))
    if inner in _WHOLE and count <= _MOST_AXES:
        return tuple(struct.unpack(_WHOLE[inner], file.read(4))[0] for _ in range(count))
    if inner in _SIZES:
        file.seek(_within(count) * _SIZES[inner], 1)
        return None
    for _ in range(_within(count)):
        _value(file, inner)
    return None
