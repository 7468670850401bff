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
        self._last: tuple[int, torch.Tensor] | None = None
        """The last frame that motion was estimated of, and its number: the next part begins with it."""
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
        pairs = self.motion(shot).pairs(FrameRange(start=shot.frames.start, stop=shot.frames.stop - 1))
        first, total, shots = self.clip.frames.start, len(self.clip.frames), len(self.clip.shots)
        for clip in self._reader.chunks(shot.frames, self.clip.frames_at_once):
            for number, frame in enumerate(small_frames(self.clip, clip), start=clip.start):
                yield as_image(frame), None if number == shot.frames.start else next(pairs)
                done = number + 1 - first
                self._on_progress(Progress(stage="keys", done=done, total=total, shot=shot.number, shots=shots))
        self._ahead.close()  # a decoder of large frames holds much memory, and the shot's motion is known now

    def _small(self, frames: FrameRange) -> torch.Tensor:
        """Frames that motion is estimated of, none of which is decoded twice: the first may be the last of before."""
        begun = [self._last[1]] if self._last is not None and self._last[0] == frames.start else []
        new = FrameRange(start=frames.start + len(begun), stop=frames.stop)
        clips = self._ahead.chunks(new, self.clip.frames_at_once)
        found = torch.cat([*begun, *(small_frames(self.clip, clip) for clip in clips)])
        self._last = (frames.stop - 1, found[-1:].clone())
        return found

    @cached_property
    def _reader(self) -> VideoReader:
        """Of the frames."""
        return self._stack.enter_context(self.clip.reopen())

    @cached_property
    def _ahead(self) -> VideoReader:
        """Of those that motion is estimated of: each reader reads on from where it was."""
        return self._stack.enter_context(self.clip.reopen())


def small_frames(of: Fitted, clip: Clip) -> torch.Tensor:
    """A clip's frames at the working size, (T, 3, h, w) in [0, 1], without padding."""
    return unfit(fit(filled(clip, of.bars_at(clip.start)), of.fit), of.fit)
