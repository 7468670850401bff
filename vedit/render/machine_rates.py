"""What this machine computes in a second, measured once: what the time of models is told by that never ran here.

Four probes of what diffusion networks are made of, a tenth of a second each: a convolution, a matrix product, fused
attention, and what only moves numbers. What came of them is kept in `rates.json` in the folder for caches; it is never
needed, and measured anew where it is absent or damaged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F

from vedit.store.cache_folder import cache_root
from vedit.store.computed_on import machine_key
from vedit.store.kept_table import RATES, keep, read_table

if TYPE_CHECKING:
    from vedit.models.footprint import Work

FILE = RATES
FORMAT = 1
"""Raised where the probes are others."""
_ENTRIES = 40
_PROBE_SECONDS = 0.1
_LEAST_RUNS = 3
_MEASURED = 3
"""Processes that measure."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Operations a second, and bytes a second of what is moved; see `vedit.models.footprint.Work`."""

    convolutions: float
    products: float
    attention: float
    moved: float

    def seconds(self, work: Work) -> float:
        """What a frame's work takes."""
        told, own = asdict(work), asdict(self)
        return sum(told[name] / own[name] for name in own)


@cache
def rates_of(device: str, precision: str) -> Rates:
    """What a device computes in a number format: "float32", "float16" or "bfloat16".

    It is measured in the first few processes that ask, and the fastest of it counts: other programs hold it up.
    """
    key = f"{machine_key(device)} {precision}"
    path = cache_root() / FILE
    known = _known(read_table(path, "rates", version=FORMAT).get(key))
    if len(known) < _MEASURED:
        known = [*known, _measured(torch.device(device), getattr(torch, precision))]
        keep(path, "rates", {key: [asdict(one) for one in known]}, version=FORMAT, newest=_ENTRIES)
    return Rates(**{one.name: max(getattr(rates, one.name) for rates in known) for one in fields(Rates)})


def _known(told: object) -> list[Rates]:
    """What is kept of a machine, where it is whole."""
    kept = cast("list[Mapping[str, Any]]", told) if isinstance(told, list) else []
    try:
        found = [{one.name: float(each[one.name]) for one in fields(Rates)} for each in kept]
    except (KeyError, TypeError, ValueError):
        return []
    return [Rates(**one) for one in found] if all(map(_is_rate, (v for one in found for v in one.values()))) else []


def _is_rate(value: float) -> bool:
    return math.isfinite(value) and value > 0


@torch.inference_mode()
def _measured(device: torch.device, dtype: torch.dtype) -> Rates:
    def numbers(*sides: int) -> torch.Tensor:
        return torch.zeros(sides, device=device, dtype=dtype)

    picture = numbers(2, 320, 64, 64).to(memory_format=torch.channels_last)
    kernel = numbers(320, 320, 3, 3).to(memory_format=torch.channels_last)
    tokens, weight = numbers(4096, 640), numbers(640, 2560)
    query = numbers(2, 8, 2048, 40)
    return Rates(
        convolutions=2 * picture.numel() * 320 * 9 / _fastest(lambda: F.conv2d(picture, kernel, padding=1), device),
        products=2 * 4096 * 640 * 2560 / _fastest(lambda: tokens @ weight, device),
        attention=4
        * query.numel()
        * 2048
        / _fastest(lambda: F.scaled_dot_product_attention(query, query, query), device),
        moved=4
        * picture.numel()
        * picture.element_size()
        / _fastest(lambda: F.silu(F.group_norm(picture, 32)), device),
    )


def _fastest(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of one run, the fastest of some: others use the machine too."""
    run()
    best, begun, runs = math.inf, time.perf_counter(), 0
    while runs < _LEAST_RUNS or time.perf_counter() - begun < _PROBE_SECONDS:
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return max(best, 1e-7)
