"""The shots of a clip as a user wants them: detected, then corrected by hand, with the transitions between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.media.timecode import parse_moment
from vedit.registry.shot_detectors import DEFAULT
from vedit.shots.detect import MINIMUM_SECONDS, FindsTransitions, make_detector, show_frames, whole
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.shots.transitions import Transition
    from vedit.types import FrameIndex

NEAR = 2
"""Frames by which a cut that is to be removed may be off."""


@dataclass(frozen=True, kw_only=True)
class ShotChoices:
    """How shots are found."""

    detector: str = DEFAULT
    """A name in `vedit.registry.shot_detectors`."""
    threshold: float | None = None
    """None is the detector's usual one."""
    minimum_seconds: Fraction = MINIMUM_SECONDS
    """A cut sooner than this after the last one is dropped; cuts that are added are not."""
    add: tuple[str, ...] = ()
    """Moments where a shot begins: seconds, timecode or #frame."""
    remove: tuple[str, ...] = ()
    """Moments of cuts that are none, by up to two frames."""
    split_transitions: bool = False
    """A dissolve without a cut in it, or a fade, ends one shot and begins another at its middle."""


@dataclass(frozen=True, kw_only=True)
class ShotList:
    """Shots that cover a clip without gap or overlap, and the fades and dissolves in it."""

    shots: tuple[Shot, ...]
    transitions: tuple[Transition, ...] = ()

    def into(self, shot: Shot) -> Transition | None:
        """The transition that a shot begins in, ends in, or holds first; None where it has none."""
        return next(
            (
                found
                for found in self.transitions
                if found.frames.start < shot.frames.stop and shot.frames.start < found.frames.stop
            ),
            None,
        )


def find_shots(reader: Reader, choices: ShotChoices | None = None) -> ShotList:
    """Shots and transitions of a whole clip, in one pass over its frames.

    Raises:
        InputError: no such detector, a threshold out of range, or a moment that is not in the clip or no cut.
    """
    choices = choices or ShotChoices()
    detector = make_detector(choices.detector, threshold=choices.threshold, minimum_seconds=choices.minimum_seconds)
    index, timecode = reader.index(), reader.metadata.timecode
    # Moments are checked before the clip is decoded.
    added = [parse_moment(text, index, timecode) for text in choices.add]
    removed = [(text, parse_moment(text, index, timecode)) for text in choices.remove]
    show_frames(reader, None, detector)
    transitions = tuple(detector.transitions()) if isinstance(detector, FindsTransitions) else ()
    starts = {shot.frames.start for shot in whole(detector.finish(), choices.detector)} | {0}
    if choices.split_transitions:
        for found in transitions:
            if not any(start in found.frames for start in starts):
                starts.add((found.frames.start + found.frames.stop) // 2)
    for text, frame in removed:
        near = min((start for start in starts if start), key=lambda start: abs(start - frame), default=None)
        if near is None or abs(near - frame) > NEAR:
            raise InputError(
                f"there is no cut at {text}",
                remedy="there are none" if near is None else f"the nearest is at #{near}",
            )
        starts.discard(near)
    return ShotList(shots=shots_of(sorted({*starts, *added}), len(index)), transitions=transitions)


def shots_of(starts: Sequence[int], count: int) -> tuple[Shot, ...]:
    """Shots that begin at these frames, ascending from 0; the last one ends with the clip."""
    return tuple(
        Shot(number=number, frames=FrameRange(start=start, stop=stop))
        for number, (start, stop) in enumerate(zip(starts, [*starts[1:], count], strict=True), start=1)
    )


def span_text(index: FrameIndex, shot: Shot) -> str:
    """`#0..#6  0.000..0.250 s`."""
    begin, end = (float(moment) for moment in index.span(shot.frames))
    return f"#{shot.frames.start}..#{shot.frames.stop}  {begin:.3f}..{end:.3f} s"
