"""GGUF files of networks, written as ComfyUI-GGUF writes them: rows of 256 where a tensor's own rows fit no blocks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch

_NUMBERS = {"F32": 0, "F16": 1, "Q8_0": 8, "BF16": 30, "IQ4_XS": 23}
_ALIGNED = 32


def write_gguf(
    path: Path, tensors: Mapping[str, torch.Tensor], layout: str, *, architecture: str = "sd1", least: int = 1024
) -> Path:
    """A file of tensors in a layout; those of one axis, or of few numbers, are in float32."""
    keys = [_text("general.architecture") + struct.pack("<I", 8) + _text(architecture)]
    told, data = b"", b""
    for name, tensor in tensors.items():
        small = tensor.ndim == 1 or tensor.numel() < least
        kept = "F32" if small else layout
        shape = tuple(tensor.shape)
        if not small and tensor.numel() % 256 == 0 and shape[-1] % 256:
            said = struct.pack(f"<IIQ{len(shape)}i", 9, 5, len(shape), *shape)
            keys.append(_text(f"comfy.gguf.orig_shape.{name}") + said)
            shape = (tensor.numel() // 256, 256)
        sides = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        told += _text(name) + sides + struct.pack("<IQ", _NUMBERS[kept], len(data))
        data += encoded(tensor, kept)
        data += b"\0" * (-len(data) % _ALIGNED)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + told
    path.write_bytes(head + b"\0" * (-len(head) % _ALIGNED) + data)
    return path


def encoded(tensor: torch.Tensor, layout: str) -> bytes:
    """The bytes of a tensor; those of a layout that nothing reads are zeros."""
    if layout == "IQ4_XS":
        return bytes(prod(tensor.shape) // 256 * 136)
    plain = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if layout in plain:
        return tensor.to(plain[layout]).contiguous().view(torch.uint8).numpy().tobytes()
    rows = tensor.float().reshape(-1, 32)
    scale = rows.abs().amax(1, keepdim=True) / 127
    whole = (rows / scale.clamp(min=1e-30)).round().to(torch.int8)
    return torch.cat([scale.half().view(torch.uint8), whole.view(torch.uint8)], dim=1).numpy().tobytes()


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()
