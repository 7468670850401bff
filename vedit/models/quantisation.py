"""The ways in which a network's weights are quantised, and what each takes. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

NONE = "none"
BLOCK = 64
"""Numbers that share a scale in four bits."""
LEAST = 1024
"""Numbers that a weight has at least to be quantised: below, nothing is gained."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What a quantised weight takes."""

    bits: int
    """Of each number."""
    block_bytes: int = 0
    """Beside them, for each `BLOCK` numbers."""
    row_bytes: int = 0
    """Beside them, for each row of the weight."""

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a weight of a shape is quantised so; the few and small others stay as they are."""
        numbers = prod(shape)
        return numbers >= LEAST and not (self.block_bytes and numbers % BLOCK)

    def bytes_of(self, shape: tuple[int, ...]) -> int:
        """What a weight of a shape that is quantised so takes."""
        numbers = prod(shape)
        return numbers * self.bits // 8 + numbers // BLOCK * self.block_bytes + shape[0] * self.row_bytes


WAYS = {
    "int8": Way(bits=8, row_bytes=4),
    "fp8": Way(bits=8, row_bytes=4),
    "int4": Way(bits=4, block_bytes=5),
    "nf4": Way(bits=4, block_bytes=4),
}
"""By what the setting calls them."""
