"""One look for several shots: what became of the anchor's colours becomes of theirs.

Attention to another shot's frame gives textures and pulls colours along, but each shot still settles on a palette and
an exposure of its own. So statistics of the clean latents are shared too, as in AdaIN (Huang & Belongie 2017), with
three differences. What is shared is the change from source to result rather than the result's own statistics, which are
as much of the content as of the look: a dark shot stays darker than a bright one. The mean alone is moved: the
deviation holds texture, which a gain would blow up where the anchor is flat. And a look changes a sky otherwise than a
face, so means are those of like content, by kernel regression on the source (Nadaraya 1964, Watson 1964): no classes,
whose edges would show, and nothing that jumps from one frame to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

ARITHMETIC = 2
"""Raised where the same latents become others: units of shots that share an anchor are then made anew."""
FLAT = 0.05
"""Latent variance below which a channel of the anchor says little of contrast: its change is taken for an offset."""
ALIKE = 0.6
"""Distance of cells of the source that count for e^-1/2 as alike, in deviations of the anchor's."""
FEW = 0.02
"""Of a frame's cells: where so many are alike, they are believed by half."""
_CELLS = 1024
"""Of a frame, about, at which content is told apart: the change is spread smoothly between them."""


def match_to_anchor(result: torch.Tensor, source: torch.Tensor, where: torch.Tensor | None = None) -> torch.Tensor:
    """Move each frame to where the anchor's change takes what it has in common with the anchor.

    Results are taken less a line in the source, the anchor's by least squares, whose slope alone is used. Each cell of
    the frame misses something of the mean of the anchor's cells that are alike; the mean of what is missing, over the
    frame's own cells that are alike, is added, by as much as there are such cells in both. What is unlike anything in
    the anchor stays as it is: the anchor says nothing of it. A frame is moved by itself: it does not depend on the
    others that are sampled with it.

    Args:
        result: clean latents (T, C, h, w) of the new look, the anchor's first; T is at least 1.
        source: those of the same frames before.
        where: (T, 1, h, w) in [0, 1], the cells that take the look; None is all. Cells at 0 stay as they are.

    Returns:
        (T, C, h, w), the anchor as it came; all as they came where the anchor has no such cell.
    """
    weight = torch.ones_like(result[:, :1]) if where is None else where.to(result).expand(len(result), -1, -1, -1)
    if not weight[0].any():
        return result
    slope = _slope(result[0], source[0], weight[0])
    frames = [_content(*frame, slope) for frame in zip(result, source, weight, strict=True)]
    spread = _variance(frames[0]).clamp_min(FLAT)
    size = result.shape[-2:]
    moved = [
        frame + cells * F.interpolate(_change(own, frames[0], spread)[None], size, mode="bilinear")[0]
        for frame, cells, own in zip(result[1:], weight[1:], frames[1:], strict=True)
    ]
    return torch.stack([result[0], *moved])


@dataclass(frozen=True, kw_only=True)
class _Content:
    """The cells of one frame, some averaged into one."""

    size: tuple[int, int]
    """Rows and columns of them."""
    seen: torch.Tensor
    """(N, C): the source around each, by which they are alike."""
    off: torch.Tensor
    """(N, C): the result less the line's slope times the source."""
    share: torch.Tensor
    """(N,): how much each counts; their sum is 1, or 0 where none does."""


def _slope(result: torch.Tensor, source: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(C, 1, 1), of the line from source to result (C, h, w); 1 for a channel that is flat."""
    share = weight / weight.sum()
    around = source - (share * source).sum((1, 2), keepdim=True)
    together = (share * around * result).sum((1, 2), keepdim=True)
    return (together + FLAT) / ((share * around.square()).sum((1, 2), keepdim=True) + FLAT)


def _content(result: torch.Tensor, source: torch.Tensor, weight: torch.Tensor, slope: torch.Tensor) -> _Content:
    height, width = result.shape[-2:]
    by = max(1, round((height * width / _CELLS) ** 0.5))
    size = max(1, height // by), max(1, width // by)
    counted = F.adaptive_avg_pool2d(weight, size)
    least = torch.finfo(counted.dtype).tiny
    before, after = (F.adaptive_avg_pool2d(weight * values, size) for values in (source, result))
    around, nearby = (F.avg_pool2d(sums, 3, stride=1, padding=1) for sums in (before, counted))
    return _Content(
        size=size,
        seen=(around / nearby.clamp_min(least)).flatten(1).T,
        off=((after - slope * before) / counted.clamp_min(least)).flatten(1).T,
        share=counted.flatten() / counted.sum().clamp_min(least),
    )


def _variance(content: _Content) -> torch.Tensor:
    """Of what is seen, over cells, the mean over channels."""
    share = content.share[:, None]
    around = content.seen - (share * content.seen).sum(0)
    return (share * around.square()).sum(0).mean()


def _change(own: _Content, anchor: _Content, spread: torch.Tensor) -> torch.Tensor:
    """(C, rows, columns): by how much a frame's cells are to be moved; `spread` is the variance of what is seen."""
    least = torch.finfo(own.share.dtype).tiny

    def alike(content: _Content) -> torch.Tensor:
        distance = torch.cdist(own.seen, content.seen).square() / own.seen.shape[1]
        return torch.exp(-distance / (2 * ALIKE**2 * spread)) * content.share

    counted = alike(anchor)
    share = counted.sum(1)
    known = share / (share + FEW)
    missing = counted @ anchor.off / share.clamp_min(least)[:, None] - own.off
    counted = known * alike(own)
    share = counted.sum(1)
    move = counted @ missing / share.clamp_min(least)[:, None]
    return ((known * share / (share + FEW))[:, None] * move).T.unflatten(1, own.size)
