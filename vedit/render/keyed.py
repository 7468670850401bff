"""The keyframes of a render's shots: which frames are drawn or painted, and what that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from vedit.keyframes.choosing import choose_keys
from vedit.progress.spent import spent_on
from vedit.render.fitting import carried_fit
from vedit.render.followed import FollowedClip, FollowedShots, followed

if TYPE_CHECKING:
    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.keyframes.shot_motion import ShotMotion
    from vedit.options.keyframes import Spacing
    from vedit.progress.callbacks import OnProgress
    from vedit.render.job import Job
    from vedit.render.paintings import Paintings
    from vedit.types import FrameRange, Shot

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
        self, job: Job, spacing: Spacing, kept: TensorCache, *, painted: Paintings, on_progress: OnProgress
    ) -> None:
        self.painted = painted
        self._spacing, self._model_draws = spacing, not job.request.options.only_painted
        fits = (job.fit, carried_fit(job.fit))
        self._followed, self._finer = (FollowedShots(followed(job, fit), kept, on_progress=on_progress) for fit in fits)
        self._numbers: dict[FrameRange, tuple[int, ...]] = {}

    def __enter__(self) -> Self:
        self._followed.__enter__()
        self._finer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._finer.__exit__()
        self._followed.__exit__()

    @spent_on("keys")
    def of(self, shot: Shot) -> tuple[int, ...]:
        """The frames of a shot that are drawn or painted, in order; the shot is looked through for them once."""
        if shot.frames not in self._numbers:
            fixed, frames = self.painted.within(shot.frames), self._of(shot).frames(shot)
            self._numbers[shot.frames] = choose_keys(
                shot.frames.start, frames, self._spacing, fixed=fixed, drawn=self._model_draws
            )
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

    def clip(self, shot: Shot) -> FollowedClip:
        """The clip at the size at which the shot's frames are carried: with paintings in it that may be a finer one."""
        return self._of(shot).clip

    def motion(self, shot: Shot) -> ShotMotion:
        """The shot's motion at that size."""
        return self._of(shot).motion(shot)

    def _of(self, shot: Shot) -> FollowedShots:
        return self._finer if self.painted.within(shot.frames) else self._followed
