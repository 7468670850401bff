"""One look for several shots: what became of the anchor's colours becomes of theirs.

Attention to another shot's frame gives textures and pulls colours along, but each shot still settles on a palette and
an exposure of its own. So statistics of the clean latents are shared too, as in AdaIN (Huang & Belongie 2017), with
two differences. What is shared is the change from source to result rather than the result's own statistics, which are
as much of the content as of the look: a dark shot stays darker than a bright one. And the mean alone is moved: the
deviation holds texture, which a gain would blow up where the anchor is flat.
"""

from __future__ import annotations

import torch

FLAT = 0.05
"""Latent variance below which a channel of the anchor says little of contrast: its change is taken for an offset."""


def match_to_anchor(result: torch.Tensor, source: torch.Tensor, where: torch.Tensor | None = None) -> torch.Tensor:
    """Move each frame's mean to where the anchor's change takes the mean of its own source, channel by channel.

    The change is the line of least squares from the anchor's source to its result. A frame is moved by itself, so it
    does not depend on the others that are sampled with it.

    Args:
        result: clean latents (T, C, h, w) of the new look, the anchor's first; T is at least 1.
        source: those of the same frames before.
        where: (T, 1, h, w) in [0, 1], the cells that take the look; None is all. Cells at 0 stay as they are.

    Returns:
        (T, C, h, w), the anchor as it came; all as they came where the anchor has no such cell.
    """
    weight = torch.ones_like(result[:, :1]) if where is None else where.to(result)
    if not weight[:1].any():
        return result
    total = weight.sum((2, 3), keepdim=True).clamp_min(torch.finfo(result.dtype).tiny)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return (weight[: len(values)] * values).sum((2, 3), keepdim=True) / total[: len(values)]

    before, after = mean(source), mean(result)
    spread = source[:1] - before[:1]
    together = mean(spread * (result[:1] - after[:1]))
    slope = (together + FLAT) / (mean(spread.square()) + FLAT)
    moved = result + weight * (after[:1] + slope * (before - before[:1]) - after)
    return torch.cat([result[:1], moved[1:]])
