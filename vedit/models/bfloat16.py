"""Whether a CPU computes in bfloat16 faster than in float32, and right: tried once on each machine.

Processors with instructions for it take half the time; on others bfloat16 is slower, and some builds of torch have had
kernels that are. Which one it is decides frames (`vedit.models.loading.Loading.on_this_machine`), so it may not differ
from run to run: the gain that is asked for lies well between the two kinds, a verdict is kept in `bfloat16.json` in the
folder for caches, and it is found on one thread, whatever a render computes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from functools import cache

import torch
import torch.nn.functional as F

from vedit.store.cache_folder import cache_root
from vedit.store.computed_on import computed_on, with_threads
from vedit.store.kept_table import BFLOAT16, keep, read_table

FILE = BFLOAT16
FORMAT = 1
"""Raised where what is tried is another."""
LEAST_GAIN = 1.4
"""How many times as fast it has to be: with instructions for it, it is 2 to 5 times as fast, without less than once."""
LARGEST_ERROR = 0.01
"""Of what was computed, relative: rounding to eight bits leaves 0.003."""
_TABLE = "faster"
_ENTRIES = 40
_ROUNDS = 8
# Of the thread alone, which others on the machine do not lengthen, where that is told finely enough.
_clock = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-5 else time.perf_counter
_Run = Callable[[], torch.Tensor]


def computes_faster(device: str) -> bool:
    """Whether a device is a CPU, which computes in float32 unless it is asked for less, and does better in bfloat16."""
    return torch.device(device).type == "cpu" and _found_on_this_machine()


@cache
def _found_on_this_machine() -> bool:
    path, key = cache_root() / FILE, _machine()
    known = read_table(path, _TABLE, version=FORMAT).get(key)
    if isinstance(known, bool):
        return known
    found = verdict(*tried())
    keep(path, _TABLE, {key: found}, version=FORMAT, newest=_ENTRIES)
    return found


def verdict(gain: float, error: float) -> bool:
    """Whether it is worth it, and right.

    Args:
        gain: how many times as fast as float32 it was.
        error: relative, of what came out.
    """
    return gain >= LEAST_GAIN and error <= LARGEST_ERROR  # false of what is not a number


def tried() -> tuple[float, float]:
    """The gain, and the error that `verdict` goes by: of a convolution and a product as networks are made of, 50 ms."""
    with torch.inference_mode(), with_threads(1):
        numbers = torch.Generator().manual_seed(0)
        picture = torch.randn(1, 64, 64, 64, generator=numbers).to(memory_format=torch.channels_last)
        kernel = torch.randn(64, 64, 3, 3, generator=numbers).to(memory_format=torch.channels_last)
        tokens, weight = torch.randn(1024, 256, generator=numbers), torch.randn(256, 256, generator=numbers)

        def convolved(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
            return F.conv2d(x, w, padding=1)

        layers = ((convolved, picture, kernel), (F.linear, tokens, weight))
        wide = [_call(run, x, w) for run, x, w in layers]
        half = [_call(run, x.bfloat16(), w.bfloat16()) for run, x, w in layers]
        error = max(_error(one(), other()) for one, other in zip(half, wide, strict=True))
        slow, fast = _fastest(wide, half)
    return slow / fast, error


def _call(run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], x: torch.Tensor, w: torch.Tensor) -> _Run:
    return lambda: run(x, w)


def _error(found: torch.Tensor, right: torch.Tensor) -> float:
    return float((found.float() - right).norm() / right.norm())


def _fastest(*ways: Sequence[_Run]) -> list[float]:
    """The seconds of each way, of its runs the fastest. They take turns, so that what else runs here meets all."""
    best = [math.inf] * len(ways)
    for _ in range(_ROUNDS):
        for number, runs in enumerate(ways):
            start = _clock()
            for run in runs:
                run()
            best[number] = min(best[number], _clock() - start)
    return [max(one, 1e-7) for one in best]


def _machine() -> str:
    """What tells machines apart, whatever their threads."""
    kind = {name: told for name, told in computed_on(torch.device("cpu")).items() if name != "threads"}
    told = {"name": platform.node(), "cores": os.cpu_count(), **kind}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
