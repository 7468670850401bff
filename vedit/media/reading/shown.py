"""The frames that the decode for an index passes, shown to whoever would decode the clip for them again."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vedit.types import Clip, VideoMetadata

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vedit.types import IntFrames


class ShownFrames:
    """Shows frames as they are decoded, until one comes that is not the next or has no time of its own.

    Args:
        metadata: of the clip.
        draw: a decoded frame and its number, into (3 or 4, H, W).
        show: called with each frame as a clip of its own.
    """

    def __init__(
        self,
        metadata: VideoMetadata,
        draw: Callable[[VideoFrame, int, IntFrames], None],
        show: Callable[[Clip], None],
    ) -> None:
        self._metadata, self._draw, self._show = metadata, draw, show
        self._times = array("q")
        self._broken = False

    def __call__(self, number: int, frame: VideoFrame) -> None:
        meta, pts = self._metadata, frame.pts
        if self._broken or pts is None or number != len(self._times):
            self._broken = True
            return
        shape = (1, 4 if meta.has_alpha else 3, meta.height, meta.width)
        out: IntFrames = np.empty(shape, dtype=np.uint8) if meta.bit_depth == 8 else np.empty(shape, dtype=np.uint16)
        self._draw(frame, number, out[0])
        self._times.append(pts)
        clip = Clip(
            frames=out,
            bit_depth=meta.bit_depth,
            pts=(pts,),
            time_base=meta.time_base,
            start=number,
            color=meta.color,
        )
        self._show(clip)

    @property
    def times(self) -> tuple[int, ...] | None:
        """Of the frames shown, in ticks; None where not all of them were."""
        return None if self._broken else tuple(self._times)
