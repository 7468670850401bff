"""The memory ladder by itself."""

from __future__ import annotations

import pytest
import torch

from vedit.memory import Footing, is_out_of_memory, smaller


def test_the_ladder_goes_down_one_thing_at_a_time_and_ends() -> None:
    footing: Footing | None = Footing(batch=8, window=24)
    told: list[str] = []
    while footing is not None:
        told.append(str(footing))
        footing = smaller(footing, can_offload=True)
    assert told == [
        "batch 8, window 24",
        "batch 2, window 24",
        "batch 1, window 24",
        "batch 1, window 12",
        "batch 1, window 6",
        "batch 1, window 4",
        "batch 1, window 4, tiled autoencoder",
        "batch 1, window 4, tiled autoencoder, offloading",
    ]


def test_a_cpu_does_not_offload_to_itself() -> None:
    assert smaller(Footing(batch=1, window=4, tiled=True), can_offload=False) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_every_backend_s_way_to_say_it(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
