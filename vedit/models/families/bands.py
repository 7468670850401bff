"""Feature maps made in bands of rows: what a network of convolutions gives for the whole picture, a few rows at a time.

A map is held, or made as it is asked for (`Rows`). A convolution asks for the rows around its own as far as its kernel
reaches; outside the picture there are zeros, as there are for the whole. A group normalisation has the mean and
variance of the whole map, gathered band by band (Chan, Golub and LeVeque 1983). So there are no seams: only sums are
rounded in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Protocol, cast

import torch
import torch.nn.functional as F

Sides = tuple[int, int, int, int]
"""(N, C, H, W)."""
BAND_BYTES = 16 * 2**20
"""Of a band of the widest map in its making: large enough that convolutions are as fast as on the whole."""
LEAST_ROWS = 8
"""Of a band, more than what is stacked below reaches beyond it."""


class Rows(Protocol):
    """A feature map whose rows are made as they are asked for."""

    @property
    def sides(self) -> Sides: ...

    @property
    def like(self) -> torch.Tensor:
        """A tensor of the map's type and device."""
        ...

    @property
    def row_bytes(self) -> int:
        """Of the widest map in the making of a row."""
        ...

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """(N, C, stop - start, W)."""
        ...


@dataclass(frozen=True)
class Held:
    """A map that is there."""

    map: torch.Tensor

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        return cast("Sides", tuple(self.map.shape))

    @property
    def like(self) -> torch.Tensor:
        """See `Rows`."""
        return self.map

    @property
    def row_bytes(self) -> int:
        """See `Rows`."""
        return _row_bytes(self)

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        return self.map[:, :, start:stop]


class _Made:
    """What is made of another map; of the same sides, where nothing else is said."""

    def __init__(self, source: Rows) -> None:
        self.source = source

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        return self.source.sides

    @property
    def like(self) -> torch.Tensor:
        """See `Rows`."""
        return self.source.like

    @property
    def row_bytes(self) -> int:
        """See `Rows`."""
        return max(_row_bytes(self), self.source.row_bytes)


class Applied(_Made):
    """What acts on each number by itself."""

    def __init__(self, source: Rows, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(source)
        self._function = function

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        return self._function(self.source.rows(start, stop))


class Normalised(_Made):
    """A group normalisation, with mean and variance of the whole map, and what acts on each number behind it.

    The map is gone through when this is made: `source` may be written over once `rows` has given what is needed.
    """

    def __init__(
        self, source: Rows, norm: torch.nn.GroupNorm, function: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        super().__init__(source)
        self._function = function
        moments = _moments(source, norm.num_groups)
        mean, variance = (one.repeat_interleave(norm.num_channels // norm.num_groups, 1) for one in moments)
        scale = (variance + norm.eps).rsqrt() * norm.weight.float()
        self._scale = scale[:, :, None, None]
        self._shift = (norm.bias.float() - mean * scale)[:, :, None, None]

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        found = self.source.rows(start, stop)
        return self._function(torch.addcmul(self._shift, found.float(), self._scale).to(found.dtype))


class Convolved(_Made):
    """A convolution; the module is called as it is, and what its padding spoils at a band's cut edges is cut off."""

    def __init__(self, source: Rows, conv: torch.nn.Conv2d) -> None:
        super().__init__(source)
        self._conv = conv
        self._kernel, self._stride, self._padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])

    @property
    def row_bytes(self) -> int:
        """See `Rows`."""
        return max(_row_bytes(self), self._stride * self.source.row_bytes)

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        count, _, height, width = self.source.sides
        high, wide = ((side + 2 * self._padding - self._kernel) // self._stride + 1 for side in (height, width))
        return count, self._conv.out_channels, high, wide

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        first = max(0, start - ceil(self._padding / self._stride))
        # The last row that is seen, and so much more as the padding would else spoil.
        last = min(self.source.sides[2], (stop - 1) * self._stride - self._padding + self._kernel)
        made = self._conv(self.source.rows(first * self._stride, last))
        return made[:, :, start - first : stop - first]


class Enlarged(_Made):
    """A map with every number repeated along both sides: the nearest neighbour."""

    def __init__(self, source: Rows, times: int) -> None:
        super().__init__(source)
        self._times = times

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        count, channels, height, width = self.source.sides
        return count, channels, height * self._times, width * self._times

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        first = start // self._times
        found = self.source.rows(first, ceil(stop / self._times))
        large = F.interpolate(found, scale_factor=float(self._times), mode="nearest")
        return large[:, :, start - first * self._times : stop - first * self._times]


class Edged(_Made):
    """A map with a row of zeros below and a column to the right of it."""

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        count, channels, height, width = self.source.sides
        return count, channels, height + 1, width + 1

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        height = self.source.sides[2]
        return F.pad(self.source.rows(start, min(stop, height)), (0, 1, 0, max(0, stop - height)))


class Summed(_Made):
    """The sum of two maps, divided."""

    def __init__(self, source: Rows, other: Rows, *, by: float = 1.0) -> None:
        super().__init__(source)
        self._other, self._by = other, by

    @property
    def sides(self) -> Sides:
        """See `Rows`."""
        return self._other.sides

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """See `Rows`."""
        total = self.source.rows(start, stop) + self._other.rows(start, stop)
        return total if self._by == 1 else total / self._by


def held(source: Rows, *, over: Held | None = None) -> Held:
    """The map, made band by band.

    Args:
        source: what makes it.
        over: a map of the same sides to write over, which `source` may be made of as long as that reaches no more than
            `LEAST_ROWS` beyond a row; None takes new memory.
    """
    if over is None:
        like = source.like
        empty = torch.empty(source.sides, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
        over = Held(empty)
    elif over.sides != source.sides:
        raise ValueError(f"a map of {source.sides} cannot be written over one of {over.sides}")
    waiting: tuple[int, int, torch.Tensor] | None = None
    for start, stop in bands(source):
        made = source.rows(start, stop)
        # One band late, since the next one looks back over its edge.
        if waiting is not None:
            over.map[:, :, waiting[0] : waiting[1]] = waiting[2]
        waiting = (start, stop, made)
    if waiting is not None:
        over.map[:, :, waiting[0] : waiting[1]] = waiting[2]
    return over


def bands(source: Rows) -> Iterator[tuple[int, int]]:
    """The rows from start to stop of each band of a map."""
    height = source.sides[2]
    rows = max(LEAST_ROWS, BAND_BYTES // source.row_bytes)
    for start in range(0, height, rows):
        # What would be left after it is too little for a band of its own.
        if height - start < rows + LEAST_ROWS:
            yield start, height
            return
        yield start, start + rows


def _row_bytes(source: Held | _Made) -> int:
    count, channels, _, width = source.sides
    return count * channels * width * source.like.element_size()


def _moments(source: Rows, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance (N, groups) of the whole map in float32."""
    mean = variance = source.like.new_zeros((source.sides[0], groups), dtype=torch.float32)
    seen = 0
    for start, stop in bands(source):
        grouped = source.rows(start, stop).float().unflatten(1, (groups, -1)).flatten(2)
        own_variance, own_mean = torch.var_mean(grouped, dim=2, correction=0)
        new = grouped.shape[2]
        share = new / (seen + new)
        apart = own_mean - mean
        variance = variance * (1 - share) + own_variance * share + apart.square() * (share * (1 - share))
        mean = mean + apart * share
        seen += new
    return mean, variance
