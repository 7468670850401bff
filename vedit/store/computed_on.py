"""What the last bits of a network's sums depend on beside its inputs, and a run that goes on with that of another."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch

MOST_THREADS = 1024
"""More than this is no thread count that a run can have had."""


def computed_on(device: torch.device, precision: str = "") -> dict[str, object]:
    """The kind of machine that computes, JSON-able: results of two kinds differ by rounding.

    Args:
        device: of the networks.
        precision: what they compute in; empty where that is told apart otherwise.
    """
    told: dict[str, object] = {"device": device.type, "torch": str(torch.__version__)}
    if precision:
        told["precision"] = precision
    if device.type == "cpu":
        # Sums are cut by threads; which instructions there are chooses the kernels.
        told |= {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    elif device.type == "cuda":
        told["name"] = torch.cuda.get_device_name(device)
    return told


def machine_key(device: str) -> str:
    """What tells machines apart that share a folder, and ways to run on one: name, processor, device and threads."""
    told = {"name": platform.node(), "cores": os.cpu_count(), **computed_on(torch.device(device))}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def in_words(kind: Mapping[str, object]) -> str:
    """A kind of machine in a message."""
    return ", ".join(f"{key} {value}" for key, value in kind.items())


def threads_of(kind: Mapping[str, object] | None) -> int | None:
    """The CPU threads that a recorded kind of machine used; None where it says none that can be believed."""
    count = None if kind is None or kind.get("device") != "cpu" else kind.get("threads")
    if isinstance(count, bool) or not isinstance(count, int):
        return None
    return count if 1 <= count <= MOST_THREADS else None


@contextmanager
def with_threads(count: int | None) -> Generator[None]:
    """PyTorch on this many CPU threads for as long as the context lasts, whatever the machine has; None: as they are.

    With more threads than cores it is slower, and the sums are the same.
    """
    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
