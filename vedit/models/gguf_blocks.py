"""The number formats of GGUF files: blocks of bytes -> the numbers that they stand for.

A block holds 32 numbers, or 256 in the formats called K, as small integers with scales in half precision. The layouts
are those of ggml's own definition (ggml-common.h), little endian throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vedit.models.gguf_header import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping

Parts = tuple[torch.Tensor, ...]


def widened(blocks: torch.Tensor, layout: str) -> torch.Tensor:
    """The numbers of blocks, in order, as float32.

    Args:
        blocks: bytes, of whatever shape, as a file has them.
        layout: the number format: one of `vedit.models.gguf_header.BLOCKS`.
    """
    count, size = BLOCKS[layout]
    rows = blocks.reshape(-1, size)
    return _LAYOUTS[layout].read(rows).reshape(len(rows), count)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """The bytes of the fields of a block, in order, and what they make."""

    sizes: tuple[int, ...]
    make: Callable[..., torch.Tensor]

    def read(self, rows: torch.Tensor) -> torch.Tensor:
        return self.make(*rows.split(list(self.sizes), dim=1))


def _half(field: torch.Tensor) -> torch.Tensor:
    return field.contiguous().view(torch.float16).float()


def _signed(field: torch.Tensor) -> torch.Tensor:
    return field.contiguous().view(torch.int8).float()


def _bits(field: torch.Tensor, width: int) -> torch.Tensor:
    """Bytes (N, B) -> their parts of so many bits (N, 8 / width, B), the lowest first: a byte's parts lie B apart."""
    shifts = torch.arange(0, 8, width, dtype=torch.uint8, device=field.device)
    return (field[:, None, :] >> shifts[None, :, None]) & (2**width - 1)


def _flags(field: torch.Tensor) -> torch.Tensor:
    """Four bytes (N, 4) as 32 bits (N, 32), the lowest of the first byte first."""
    return _bits(field, 1).transpose(1, 2).flatten(1)


def _q8_0(d: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _half(d) * _signed(q)


def _q4_0(d: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _half(d) * (_bits(q, 4).flatten(1).float() - 8)


def _q4_1(d: torch.Tensor, m: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _half(d) * _bits(q, 4).flatten(1) + _half(m)


def _q5_0(d: torch.Tensor, high: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _half(d) * ((_bits(q, 4).flatten(1) | _flags(high) << 4).float() - 16)


def _q5_1(d: torch.Tensor, m: torch.Tensor, high: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _half(d) * (_bits(q, 4).flatten(1) | _flags(high) << 4) + _half(m)


def _in_runs(field: torch.Tensor, run: int, width: int) -> torch.Tensor:
    """Bytes (N, B) in runs of so many, each split by itself: (N, 8 B / width)."""
    rows = field.reshape(-1, run)
    return _bits(rows, width).reshape(len(field), -1)


def _q2_k(scales: torch.Tensor, q: torch.Tensor, d: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    by_sixteen = _in_runs(q, 32, 2).reshape(len(q), 16, 16)
    scale, below = _half(d) * (scales & 15), _half(least) * (scales >> 4)
    return scale[..., None] * by_sixteen - below[..., None]


def _q3_k(high: torch.Tensor, q: torch.Tensor, scales: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    # Sixteen scales of six bits: four low ones from the first eight bytes, two high ones from the last four.
    low, top = _bits(scales[:, :8], 4).flatten(1), _bits(scales[:, 8:], 2).flatten(1)
    scale = _half(d) * ((low | top << 4).float() - 32)
    # A high bit that is set takes nothing away, one that is not takes four.
    whole = _in_runs(q, 32, 2).float() - 4 * (1 - _bits(high, 1).flatten(1).float())
    return scale[..., None] * whole.reshape(len(q), 16, 16)


def _scales_of_eight(packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Twelve bytes (N, 12) -> eight scales and eight offsets of six bits, each (N, 8)."""
    first, second, rest = packed.split(4, dim=1)
    scale = torch.cat([first & 63, rest & 15 | first >> 6 << 4], dim=1)
    return scale, torch.cat([second & 63, rest >> 4 | second >> 6 << 4], dim=1)


def _of_eight(d: torch.Tensor, least: torch.Tensor, packed: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    scale, below = _scales_of_eight(packed)
    wide = (_half(d) * scale)[..., None] * whole.reshape(len(whole), 8, 32)
    return wide - (_half(least) * below)[..., None]


def _q4_k(d: torch.Tensor, least: torch.Tensor, packed: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return _of_eight(d, least, packed, _in_runs(q, 32, 4))


def _q5_k(
    d: torch.Tensor, least: torch.Tensor, packed: torch.Tensor, high: torch.Tensor, q: torch.Tensor
) -> torch.Tensor:
    return _of_eight(d, least, packed, _in_runs(q, 32, 4) | _bits(high, 1).flatten(1) << 4)


def _q6_k(low: torch.Tensor, high: torch.Tensor, scales: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    whole = (_in_runs(low, 64, 4) | _in_runs(high, 32, 2) << 4).float() - 32
    return (_half(d) * _signed(scales))[..., None] * whole.reshape(len(low), 16, 16)


_LAYOUTS: Mapping[str, _Layout] = {
    "Q8_0": _Layout(sizes=(2, 32), make=_q8_0),
    "Q4_0": _Layout(sizes=(2, 16), make=_q4_0),
    "Q4_1": _Layout(sizes=(2, 2, 16), make=_q4_1),
    "Q5_0": _Layout(sizes=(2, 4, 16), make=_q5_0),
    "Q5_1": _Layout(sizes=(2, 2, 4, 16), make=_q5_1),
    "Q2_K": _Layout(sizes=(16, 64, 2, 2), make=_q2_k),
    "Q3_K": _Layout(sizes=(32, 64, 12, 2), make=_q3_k),
    "Q4_K": _Layout(sizes=(2, 2, 12, 128), make=_q4_k),
    "Q5_K": _Layout(sizes=(2, 2, 12, 32, 128), make=_q5_k),
    "Q6_K": _Layout(sizes=(128, 64, 16, 2), make=_q6_k),
}
