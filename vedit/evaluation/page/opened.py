"""The clips of reports, open again for a page to show frames of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.picture import picture_of
from vedit.media.reading.read import open_video
from vedit.shots.clip_part import AS_IT_IS, open_source
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.display.html_page import Image
    from vedit.evaluation.report import Report
    from vedit.media.reading.reader import VideoReader

STILL_SIDE = 640
"""Pixels of the longer side at which frames are kept until they are encoded."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A clip and its results."""

    source: VideoReader
    results: tuple[VideoReader, ...]
    pairs: tuple[Mapping[int, int], ...]
    """Of each result: frame of the source -> frame of the result."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a small frame as it is displayed: pixels that are not square are made so."""
        metadata = self.source.metadata
        height, width = float(metadata.height), float(metadata.width * metadata.sample_aspect_ratio)
        scale = min(1.0, STILL_SIDE / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def pictures(self, frame: int) -> tuple[Image | None, ...]:
        """Frame of the source, and the same of each result, (h, w, 3) of `size`; None where a result has none."""
        places = [frame, *(pairs.get(frame) for pairs in self.pairs)]
        readers = [self.source, *self.results]
        return tuple(
            None if place is None else _small(reader, place, self.size)
            for reader, place in zip(readers, places, strict=True)
        )


@contextmanager
def opened(reports: Sequence[Report]) -> Generator[Opened]:
    """The clips of reports, open; they are closed with the context.

    Raises:
        MediaError: one cannot be read any more.
    """
    told = reports[0].material
    reading = AS_IT_IS if told is None else told.reading
    with ExitStack() as stack:
        source = stack.enter_context(open_source(reports[0].source, reading))
        results = [stack.enter_context(open_video(one.result, allow_huge=reading.allow_huge)) for one in reports]
        pairs = tuple(_pairs(one, reader) for one, reader in zip(reports, results, strict=True))
        yield Opened(source=source, results=tuple(results), pairs=pairs)


def covered(reports: Sequence[Report]) -> FrameRange:
    """The frames of the source from the first to the last that any result shows."""
    shown = [frame for one in reports if one.material is not None for frame in one.material.pairs]
    if not shown or any(one.material is None for one in reports):
        return reports[0].frames
    return FrameRange(start=min(shown), stop=max(shown) + 1)


def _pairs(report: Report, reader: VideoReader) -> Mapping[int, int]:
    if report.material is not None:
        return report.material.pairs
    part = range(report.frames.start, report.frames.stop)
    return dict(zip(part, range(len(reader.index())), strict=False))


def _small(reader: VideoReader, number: int, size: tuple[int, int]) -> Image:
    clip = reader.read(FrameRange(start=number, stop=number + 1))
    return np.rint(picture_of(clip.frames[0], clip.bit_depth, size).rgb * 255).astype(np.uint8)
