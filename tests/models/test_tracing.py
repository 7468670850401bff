"""What a pass on the meta device says of memory and work: against what is known of small networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from vedit.models.tracing import MemoryTrace

MB = 2**20


def empty(*sides: int) -> torch.Tensor:
    return torch.empty(sides, device="meta")


def test_what_has_ended_is_not_held_and_what_lives_on_is_left() -> None:
    with torch.inference_mode(), MemoryTrace("cuda") as trace:
        a = empty(1024, 1024) + 1
        b = a * 2
        del a
        c = b * 3
        del b
    found = trace.take()
    # `empty` itself is one: it is made within.
    assert (found.peak, found.left) == (8 * MB, 4 * MB)
    assert c.shape == (1024, 1024)


def test_a_view_and_what_is_written_in_place_take_nothing() -> None:
    x = empty(1024, 1024)
    with torch.inference_mode(), MemoryTrace("cuda") as trace:
        x.view(-1)[:5].t()
        x.add_(1)
    assert trace.take().peak == 0


def test_a_heap_stays_as_large_as_it_was_and_what_is_mapped_goes_back() -> None:
    def run(device: str) -> int:
        with torch.inference_mode(), MemoryTrace(device) as trace:
            small = [empty(1024, 1024) + 1 for _ in range(4)]
            del small
            large = empty(16 * 1024, 1024) + 1  # 64 MB
            del large
        return trace.take().peak

    assert run("cuda") == 2 * 64 * MB
    assert run("cpu") == 2 * 64 * MB + 5 * 4 * MB


def test_work_is_that_of_torchs_own_counter() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Flatten(2), torch.nn.Linear(256, 32, device="meta")
    ).to("meta")
    with torch.inference_mode(), MemoryTrace("cpu") as trace:
        network(empty(2, 3, 16, 16))
    found = trace.take()
    with FlopCounterMode(display=False) as counter:
        network(empty(2, 3, 16, 16))
    assert found.convolutions + found.products == counter.get_total_flops()
    assert found.convolutions == 2 * 2 * 8 * 256 * 27


def test_attention_is_one_kernel_that_makes_no_table_of_all_pairs() -> None:
    with torch.inference_mode(), MemoryTrace("cpu") as trace:
        query, key = empty(1, 8, 4096, 40), empty(1, 8, 1024, 40)
        F.scaled_dot_product_attention(query, key, key)
    found = trace.take()
    assert found.attention == 4 * 8 * 4096 * 1024 * 40
    assert found.peak < 8 * 4096 * 1024 * 4


def test_attention_that_is_not_fused_makes_the_table_and_is_two_products() -> None:
    with torch.inference_mode(), MemoryTrace("cuda", fused=False) as trace:
        query, key = empty(1, 8, 4096, 40), empty(1, 8, 1024, 40)
        F.scaled_dot_product_attention(query, key, key, attn_mask=empty(4096, 1024))
    found, table = trace.take(), 8 * 4096 * 1024 * 4
    assert (found.attention, found.products) == (0, 4 * 8 * 4096 * 1024 * 40)
    # The products and their softmax, and of what they are made the scaled copies.
    assert 2 * table < found.peak < 3 * table


def test_a_convolution_on_a_cpu_brings_a_copy_of_its_weights() -> None:
    network = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to("meta")

    def peak(device: str) -> int:
        x = empty(1, 64, 8, 8)
        with torch.inference_mode(), MemoryTrace(device) as trace:
            network(x)
        return trace.take().peak

    assert peak("cpu") - peak("cuda") == 64 * 64 * 9 * 4
