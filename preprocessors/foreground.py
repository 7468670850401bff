"""Who and what moves by itself, as a soft matte: people, animals and vehicles white, the rest black."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional as F

from vedit.preprocessors.segment import steady_classes
from vedit.preprocessors.segment_palette import MOVERS

_WEIGHTS = "upernet-convnext-tiny"


def foreground(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The probability that a pixel belongs to one of the classes that move by themselves (`segment_palette.MOVERS`).

    By the network of `segment`, steadied in the same way. A subject of another class (a statue, a ball) is not
    foreground here: `vedit.preprocessors.subject` follows anything that can be named or pointed at.

    Args:
        chunks: one shot, float (T, 3, H, W) in [0, 1], in chunks of any lengths.

    Yields:
        Float (T, 3, H, W) in [0, 1], the three channels equal; as many frames as came.

    Raises:
        ModelError: the weights `upernet-convnext-tiny` are absent or damaged.
    """
    for frame, classes in steady_classes(chunks, _WEIGHTS):
        matte = classes[:, list(MOVERS)].sum(1, keepdim=True)
        grown = F.interpolate(matte, frame.shape[-2:], mode="bilinear").clamp(0, 1)
        yield grown.expand(-1, 3, -1, -1).to(frame).contiguous()
