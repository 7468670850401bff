"""Batches made ahead by worker processes: batch number n is a function of n alone, so a resumed run sees the same."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Batch = dict[str, NDArray[Any]]


def rng_for(seed: int, *keys: int) -> np.random.Generator:
    """A generator of its own for (seed, keys): the draw does not depend on what other workers drew before."""
    return np.random.default_rng([seed, *keys])


def _start_worker() -> None:
    import cv2
    import torch

    # One thread each: the training process has the cores.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def iterate_batches(make: Callable[[int], Batch], *, start: int, workers: int, ahead: int = 4) -> Iterator[Batch]:
    """Yield make(start), make(start + 1), ... for ever, in order, `workers` processes working ahead (0: none)."""
    if workers == 0:
        number = start
        while True:
            yield make(number)
            number += 1
    # spawn: forking a process that already runs OpenMP threads can hang.
    with multiprocessing.get_context("spawn").Pool(workers, initializer=_start_worker) as pool:
        waiting = deque(pool.apply_async(make, (start + i,)) for i in range(workers * ahead))
        number = start + len(waiting)
        while True:
            batch = waiting.popleft().get()
            waiting.append(pool.apply_async(make, (number,)))
            number += 1
            yield batch
