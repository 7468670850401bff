"""A shot detector: a cut is where the mean brightness jumps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vedit.errors import SettingError
from vedit.types import Clip, FrameRange, Shot

USUAL = 30.0
"""Levels of 255."""


class BrightnessDetector:
    """A `vedit.protocols.ShotDetector`.

    Args:
        threshold: levels of 255 that the mean has to jump by; None is `USUAL`.
        minimum_seconds: a cut sooner than this after the last one is none.

    Raises:
        SettingError: a threshold that no clip passes, or all do.
    """

    def __init__(self, *, threshold: float | None, minimum_seconds: Fraction) -> None:
        self._threshold = USUAL if threshold is None else threshold
        if not 0 < self._threshold < 255:
            raise SettingError(f"the threshold of brightness is {threshold}", remedy="give one between 0 and 255")
        self._minimum_seconds = minimum_seconds
        self._starts: list[tuple[int, Fraction]] = []
        self._last = 0.0
        self._stop = 0

    def push(self, clip: Clip) -> None:
        """The next frames, in order."""
        for number, (frame, pts) in enumerate(zip(clip.frames, clip.pts, strict=True), clip.start):
            seconds, mean = pts * clip.time_base, float(frame[:3].mean()) / (1 << (clip.bit_depth - 8))
            if not self._starts or (
                abs(mean - self._last) > self._threshold and seconds - self._starts[-1][1] >= self._minimum_seconds
            ):
                self._starts.append((number, seconds))
            self._last, self._stop = mean, number + 1

    def finish(self) -> Sequence[Shot]:
        """The shots of all frames pushed, without gap or overlap; none where no frame was pushed."""
        if not self._starts:
            return []
        starts = [number for number, _ in self._starts]
        return [
            Shot(number=number, frames=FrameRange(start=start, stop=stop))
            for number, (start, stop) in enumerate(zip(starts, [*starts[1:], self._stop], strict=True), 1)
        ]
