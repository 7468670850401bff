"""What the frames of one shot offer to controls, in figures: light, edges, motion, depth, people, mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F

from vedit.flow.estimate import flow_pairs, matched_share
from vedit.preprocessors.softedge import soft_edges
from vedit.types import FrameRange

LUMA = (0.299, 0.587, 0.114)
_DEPTH_SIDE = 128
"""Pixels of the shorter side at which the range of a depth map is measured."""


@dataclass(frozen=True, kw_only=True)
class ShotFigures:
    """Figures of one shot, one value for each frame; a tuple is empty where it was not measured."""

    frames: FrameRange
    brightness: tuple[float, ...] = ()
    """Mean luma in [0, 1]."""
    contrast: tuple[float, ...] = ()
    """Standard deviation of luma over the frame."""
    edges: tuple[float, ...] = ()
    """Mean of the soft edges in [0, 1]."""
    flow: tuple[float, ...] = ()
    """For each pair of neighbours, the share of pixels that have a match; 0 where hardly anything has."""
    depth: tuple[tuple[float, float], ...] = ()
    """1st and 99th percentile of the raw inverse depth, in the model's own unit."""
    people: tuple[int, ...] = ()
    confidence: tuple[float, ...] = ()
    """Mean over the joints of all people in [0, 1]; 0 where there are none."""
    mask: tuple[float, ...] = ()
    """Share of the picture that changes."""


@dataclass
class PictureFigures:
    """What is measured on the frames alone, in one pass."""

    brightness: list[float] = field(default_factory=list[float])
    contrast: list[float] = field(default_factory=list[float])
    edges: list[float] = field(default_factory=list[float])
    flow: list[float] = field(default_factory=list[float])


def measure_pictures(chunks: Iterable[torch.Tensor], *, edges: bool = True, flow: bool = True) -> PictureFigures:
    """Light, edges and motion of one shot.

    Args:
        chunks: the shot, float (T, 3, h, w) in [0, 1], in chunks of any lengths.
        edges: measure them.
        flow: measure how far it holds.
    """
    found = PictureFigures()
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)

    def seen() -> Iterator[torch.Tensor]:
        for chunk in chunks:
            luma = (chunk * weights.to(chunk)).sum(1)
            found.brightness += luma.mean((1, 2)).tolist()
            found.contrast += luma.std((1, 2), correction=0).tolist()
            if edges:
                found.edges += soft_edges(chunk).mean((1, 2, 3)).tolist()
            yield chunk

    if flow:
        for pairs in flow_pairs(seen()):
            found.flow += matched_share(pairs).tolist()
    else:
        for _ in seen():
            pass
    return found


def measure_depth(values: Iterable[torch.Tensor]) -> Iterator[tuple[float, float]]:
    """The 1st and 99th percentile of each frame of raw inverse depth (T, 1, H, W)."""
    limits = torch.tensor([0.01, 0.99])
    for part in values:
        scale = _DEPTH_SIDE / min(part.shape[-2:])
        small = F.interpolate(part.float(), scale_factor=scale, mode="area") if scale < 1 else part.float()
        low, high = torch.quantile(small.flatten(1), limits.to(small), dim=1)
        yield from zip(low.tolist(), high.tolist(), strict=True)
