"""Which of torch's kernels computes attention, wherever `scaled_dot_product_attention` is called."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

AUTO = "auto"
_KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
_PROBED = (1, 1, 64, 64)
"""Sides of a query that every kernel takes: 64 tokens of a head 64 wide."""


@contextmanager
def attending_by(name: str) -> Generator[None]:
    """A kernel first for as long as the context lasts; what it cannot compute (a mask, a wide head) goes to the next.

    The choice is the process's: calls in other threads make it too.

    Args:
        name: "flash" (Dao et al. 2022), "efficient" (Rabe and Staats 2021), "cudnn", "math", which is the two products
            and the softmax between them, or "auto", which leaves torch its own choice.
    """
    if name == AUTO:
        yield
        return
    first = _KERNELS[name]
    # On a CPU torch knows no order among those that it may take. This one can compute everything by itself.
    alone = first is SDPBackend.MATH
    with sdpa_kernel([first] if alone else list(dict.fromkeys((first, *_KERNELS.values()))), set_priority=True):
        yield


@cache
def can_attend_by(name: str, device: str, dtype: torch.dtype) -> bool:
    """Whether a device of this machine has a kernel for numbers of a format, found by trying it."""
    if torch.device(device).type not in ("cpu", "cuda"):
        # Others have one of their own, whatever is chosen.
        return False
    query = torch.zeros(_PROBED, device=device, dtype=dtype)
    # The first call on a device settles torch's own order: made within the context, it would be lost with that.
    F.scaled_dot_product_attention(query, query, query)
    with warnings.catch_warnings(), sdpa_kernel(_KERNELS[name]):
        # It tells of every kernel why it was not taken.
        warnings.simplefilter("ignore")
        try:
            F.scaled_dot_product_attention(query, query, query)
        except RuntimeError:
            return False
    return True
