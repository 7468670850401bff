"""The keyframes of a render's shots: which frames are drawn, and the motion along which the others are carried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import torch

from vedit.geometry import fit, unfit
from vedit.keyframes.choosing import choose_keys
from vedit.keyframes.shot_motion import ShotMotion
from vedit.progress.callbacks import OnProgress, Progress
from vedit.progress.spent import spent_on
from vedit.render.conditioning import hashed
from vedit.render.job import reopen_source
from vedit.shots.bars import filled
from vedit.types import FrameRange

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.keyframes.motion import Pair
    from vedit.media.reading.reader import VideoReader
    from vedit.options.keyframes import Spacing
    from vedit.render.job import Job
    from vedit.render.paintings import Paintings
    from vedit.types import Clip, Shot

    Floats = npt.NDArray[np.float32]


CARRYING = 1
"""Raised where the same keys become other frames."""


class ShotKeys:
    """Chooses the keys of a job's shots; use it as a context manager.

    Args:
        job: under one look, which has keyframes.
        spacing: between keys.
        kept: where motion is kept.
        painted: the frames that are painted.
        on_progress: told of every frame that is looked at.
    """

    def __init__(
        self,
        job: Job,
        spacing: Spacing,
        kept: TensorCache,
        *,
        painted: Paintings,
        on_progress: OnProgress,
    ) -> None:
        self._job, self._spacing, self._kept, self._on_progress = job, spacing, kept, on_progress
        self.painted = painted
        self._stack = ExitStack()
        self._reader: VideoReader | None = None
        self._motion: tuple[FrameRange, ShotMotion] | None = None
        self._numbers: dict[FrameRange, tuple[int, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._reader = None

    @spent_on("keys")
    def of(self, shot: Shot) -> tuple[int, ...]:
        """The frames of a shot that are drawn or painted, in order; the shot is looked through for them once."""
        if shot.frames not in self._numbers:
            fixed = self.painted.within(shot.frames)
            frames = self._told(shot, self._frames(shot))
            self._numbers[shot.frames] = choose_keys(shot.frames.start, frames, self._spacing, fixed=fixed)
        return self._numbers[shot.frames]

    def drawn(self, shot: Shot) -> tuple[int, ...]:
        """Those of them that the model draws: all but what is painted from edge to edge."""
        return tuple(number for number in self.of(shot) if number not in self.painted or not self.painted.whole(number))

    def facts(self, shot: Shot) -> dict[str, object]:
        """What decides the shot's frames beside its units, JSON-able."""
        painted = self.painted.digests(shot.frames)
        return {
            "numbers": list(self.of(shot)),
            "carried": CARRYING,
            **({"painted": painted} if painted else {}),
        }

    def motion(self, shot: Shot) -> ShotMotion:
        """The shot's motion at the working size."""
        if self._motion is None or self._motion[0] != shot.frames:
            job, bars = self._job, self._job.bars_at(shot.frames.start)
            facts = {
                "source": job.source_key,
                "interlaced": job.request.writing.interlaced,
                "fit": hashed(job.fit),
                **({"bars": hashed(bars)} if bars else {}),
            }
            self._motion = (shot.frames, ShotMotion(shot.frames, self._small, self._kept, facts))
        return self._motion[1]

    def _frames(self, shot: Shot) -> Iterator[tuple[Floats, Pair | None]]:
        """The frames of a shot at the working size, each with the pair that it ends."""
        pairs = self.motion(shot).pairs(FrameRange(start=shot.frames.start, stop=shot.frames.stop - 1))
        for clip in self._open().chunks(shot.frames, self._job.frames_at_once):
            for place, frame in enumerate(small_frames(self._job, clip)):
                yield as_image(frame), None if clip.start + place == shot.frames.start else next(pairs)

    def _told(self, shot: Shot, frames: Iterator[tuple[Floats, Pair | None]]) -> Iterator[tuple[Floats, Pair | None]]:
        total = len(self._job.frames)
        for done, frame in enumerate(frames, start=shot.frames.start - self._job.frames.start + 1):
            yield frame
            step = Progress(stage="keys", done=done, total=total, shot=shot.number, shots=len(self._job.shots))
            self._on_progress(step)

    def _small(self, frames: FrameRange) -> torch.Tensor:
        # Another reader than that of `_frames`: each reads on from where it was.
        with reopen_source(self._job) as reader:
            clips = reader.chunks(frames, self._job.frames_at_once)
            return torch.cat([small_frames(self._job, clip) for clip in clips])

    def _open(self) -> VideoReader:
        if self._reader is None:
            self._reader = self._stack.enter_context(reopen_source(self._job))
        return self._reader


def small_frames(job: Job, clip: Clip) -> torch.Tensor:
    """A clip's frames at the working size, (T, 3, h, w) in [0, 1], without padding."""
    return unfit(fit(filled(clip, job.bars_at(clip.start)), job.fit), job.fit)


def as_image(frame: torch.Tensor) -> Floats:
    """(C, h, w) -> (h, w, C) in memory order."""
    return frame.permute(1, 2, 0).contiguous().numpy()


def as_frame(image: Floats) -> torch.Tensor:
    """(h, w, C) -> (C, h, w)."""
    return torch.from_numpy(image).permute(2, 0, 1)
