"""The depth controls: distance as brightness, near is white; by three models, all run through transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch.nn import functional as F

from vedit.errors import InputError
from vedit.preprocessors.batches import rebatch
from vedit.preprocessors.depth_models import DEPTH_ANYTHING, DPT, ZOE, DepthModel, inverse_depth
from vedit.preprocessors.depth_steady import Steady
from vedit.preprocessors.spool import Spool

MODELS = {"depth": DEPTH_ANYTHING, "depth-dpt": DPT, "depth-zoe": ZOE}
"""By the names of their preprocessors."""
_LIMITS = (0.01, 0.99)
"""Quantiles of a shot's inverse depth that become 0 and 1: a few odd pixels must not take the range."""
_BINS, _ROUNDS = 1024, 3
_BLANK = 1.5 / 255
"""Standard deviation of luma below which a frame shows nothing, as in a fade from black."""
_TOGETHER = 2
"""Frames read back at a time."""


def depth(
    chunks: Iterable[torch.Tensor], *, steady: bool = True, short_side: int | None = None
) -> Iterator[torch.Tensor]:
    """Relative inverse depth by Depth Anything V2 Small: near is 1, far is 0.

    One range for the whole shot, so that a wall keeps its grey while something passes before it: the 1st and 99th
    percentile of all its inverse depths become 0 and 1. Frames that show nothing (black) are 0 and do not count.

    Args:
        chunks: one shot, float (T, 3, H, W) in [0, 1] each, in chunks of any lengths, which change nothing.
        steady: hold each frame's depth to the last one's by optical flow, see `depth_steady`.
        short_side: pixels at which the model looks; None takes what it was trained at. Fewer are faster and coarser.

    Yields:
        Float (T, 3, H, W) in [0, 1], the three channels equal; 0 throughout where a shot has no depth at all.

    Raises:
        ModelError: the weights are absent, or not those of the model.
    """
    return _depth_maps(chunks, DEPTH_ANYTHING, steady=steady, short_side=short_side)


def depth_dpt(
    chunks: Iterable[torch.Tensor], *, steady: bool = True, short_side: int | None = None
) -> Iterator[torch.Tensor]:
    """Relative inverse depth by DPT-Large (MiDaS 3.0), which the first depth ControlNets saw; else as `depth`."""
    return _depth_maps(chunks, DPT, steady=steady, short_side=short_side)


def depth_zoe(
    chunks: Iterable[torch.Tensor], *, steady: bool = True, short_side: int | None = None
) -> Iterator[torch.Tensor]:
    """Inverse of the metric depth of ZoeDepth, over the shot's range; else as `depth`."""
    return _depth_maps(chunks, ZOE, steady=steady, short_side=short_side)


def depth_values(
    chunks: Iterable[torch.Tensor], *, kind: str = "depth", steady: bool = True, short_side: int | None = None
) -> Iterator[torch.Tensor]:
    """Inverse depth as numbers, for a float format such as EXR: not normalised, not clipped.

    Args:
        chunks: as `depth` takes them.
        kind: `depth`, `depth-dpt` or `depth-zoe`.
        steady: see `depth`.
        short_side: see `depth`.

    Yields:
        Float32 (T, 1, H, W) on the CPU, at least 0, 0 = infinitely far or a frame that shows nothing: 1 / metres of
        `depth-zoe`; of the others in a unit of the shot's own, and up to a shift that the model leaves open.

    Raises:
        InputError: another kind.
        ModelError: the weights are absent, or not those of the model.
    """
    if kind not in MODELS:
        raise InputError(f"{kind!r} has no depth values", remedy=f"use one of {', '.join(MODELS)}")
    for frames, values, _ in _estimates(chunks, MODELS[kind], steady=steady, short_side=short_side):
        yield _grown(values, frames)


