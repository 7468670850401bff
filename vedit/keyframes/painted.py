"""A keyframe that was painted by hand: pixels at the source's size, and where they are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vedit.geometry import resize
from vedit.keyframes.carrying import Key

if TYPE_CHECKING:
    from vedit.flow.motion import Floats

_OPAQUE = 1 - 0.5 / 65535
"""Opacity from which on nothing of what lies beneath shows, at any depth."""


@dataclass(frozen=True, kw_only=True)
class Painting:
    """A painted frame."""

    picture: Floats
    """(H, W, 3) in [0, 1], of the source's size; the painter's own colours where it is transparent in part."""
    opacity: Floats
    """(H, W, 1) in [0, 1]: 0 is no opinion."""

    @property
    def whole(self) -> bool:
        """Whether it leaves nothing of the frame to anyone else."""
        return bool(self.opacity.min() >= _OPAQUE)

    def over(self, beneath: Floats) -> Floats:
        """The painting over a picture (H, W, 3) of its size; exactly its own pixels where it is opaque."""
        mixed = beneath + (self.picture - beneath) * self.opacity
        return np.asarray(np.where(self.opacity >= _OPAQUE, self.picture, mixed), np.float32)


def painted_key(painting: Painting, source: Floats, drawn: Key | None) -> Key:
    """A key at the working size, of a painting and what the model drew of the same frame.

    Args:
        painting: at full size.
        source: (h, w, 3) at the working size.
        drawn: the model's; None: it drew nothing, and where nothing is painted nothing is said.
    """
    size = (source.shape[0], source.shape[1])
    # Weighed by how opaque it is: what a painter leaves transparent may have any colour.
    weighed = resize(np.concatenate([painting.picture * painting.opacity, painting.opacity], axis=2), size).clip(0, 1)
    opacity = weighed[..., 3]
    change = weighed[..., :3] / np.maximum(weighed[..., 3:], 1e-4) - source
    loss = np.zeros_like(source)
    if drawn is not None:
        loss = drawn.loss
        change = drawn.change + (change - loss - drawn.change) * opacity[..., None]
    return Key(
        source=source,
        change=np.asarray(change, np.float32),
        loss=loss,
        opinion=opacity if drawn is None else None,
        painted=opacity,
        lead=opacity,
    )


def silent_key(source: Floats) -> Key:
    """A key that nobody drew or painted: it says nothing itself, and hands on what those around it say.

    Args:
        source: (h, w, 3) at the working size.
    """
    nothing, nowhere = np.zeros_like(source), np.zeros(source.shape[:2], np.float32)
    return Key(source=source, change=nothing, loss=nothing, opinion=nowhere)
