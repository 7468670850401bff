"""Frames of a clip and of its results as a measurement sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.measure import Seen, Shown
from vedit.evaluation.metric import Frame
from vedit.evaluation.picture import Picture, picture_of
from vedit.geometry import resize
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.evaluation.picture import Plane
    from vedit.masks.mattes import SourceMattes
    from vedit.media.reading.reader import VideoReader
    from vedit.types import Shot


def frames_of(
    reader: VideoReader, shots: tuple[Shot, ...], size: tuple[int, int], mattes: SourceMattes | None = None
) -> Iterator[Seen]:
    """The frames of shots, in order, one at a time.

    Args:
        reader: of the source.
        shots: what is measured.
        size: (h, w) at which.
        mattes: where the picture may change; None is no mask.
    """
    for shot in shots:
        for clip in reader.chunks(shot.frames, 1):
            full = Frame(pixels=clip.frames[0], bit_depth=clip.bit_depth)
            mask = None if mattes is None else _mask(mattes, clip.start)
            yield Seen(
                number=clip.start,
                shot=shot,
                full=full,
                picture=picture_of(full.pixels, full.bit_depth, size),
                mask=None if mask is None else resize(mask[..., None], size)[..., 0],
                full_mask=mask,
            )


def _mask(mattes: SourceMattes, number: int) -> Plane:
    found = mattes(FrameRange(start=number, stop=number + 1))[0, 0].numpy()
    return np.ascontiguousarray(found, np.float32)


def result_of(reader: VideoReader, pairs: Mapping[int, int], size: tuple[int, int]) -> Shown:
    """A result's frames beside the source's.

    Args:
        reader: of the result.
        pairs: frame of the source -> frame of the result.
        size: (h, w) at which it is measured.
    """
    last: list[tuple[int, Frame, Picture]] = []

    def shown(seen: Seen) -> tuple[Frame, Picture] | None:
        place = pairs.get(seen.number)
        if place is None:
            return None
        if not last or last[0][0] != place:  # a result of a lower rate shows one frame for several
            clip = reader.read(FrameRange(start=place, stop=place + 1))
            full = Frame(pixels=clip.frames[0], bit_depth=clip.bit_depth)
            last[:] = [(place, full, picture_of(full.pixels, full.bit_depth, size))]
        return last[0][1], last[0][2]

    return shown
