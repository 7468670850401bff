"""A shot's frames in batches that do not depend on how they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch


def rebatch(chunks: Iterable[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Frames in chunks of any lengths -> the same frames in chunks of `size`, the last one shorter.

    What a network gives for a frame depends, in its last bits, on the batch it is in: always the same batches make the
    result independent of how the shot was cut.
    """
    waiting: list[torch.Tensor] = []
    for chunk in chunks:
        for frame in chunk:
            waiting.append(frame)
            if len(waiting) == size:
                yield torch.stack(waiting)
                waiting = []
    if waiting:
        yield torch.stack(waiting)
