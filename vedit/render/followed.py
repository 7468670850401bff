"""The motion of a clip's shots at the working size, and their frames along it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

import torch

from vedit.flow.planes import as_image
from vedit.geometry import fit, unfit
from vedit.keyframes.shot_motion import ShotMotion
from vedit.progress.callbacks import OnProgress, Progress
from vedit.render.conditioning import hashed
from vedit.render.job import frames_at_once, reopen_source
from vedit.shots.bars import filled
from vedit.types import FrameRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.flow.motion import Pair
    from vedit.media.reading.reader import VideoReader
    from vedit.render.job import Job
    from vedit.types import Bars, Clip, Fit, Shot

    Floats = npt.NDArray[np.float32]


class Fitted(Protocol):
    """What says how frames lie at the working size."""

    @property
    def fit(self) -> Fit: ...

    def bars_at(self, frame: int, /) -> Bars:
        """The black bars that stay as they are in a frame."""
        ...


@dataclass(frozen=True, kw_only=True)
class FollowedClip:
    """A clip whose motion is followed."""

    source_key: str
    """What tells its pictures from any others."""
    interlaced: str
    """What is done with its fields."""
    fit: Fit
    bars_of: Callable[[int], Bars]
    frames: FrameRange
    """That are looked at."""
    shots: Sequence[Shot]
    """Of these."""
    reopen: Callable[[], VideoReader]
    """A further reader; use it as a context manager."""

    def bars_at(self, frame: int, /) -> Bars:
        """As `Fitted` has it."""
        return self.bars_of(frame)

    @property
    def frames_at_once(self) -> int:
        """How many full-size frames are read together."""
        return frames_at_once(self.fit.source[1] * self.fit.source[0])


def followed(job: Job, fit: Fit) -> FollowedClip:
    """The clip of a job of one look, at a size of its own."""
    return FollowedClip(
        source_key=job.source_key,
        interlaced=job.request.writing.interlaced,
        fit=fit,
        bars_of=job.bars_at,
        frames=job.frames,
        shots=job.shots,
        reopen=lambda: reopen_source(job),
    )


class FollowedShots:
    """Follows the shots of a clip; use it as a context manager.

    Args:
        clip: whose shots they are.
        kept: where motion is kept.
        on_progress: told of every frame that is looked at.
    """

    def __init__(self, clip: FollowedClip, kept: TensorCache, *, on_progress: OnProgress) -> None:
        self.clip = clip
        self._kept, self._on_progress = kept, on_progress
        self._stack = ExitStack()
        self._read: tuple[FrameRange, torch.Tensor] | None = None
        """The frames that were read last: keys are chosen and motion is estimated of the same, and the next begin with
        their last."""
        self._motion: tuple[FrameRange, ShotMotion] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def motion(self, shot: Shot) -> ShotMotion:
        """The shot's motion at the working size."""
        if self._motion is None or self._motion[0] != shot.frames:
            clip, bars = self.clip, self.clip.bars_at(shot.frames.start)
            facts = {
                "source": clip.source_key,
                "interlaced": clip.interlaced,
                "fit": hashed(clip.fit),
                **({"bars": hashed(bars)} if bars else {}),
            }
            self._motion = (shot.frames, ShotMotion(shot.frames, self._small, self._kept, facts))
        return self._motion[1]

    def frames(self, shot: Shot) -> Iterator[tuple[Floats, Pair | None]]:
        """The frames of a shot at the working size, (h, w, 3), each with the pair that it ends."""
        motion, own = self.motion(shot), shot.frames
        pairs = motion.pairs(FrameRange(start=own.start, stop=own.stop - 1))
        first, total, shots = self.clip.frames.start, len(self.clip.frames), len(self.clip.shots)
        for part in motion.parts():
            for number, frame in enumerate(self._small(part), start=part.start):
                if number == part.start != own.start:
                    continue  # the last of the part before
                yield as_image(frame), None if number == own.start else next(pairs)
                done = number + 1 - first
                self._on_progress(Progress(stage="keys", done=done, total=total, shot=shot.number, shots=shots))
        self._read = None
        self._reader.close()  # a decoder of large frames holds much memory, and the shot's motion is known now

    def _small(self, frames: FrameRange) -> torch.Tensor:
        """Frames of a part of a shot; none is decoded twice while part follows part."""
        begun: list[torch.Tensor] = []
        if self._read is not None:
            before, held = self._read
            if before == frames:
                return held
            begun = [held[-1:]] if before.stop - 1 == frames.start else []
        new = FrameRange(start=frames.start + len(begun), stop=frames.stop)
        clips = self._reader.chunks(new, self.clip.frames_at_once)
        found = torch.cat([*begun, *(small_frames(self.clip, clip) for clip in clips)])
        self._read = (frames, found)
        return found

    @cached_property
    def _reader(self) -> VideoReader:
        return self._stack.enter_context(self.clip.reopen())


def small_frames(of: Fitted, clip: Clip) -> torch.Tensor:
    """A clip's frames at the working size, (T, 3, h, w) in [0, 1], without padding."""
    return unfit(fit(filled(clip, of.bars_at(clip.start)), of.fit), of.fit)
