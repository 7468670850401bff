"""GGUF files of networks, written as ComfyUI-GGUF writes them: rows of 256 where a tensor's own rows fit no blocks."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch

_NUMBERS = {"F32": 0, "F16": 1, "Q8_0": 8, "Q4_K": 12, "BF16": 30, "IQ4_XS": 23}
_BYTES = {"F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34), "Q4_K": (256, 144), "IQ4_XS": (256, 136)}
"""Numbers of a block, and its bytes."""
_ALIGNED, _LEAST = 32, 1024

Shape = tuple[int, ...]


def write_gguf(path: Path, tensors: Mapping[str, torch.Tensor], layout: str, *, architecture: str = "sd1") -> Path:
    """A file of tensors in a layout; those of one axis, or of few numbers, are in float32."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    write_sparse_gguf(path, shapes, layout, architecture=architecture)
    at = _head(shapes, layout, architecture)[1]
    with path.open("r+b") as file:
        for name, tensor in tensors.items():
            file.seek(at[name])
            file.write(encoded(tensor, kept_in(tuple(tensor.shape), layout)))
    return path


def write_sparse_gguf(path: Path, shapes: Mapping[str, Shape], layout: str, *, architecture: str = "sd1") -> Path:
    """The same of zeros, which takes a few kilobytes of the disk, whatever its size."""
    head, _, size = _head(shapes, layout, architecture)
    with path.open("wb") as file:
        file.write(head)
        os.truncate(file.fileno(), size)
    return path


def kept_in(shape: Shape, layout: str) -> str:
    """The layout of a tensor of a shape."""
    return "F32" if len(shape) == 1 or prod(shape) < _LEAST else layout


def _head(shapes: Mapping[str, Shape], layout: str, architecture: str) -> tuple[bytes, dict[str, int], int]:
    """What stands before the tensors, where each begins, and where the file ends."""
    keys, told = [_text("general.architecture") + struct.pack("<I", 8) + _text(architecture)], b""
    at, end = dict[str, int](), 0
    for name, shape in shapes.items():
        kept, rows = kept_in(shape, layout), shape
        if kept == layout and prod(shape) % 256 == 0 and shape[-1] % 256:
            said = struct.pack(f"<IIQ{len(shape)}i", 9, 5, len(shape), *shape)
            keys.append(_text(f"comfy.gguf.orig_shape.{name}") + said)
            rows = (prod(shape) // 256, 256)
        sides = struct.pack(f"<I{len(rows)}Q", len(rows), *reversed(rows))
        told += _text(name) + sides + struct.pack("<IQ", _NUMBERS[kept], end)
        at[name], (count, size) = end, _BYTES[kept]
        end += prod(shape) // count * size
        end += -end % _ALIGNED
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(keys)) + b"".join(keys) + told
    head += b"\0" * (-len(head) % _ALIGNED)
    return head, {name: len(head) + begin for name, begin in at.items()}, len(head) + end


def encoded(tensor: torch.Tensor, layout: str) -> bytes:
    """The bytes of a tensor; in a layout that these tests do not encode, zeros."""
    plain = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if layout in plain:
        return tensor.to(plain[layout]).contiguous().view(torch.uint8).numpy().tobytes()
    if layout != "Q8_0":
        count, size = _BYTES[layout]
        return bytes(tensor.numel() // count * size)
    rows = tensor.float().reshape(-1, 32)
    scale = rows.abs().amax(1, keepdim=True) / 127
    whole = (rows / scale.clamp(min=1e-30)).round().to(torch.int8)
    return torch.cat([scale.half().view(torch.uint8), whole.view(torch.uint8)], dim=1).numpy().tobytes()


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()
