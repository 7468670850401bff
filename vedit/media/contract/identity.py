"""A clip through everything but a model: decoded, padded, unpadded, encoded at its own size, and checked.

It proves that a file passes unharmed, and is the reference for what the way through the tool costs.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.media.output import OutputOptions
from vedit.media.reading.admitted import admit
from vedit.media.reading.index import Mispredicted
from vedit.media.reading.read import open_video
from vedit.media.timecode import parse_range
from vedit.media.writing.output_plan import check_output, plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.write import VideoWriter
from vedit.progress.callbacks import Progress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.media.contract.verify import ContractReport
    from vedit.media.reading.reader import VideoReader
    from vedit.progress.callbacks import OnProgress
    from vedit.types import IntFrames

MULTIPLE = 64
"""Sides are padded to a multiple of this, as for a model."""
CHUNK_BYTES = 8 * 2**20
"""Decoded pictures that are handed on together, one at least; four such chunks are held at most."""
_CHECKED = 0.3
"""What checking a frame takes beside writing it."""
WAIT = 0.2
"""Seconds between looks at whether the other side has given up."""


@dataclass(frozen=True, kw_only=True)
class IdentityResult:
    """What an identity render wrote."""

    output: Path
    frames: int
    seconds: float
    """Of wall time, the check of the written file included."""
    report: ContractReport
    notes: tuple[str, ...]


def identity(
    source: Path | str,
    output: Path | str,
    *,
    frames: FrameRange | str | None = None,
    options: OutputOptions | None = None,
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> IdentityResult:
    """Write `source` to `output` with nothing done to its pictures, and check what was written.

    Args:
        source: the clip, or the pattern of an image sequence.
        output: the file to write; its extension names the container.
        frames: the part to write, as frames or as START..END; None is the whole clip.
        options: of the written file; it is never labelled as generated.
        rate: frames per second of an image sequence.
        track: number of the video stream, as `vedit probe` lists them; None is the film.
        allow_huge: read a clip whose pictures or whose length are beyond what is read otherwise.
        on_progress: told as frames are written.

    Raises:
        MediaError: the source cannot be read, or the output cannot be written.
        InputError: the range is not one.
        ContractError: the written file breaks the timing or sound contract; it was removed.
    """
    began = time.monotonic()
    admit(source, rate=rate, track=track, allow_huge=allow_huge)
    # No model had a part in it: the label would be untrue.
    chosen = replace(options or OutputOptions(), label=False)
    check_output(output, source, chosen)
    with open_video(source, rate=rate, track=track, allow_huge=allow_huge, interlaced=chosen.interlaced) as reader:
        plan, report, warnings = _written(reader, output, frames, chosen, on_progress)
    return IdentityResult(
        output=Path(output),
        frames=len(plan.frames),
        seconds=time.monotonic() - began,
        report=report,
        notes=(*warnings, *plan.notes),
    )


def _written(
    reader: VideoReader,
    output: Path | str,
    frames: FrameRange | str | None,
    options: OutputOptions,
    on_progress: OnProgress,
) -> tuple[OutputSpec, ContractReport, tuple[str, ...]]:
    # A whole clip is decoded from first to last anyway, which proves what its packets tell of its frames, or not.
    trusting = reader.predicted() if frames is None else None
    if trusting is not None:
        with contextlib.suppress(Mispredicted), trusting:
            return (*_render(trusting, output, None, options, on_progress), trusting.warnings)
    part = parse_range(frames, reader.index(), reader.metadata.timecode) if isinstance(frames, str) else frames
    if part is not None and len(part) == len(reader.index()):
        part = None
    return (*_render(reader, output, part, options, on_progress), reader.warnings)


def _render(
    reader: VideoReader, output: Path | str, part: FrameRange | None, options: OutputOptions, on_progress: OnProgress
) -> tuple[OutputSpec, ContractReport]:
    plan = plan_output(
        output,
        reader.metadata,
        reader.index(),
        frames=part,
        options=options,
        recipe={"pipeline": "identity", "padded_to_multiple_of": MULTIPLE},
    )
    course, total = Course(on_progress), len(plan.frames)
    course.expect(evenly(total, {"write": 1.0, "verify": _CHECKED}))
    with VideoWriter(plan) as writer, _decoded(reader, plan.frames) as pictures:
        for chunk in pictures:
            writer.write(chunk)
            course(Progress(stage="write", done=writer.written, total=total))
        report = writer.finish(
            on_checked=lambda done: course(Progress(stage="verify", done=min(done, total - 1), total=total))
        )
        course(Progress(stage="verify", done=total, total=total))
    return plan, report


def pad(frames: IntFrames, multiple: int = MULTIPLE) -> tuple[IntFrames, tuple[slice, slice]]:
    """Frames (T, C, H, W) in the middle of ones whose sides are multiples, the rest filled with the edge's values.

    Returns the padded frames, and the rows and columns that are the picture.
    """
    height, width = frames.shape[-2:]
    below, beside = -height % multiple, -width % multiple
    top, left = below // 2, beside // 2
    rows, columns = slice(top, top + height), slice(left, left + width)
    if not (below or beside):
        return frames, (rows, columns)
    shape = (*frames.shape[:2], height + below, width + beside)
    padded: IntFrames = np.empty(shape, np.uint8) if frames.dtype == np.uint8 else np.empty(shape, np.uint16)
    padded[..., rows, columns] = frames
    padded[..., rows, :left] = frames[..., :1]
    padded[..., rows, columns.stop :] = frames[..., -1:]
    padded[..., :top, :] = padded[..., top : top + 1, :]
    padded[..., rows.stop :, :] = padded[..., rows.stop - 1 : rows.stop, :]
    return padded, (rows, columns)


def unpad(padded: IntFrames, place: tuple[slice, slice]) -> IntFrames:
    """The exact inverse of `pad`."""
    return padded[..., place[0], place[1]]


@contextmanager
def _decoded(reader: VideoReader, part: FrameRange) -> Generator[Iterator[IntFrames]]:
    """Pictures of the part, decoded, padded and unpadded on a thread of its own while the caller encodes."""
    meta = reader.metadata
    each = meta.width * meta.height * (4 if meta.has_alpha else 3) * (1 if meta.bit_depth == 8 else 2)
    size = min(16, max(1, CHUNK_BYTES // each))
    waiting: queue.Queue[IntFrames | BaseException | None] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def hand_on(item: IntFrames | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=WAIT)
            except queue.Full:
                continue
            return

    def produce() -> None:
        try:
            for clip in reader.chunks(part, size):
                hand_on(unpad(*pad(clip.frames)))
                if stopped.is_set():
                    return
            hand_on(None)
        except BaseException as error:  # raised again where the pictures are asked for
            hand_on(error)

    def consume() -> Iterator[IntFrames]:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=produce, name="decode", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()
