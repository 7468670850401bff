"""Metrics by a network: which frames are looked at, and the network, loaded once for all results."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional as F

from vedit.errors import ModelError
from vedit.evaluation.picture import Picture
from vedit.weights.store import load_pretrained, local

if TYPE_CHECKING:
    from collections.abc import Sequence


Look = Callable[[Any, Path, Picture], torch.Tensor]
"""What a network makes of a picture: the model, the folder of its files, and the picture."""


class Network:
    """A network that makes a vector or more of a picture; what it made of a picture that is still shown is kept, since
    the source stands beside every result.

    Args:
        model: in evaluation mode.
        folder: of its files.
        look: what it makes of a picture.
    """

    def __init__(self, model: Any, folder: Path, look: Look) -> None:
        self.model, self.folder = model, folder
        self._look = look
        self._kept: WeakKeyDictionary[Picture, torch.Tensor] = WeakKeyDictionary()

    def of(self, picture: Picture) -> torch.Tensor:
        """What it makes of a picture."""
        if picture not in self._kept:
            with torch.inference_mode():
                self._kept[picture] = self._look(self.model, self.folder, picture).clone()
        return self._kept[picture]


def network(weights: str, loader: str, look: Look, **told: Any) -> Network | str:
    """The network of weights that are on this machine; else why there is none, and how to get it, in one line.

    Args:
        weights: their name.
        loader: the name of a model class of transformers.
        look: what the network makes of a picture.
        told: what else the class is told on loading.
    """
    try:
        return _loaded(weights, loader, look, local(weights), **told)
    except ModelError as error:
        return str(error)


@lru_cache(maxsize=2)
def _loaded(weights: str, loader: str, look: Look, folder: Path, **told: Any) -> Network:
    return Network(load_pretrained(weights, loader, **told), folder, look)


def pixels(picture: Picture, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """(1, 3, h, w): a picture at a size, bicubic and smoothed on the way down, normalized."""
    scaled = F.interpolate(picture.tensor[None], size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    centre, spread_of = (torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1) for values in (mean, std))
    return (scaled - centre) / spread_of