def _estimates(
    chunks: Iterable[torch.Tensor], model: DepthModel, *, steady: bool, short_side: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Frames, their inverse depth (T, 1, h, w) at the model's own size, and which frames show something, (T,) bool."""
    past = Steady()
    parts = iter(chunks)
    first = next(parts, None)
    if first is None:
        return
    together = 1 if first.device.type == "cpu" else model.batch
    for frames in rebatch(chain([first], parts), together):
        height, width = frames.shape[-2:]
        size = model.size(height, width, short_side)
        shown = _shown(frames)
        values = inverse_depth(model, frames, size) * shown.view(-1, 1, 1, 1)
        if steady:
            small = F.interpolate(frames.float().cpu(), size, mode="bilinear", antialias=True)
            for index, visible in enumerate(shown.tolist()):
                if visible:
                    values[index] = past.push(small[index], values[index])
                else:
                    past.forget()
        yield frames, values, shown


def _depth_maps(
    chunks: Iterable[torch.Tensor], model: DepthModel, *, steady: bool, short_side: int | None
) -> Iterator[torch.Tensor]:
    with Spool() as spool:
        visible: list[bool] = []
        like: torch.Tensor | None = None
        for frames, values, shown in _estimates(chunks, model, steady=steady, short_side=short_side):
            spool.append(values)
            visible += shown.tolist()
            like = frames[:0]
        if like is None:
            return
        low, high = _range(spool, visible)
        for values in spool.read(_TOGETHER):
            unit = ((values - low) / (high - low)).clamp(0, 1) if high > low else torch.zeros_like(values)
            # Interpolation keeps within the values it is between, so the result needs no second clipping.
            yield _grown(unit, like).to(like).expand(-1, 3, -1, -1).contiguous()


def _grown(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Values (T, 1, h, w) at the height and width of `like`."""
    height, width = like.shape[-2:]
    return F.interpolate(values, (height, width), mode="bilinear")


def _shown(frames: torch.Tensor) -> torch.Tensor:
    """Which of the frames (T, 3, H, W) show anything, (T,) bool on the CPU."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=frames.device).view(1, 3, 1, 1)
    return (frames.float() * weights).sum(1).flatten(1).std(dim=1, correction=0).cpu() > _BLANK


def _range(spool: Spool, visible: list[bool]) -> tuple[float, float]:
    """What becomes 0 and 1: quantiles over all frames that show something; (0, 0) where they are flat."""
    kept = partial(_visible, spool, visible)
    least, most = math.inf, -math.inf
    for values in kept():
        least, most = min(least, float(values.min())), max(most, float(values.max()))
    if least > most or _flat(least, most):
        return 0.0, 0.0
    low, high = _quantiles(kept, least, most)
    return (least, most) if _flat(low, high) else (low, high)


def _flat(low: float, high: float) -> bool:
    """Whether a range is nothing but rounding, which must not be stretched to a picture."""
    return high - low <= 1e-5 * abs(high)


def _quantiles(kept: Callable[[], Iterator[torch.Tensor]], least: float, most: float) -> tuple[float, float]:
    """The values at `_LIMITS`, by histograms that close in on each: no more than one frame is held in memory."""
    brackets = [(least, most), (least, most)]
    below = [0, 0]
    total = 0
    for _ in range(_ROUNDS):
        counts = [np.zeros(_BINS, np.int64) for _ in brackets]
        total = 0
        for values in kept():
            total += values.numel()
            for count, bracket in zip(counts, brackets, strict=True):
                count += np.histogram(values.double().numpy(), _BINS, bracket)[0]
        for index, limit in enumerate(_LIMITS):
            reached = below[index] + counts[index].cumsum()
            found = min(int(np.searchsorted(reached, limit * total)), _BINS - 1)
            below[index] = int(reached[found] - counts[index][found])
            edges = np.linspace(*brackets[index], _BINS + 1)
            brackets[index] = (float(edges[found]), float(edges[found + 1]))
    return brackets[0][0], brackets[1][1]


def _visible(spool: Spool, visible: list[bool]) -> Iterator[torch.Tensor]:
    """Tensors of the spooled frames that show something."""
    first = 0
    for values in spool.read(_TOGETHER):
        keep = torch.tensor(visible[first : first + len(values)])
        first += len(values)
        if keep.any():
            yield values[keep]
