"""What makes tokens of a picture, in each of the published IP-Adapters; the names of parameters are those of the files.

Base: a linear map of the picture's embedding into a few tokens. Full: a small network over every patch. Plus: a
resampler, whose learned queries gather what they need from the patches (Perceiver, Jaegle et al. 2021; in this form
Flamingo, Alayrac et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

Shapes = Mapping[str, tuple[int, ...]]
_HEAD = 64
"""Width of an attention head of the resampler, in all that are published."""


class Base(nn.Module):
    """(N, E), embeddings of pictures -> (N, M, D)."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        (out, width), (self.token,) = shapes["proj.weight"], shapes["norm.weight"]
        self.proj = nn.Linear(width, out)
        self.norm = nn.LayerNorm(self.token)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Tokens of embeddings."""
        return self.norm(self.proj(picture).unflatten(1, (-1, self.token)))


class Full(nn.Module):
    """(N, P, E), patches of pictures -> (N, P, D)."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        (inner, width), (out, _) = shapes["proj.0.weight"], shapes["proj.2.weight"]
        self.proj = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, out), nn.LayerNorm(out))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Tokens of patches."""
        return self.proj(picture)


class Gathering(nn.Module):
    """Attention of queries to patches and to one another."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, patches: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """(N, P, W), (N, M, W) -> (N, M, W)."""
        asked = self.norm2(queries)
        seen = torch.cat([self.norm1(patches), asked], dim=1)
        split = [
            part.unflatten(2, (-1, _HEAD)).transpose(1, 2) for part in (self.to_q(asked), *self.to_kv(seen).chunk(2, 2))
        ]
        return self.to_out(F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2))


class Plus(nn.Module):
    """(N, P, E), patches of pictures -> (N, M, D), where M is the number of queries."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        (width, given), (out, _) = shapes["proj_in.weight"], shapes["proj_out.weight"]
        depth = 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("layers."))
        inner, hidden = shapes["layers.0.0.to_q.weight"][0], shapes["layers.0.1.1.weight"][0]
        self.latents = nn.Parameter(torch.empty(shapes["latents"]))
        self.proj_in, self.proj_out = nn.Linear(given, width), nn.Linear(width, out)
        self.norm_out = nn.LayerNorm(out)
        self.layers = nn.ModuleList(
            nn.ModuleList([Gathering(width, inner), _thinking(width, hidden)]) for _ in range(depth)
        )

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Tokens of patches."""
        patches, queries = self.proj_in(picture), self.latents.expand(len(picture), -1, -1)
        for layer in self.layers:
            gather, think = layer.children()
            queries = queries + gather(patches, queries)
            queries = queries + think(queries)
        return self.norm_out(self.proj_out(queries))


def projection(shapes: Shapes) -> nn.Module:
    """The module whose parameters have these names and shapes, those of a file behind `image_proj.`."""
    if "proj.weight" in shapes:
        return Base(shapes)
    return Full(shapes) if "proj.3.weight" in shapes else Plus(shapes)


def _thinking(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, width, bias=False)
    )
