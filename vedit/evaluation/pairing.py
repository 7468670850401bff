"""Which frame of a result belongs to which of the source, and whether the two are of one cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.errors import MediaError
from vedit.shots.detect import detect_shots
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.evaluation.picture import Plane
    from vedit.media.reading.reader import VideoReader
    from vedit.types import Clip, FrameIndex, Shot

UNRELATED, RELATED = 0.1, 0.25
"""Correlation of edges below which two pictures show different things, and from which on they show the same; of a clip
and its restyled result it is 0.3 and more, of two clips about 0."""
_SMALL = 96
"""Pixels of the shorter side at which pictures are compared for what they show."""


def by_number(part: FrameRange, written: FrameIndex, name: str, *, told: bool) -> Mapping[int, int]:
    """Frame of the source -> frame of a result that holds exactly a part of it.

    Args:
        part: of the source.
        written: the frames of the result.
        name: of the result, for the error.
        told: the record or the caller said which part.

    Raises:
        MediaError: the result has another number of frames.
    """
    if len(written) != len(part):
        what = f"the part #{part.start}..#{part.stop} of the source" if told else "the source"
        raise MediaError(
            f"{name} has {len(written)} frame{'' if len(written) == 1 else 's'}, {what} has {len(part)}",
            remedy="name the part that it shows with --range, or use `vedit compare`, which pairs frames by time",
        )
    return {number: place for place, number in enumerate(range(part.start, part.stop))}


def by_time(index: FrameIndex, part: FrameRange, written: FrameIndex) -> Mapping[int, int]:
    """Frame of the source -> the nearest frame of a result by time since each one's first; those behind its end have
    none."""
    times = [written.seconds(number) for number in range(len(written))]
    end = times[-1] + written.last_duration * written.time_base
    first = index.seconds(part.start)
    found: dict[int, int] = {}
    for number in range(part.start, part.stop):
        wanted = index.seconds(number) - first
        if wanted >= end:
            break
        after = bisect_left(times, wanted)
        near = [place for place in (after - 1, after) if 0 <= place < len(times)]
        found[number] = min(near, key=lambda place: abs(times[place] - wanted))
    return found


def check_cuts(
    source: VideoReader, result: VideoReader, pairs: Mapping[int, int], shots: tuple[Shot, ...], name: str
) -> tuple[str, ...]:
    """Notes on cuts of the source that the result does not have.

    Raises:
        MediaError: the result is cut where the source is not, and shows something else there: it is of another cut.
    """
    numbers = {place: number for number, place in pairs.items()}
    whole = FrameRange(start=min(pairs.values()), stop=max(pairs.values()) + 1)
    theirs = {numbers.get(shot.frames.start) for shot in detect_shots(result, frames=whole)[1:]} - {None}
    ours = {shot.frames.start for shot in shots[1:] if shot.frames.start in pairs}
    for cut in sorted(found for found in theirs if found is not None):
        if any(abs(cut - own) <= 1 for own in ours):
            continue
        # A result that is unlike the source before the cut too is made so: its frames only differ from each other.
        before, behind = (_likeness(source, result, pairs, number) for number in (cut - 1, cut))
        if before >= RELATED and behind < UNRELATED:
            raise MediaError(
                f"{name} is cut at #{cut}, where the source is not, and shows something else from there on",
                remedy="it is of another cut: name the part of the source that it shows with --range",
            )
    lost = sorted(own for own in ours if all(abs(own - cut) > 1 for cut in theirs if cut is not None))
    if not lost or any(_likeness(source, result, pairs, cut) >= UNRELATED for cut in lost[:3]):
        return ()
    told = ", ".join(f"#{cut}" for cut in lost[:5])
    return (f"{name} does not change where the source is cut ({told})",)


def _likeness(source: VideoReader, result: VideoReader, pairs: Mapping[int, int], number: int) -> float:
    """How much alike both are at a frame, by the correlation of their edges."""
    ours, theirs = _edges(_read(source, number)), _edges(_read(result, pairs[number]))
    theirs = np.asarray(cv2.resize(theirs, (ours.shape[1], ours.shape[0]), interpolation=cv2.INTER_AREA), np.float32)
    return correlation(ours, theirs)


def _read(reader: VideoReader, number: int) -> Clip:
    return reader.read(FrameRange(start=number, stop=number + 1))


def _edges(clip: Clip) -> Plane:
    frame = np.ascontiguousarray(clip.frames[0, :3].transpose(1, 2, 0), dtype=np.float32)
    scale = _SMALL / min(frame.shape[:2])
    small = cv2.resize(frame, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    grey = np.asarray(small, np.float32).mean(2)
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # The root, so that one hard edge does not decide; blurred, since a drawn line lies beside the edge it stands for.
    return np.asarray(cv2.GaussianBlur(np.sqrt(cv2.magnitude(x, y)), (0, 0), 1.5), np.float32)


def correlation(a: Plane, b: Plane) -> float:
    """Pearson's; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0


def differences(
    source: VideoReader, result: VideoReader, part: FrameRange, pairs: Mapping[int, int], *, timed: bool
) -> list[str]:
    """What of a result is another than in the source, one line each.

    Args:
        source: open.
        result: open.
        part: of the source, that is measured.
        pairs: frame of the source -> frame of the result.
        timed: the result was paired by time; else the contract tells all but the size.
    """
    ours, theirs = source.metadata, result.metadata
    told: list[str] = []
    if (ours.width, ours.height) != (theirs.width, theirs.height):
        told.append(f"{theirs.width}x{theirs.height} pixels, the source has {ours.width}x{ours.height}: scaled to it")
    if not timed:
        return told
    if len(pairs) != len(part) or len(result.index()) != len(part):
        without = len(part) - len(pairs)
        missing = f"; {without} of the source's have none" if without else ""
        told.append(f"{len(result.index())} frames, the source has {len(part)}: paired by time{missing}")
    rates = source.index().rate, result.index().rate
    if rates[0] != rates[1]:
        told.append(f"{rates[1] or 'no even'} frames/s, the source has {rates[0] or 'no even'}")
    if len(ours.audio) != len(theirs.audio):
        told.append(f"{len(theirs.audio)} sound tracks, the source has {len(ours.audio)}")
    return told
