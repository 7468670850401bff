"""A control map: the frame in a few flat tones, for models that were trained with tile maps."""

from __future__ import annotations

import torch

from vedit.registry.entry import Needs


class Posterized:
    """A preprocessor of single frames; what vedit lists of it are its attributes. A function with them does as well."""

    summary = "the frame in a few flat tones"
    branch = "tile"
    """The control branch of a model that the maps are for."""
    needs = Needs(memory_per_megapixel=24_000_000)
    levels = 5

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) in [0, 1] -> the same, each channel in `levels` even steps."""
        return (frames * self.levels).floor().clamp_max(self.levels - 1) / (self.levels - 1)


posterized = Posterized()
