"""The memory ladder by itself."""

from __future__ import annotations

import pytest
import torch

from vedit.errors import VeditError
from vedit.memory import MemoryBudget, MemoryLadder, Stage, is_out_of_memory, smaller


@pytest.mark.parametrize(
    ("stage", "rest"),
    [
        (
            "sample",
            [
                *("batch 1, window 12", "batch 1, window 6", "batch 1, window 4"),
                *("batch 1, window 4, tiled autoencoder", "batch 1, window 4, tiled autoencoder, offloading"),
            ],
        ),
        ("decode", ["batch 1, window 24, tiled autoencoder", "batch 1, window 24, tiled autoencoder, offloading"]),
    ],
)
def test_the_ladder_goes_down_one_thing_at_a_time_and_ends(stage: Stage, rest: list[str]) -> None:
    footing: MemoryBudget | None = MemoryBudget(batch=8, window=24)
    told: list[str] = []
    while footing is not None:
        told.append(str(footing))
        footing = smaller(footing, stage=stage, can_offload=True)
    assert told == ["batch 8, window 24", "batch 2, window 24", "batch 1, window 24", *rest]


def test_a_cpu_does_not_offload_to_itself() -> None:
    assert smaller(MemoryBudget(batch=1, window=4, tiled=True), stage="sample", can_offload=False) is None
    assert smaller(MemoryBudget(batch=1, window=4, tiled=True), stage="decode", can_offload=False) is None


class FakeModel:
    can_offload = False

    def __init__(self) -> None:
        self.told: list[tuple[int, bool, bool]] = []

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None:
        self.told.append((batch, tiled, offloaded))


def test_a_call_is_tried_again_on_each_rung() -> None:
    model, notes = FakeModel(), list[str]()
    ladder = MemoryLadder(MemoryBudget(batch=4, window=8), model, on_note=notes.append)

    def decode() -> str:
        if not ladder.footing.tiled:
            raise MemoryError
        return "made"

    assert ladder.run("decode", decode) == "made"
    assert model.told == [(4, False, False), (1, False, False), (1, True, False)]
    assert notes == ladder.notes
    assert notes[-1] == "out of memory with batch 1, window 8: going on with batch 1, window 8, tiled autoencoder"
    with pytest.raises(RuntimeError, match="size"):
        ladder.run("decode", lambda: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(VeditError, match="out of memory even with batch 1, window 8, tiled autoencoder"):
        ladder.run("decode", lambda: (_ for _ in ()).throw(MemoryError()))  # pyright: ignore[reportUnknownLambdaType]


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


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("could not create a primitive", True),
        ("could not execute a primitive", True),
        ("could not create a memory object", True),
        ("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate", True),
        ("could not create a primitive descriptor for the convolution forward propagation primitive", False),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_what_says_that_memory_ran_out(text: str, memory: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) is memory
    assert not is_out_of_memory(ValueError(text))
