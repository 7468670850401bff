"""Fields to frames: one whole frame for each coded one, by FFmpeg's bwdif, whichever frame reading begins at.

bwdif (the Bob Weaver deinterlacing filter: w3fdif's interpolation where yadif finds motion) makes a frame out of itself
and its two neighbours, and out of itself alone at the ends of a clip. So a frame comes out the same wherever reading
began, as long as both its neighbours went in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from av.error import BlockingIOError as NothingYet
from av.error import EOFError as NothingMore
from av.filter import Graph

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame

    from vedit.types import FieldOrder

INTERLACED = ("tt", "bb", "tb", "bt")


def is_interlaced(order: FieldOrder, flagged: int) -> bool:
    """Whether a clip is interlaced: its header names a field order, or `flagged` of its frames say so themselves."""
    return order in INTERLACED or flagged > 0


class Deinterlacer:
    """bwdif over neighbouring frames, fed in order.

    Args:
        first: number of the first frame that is fed; it comes out wrong, unless it is the clip's first.
        order: of the fields, where the frames do not say it themselves.
        flagged: the frames say which of them are interlaced; those that are not pass through as they are.
        time_base: of the frames.
    """

    def __init__(self, *, first: int, order: FieldOrder, flagged: bool, time_base: Fraction) -> None:
        self.fed = first
        """Number of the frame to be fed next."""
        self.next = first
        """Number of the frame that comes out next."""
        top = order not in ("bb", "tb")  # tb: the top field is coded first, the bottom one is shown first
        self._settings = (
            "mode=send_frame:parity=auto:deint=interlaced"
            if flagged
            else f"mode=send_frame:parity={'tff' if top else 'bff'}:deint=all"
        )
        self._time_base = time_base
        self._graph: Graph | None = None

    def feed(self, frame: VideoFrame) -> Iterator[tuple[int, VideoFrame]]:
        """The numbered frames that `frame` completes: none for the first one fed, then one each."""
        if self._graph is None:
            self._graph = self._built(frame)
        # The filter's own clock: it doubles pts and takes repeated or absent ones amiss.
        frame.pts, frame.time_base = self.fed, self._time_base
        self.fed += 1
        self._graph.vpush(frame)
        yield from self._ready()

    def finish(self) -> Iterator[tuple[int, VideoFrame]]:
        """The last frame of the clip."""
        if self._graph is not None and self.next < self.fed:
            self._graph.vpush(None)
            yield from self._ready()

    def _built(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=self._time_base
        )
        graph.link_nodes(source, graph.add("bwdif", self._settings), graph.add("buffersink")).configure()
        return graph

    def _ready(self) -> Iterator[tuple[int, VideoFrame]]:
        while True:
            try:
                frame = cast("Graph", self._graph).vpull()
            except (NothingYet, NothingMore):
                return
            number, self.next = self.next, self.next + 1
            yield number, frame
