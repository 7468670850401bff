"""Where the finished frames of each shot come from: the last render, what is kept of it, the source, or the model."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.render.finish_shot import untouched_shot
from vedit.render.passes import Pass, drawings
from vedit.store.frames import UNTOUCHED, FinishedFrames, FinishedShot
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.render.job import Job
    from vedit.types import Clip, IntFrames, Shot

    Finished = Generator[tuple[Clip, IntFrames]]
    """The source's clips and their finished frames (T, 3 or 4, H, W), in order."""


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A shot that stays as the last render left it, whatever is asked: what is kept of it is all there is."""

    job: Job
    shot: Shot
    finished: FinishedShot
    shelf: FinishedFrames
    with_source: bool
    """The source's frames are needed too."""

    def frames(self, reader: Reader) -> Finished:
        """The finished frames. Raises VeditError where they are damaged."""
        if self.finished.path is None:
            return untouched_shot(self.job, self.shot, reader)
        size, skip = self.job.frames_at_once, self.shot.frames.start - self.finished.first
        return self.shelf.read(
            self.finished.path, self.shot, reader, size=size, with_source=self.with_source, skip=skip
        )

    def units(self) -> tuple[str, ...]:
        """The names of the units that the frames were made of: none is needed."""
        return ()

    def shelf_key(self) -> str | None:
        """What the frames are kept under for the next render; None: as they are already."""
        return None


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """A shot that passes through: it has no look, or a strength of 0."""

    job: Job
    shot: Shot

    def frames(self, reader: Reader) -> Finished:
        """The source's own integers."""
        return untouched_shot(self.job, self.shot, reader)

    def units(self) -> tuple[str, ...]:
        """See `Locked.units`: there are none."""
        return ()

    def shelf_key(self) -> str | None:
        """See `Locked.shelf_key`: that they are the source's."""
        return UNTOUCHED


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A shot that an earlier render has finished alike."""

    shot_pass: Pass
    shot: Shot
    path: Path
    shelf: FinishedFrames
    with_source: bool
    """The source's frames are needed too."""

    def frames(self, reader: Reader) -> Finished:
        """The finished frames. Raises VeditError where they are damaged."""
        size = self.shot_pass.job.frames_at_once
        return self.shelf.read(self.path, self.shot, reader, size=size, with_source=self.with_source)

    def units(self) -> tuple[str, ...]:
        """See `Locked.units`."""
        return self.shot_pass.units(self.shot)

    def shelf_key(self) -> str | None:
        """See `Locked.shelf_key`."""
        return self.shot_pass.shelf_key(self.shot)


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """A shot that is sampled now, where its units are not on disk, and finished."""

    shot_pass: Pass
    shot: Shot
    shelf: FinishedFrames | None
    """Where its finished frames are kept; None: they are not."""

    def frames(self, reader: Reader) -> Finished:
        """The finished frames; the shot is sampled by the call, and finished as they are asked for.

        Raises:
            Interrupted: the caller said so; finished units are kept.
            NotFiniteError: NaN or infinity came up.
            VeditError: memory ran out on the lowest rung, or the disk refuses.
        """
        finished = self.shot_pass.finished(self.shot, reader)
        return finished if self.shelf is None else self.shelf.recorded(self._key, finished)

    def units(self) -> tuple[str, ...]:
        """See `Locked.units`; known once the shot is sampled."""
        return self.shot_pass.units(self.shot)

    def shelf_key(self) -> str | None:
        """See `Locked.shelf_key`; known once every frame came, as memory that runs out on the way changes it."""
        return self._key()

    def _key(self) -> str:
        return self.shot_pass.shelf_key(self.shot)


ShotSource = Locked | Untouched | Kept | Sampled


class ShotSources:
    """Says of each shot of a job where its frames come from, and remembers them for the next render.

    Args:
        job: what is rendered.
        passes: what renders its shots, one for each look.
        folder: of the work.
        with_source: the source's frames are needed beside the finished ones.

    Raises:
        InputError: a locked shot has a look and was never rendered, or something that is not ours is in the way.
    """

    def __init__(self, job: Job, passes: Sequence[Pass], folder: Path, *, with_source: bool) -> None:
        request = job.request
        # Under one look for all shots nothing is kept or locked: what a plan's renders have kept here is theirs.
        self._remembers = request.looks is not None or request.keep_frames
        self._job, self._passes, self._with_source = job, passes, with_source
        self._shelf = FinishedFrames(folder, fresh=request.fresh and self._remembers and not request.locked)
        self._locked = _locked(job, self._shelf)
        self._finished: list[FinishedShot] = list(self._locked.values())

    def of(self, shot: Shot) -> ShotSource:
        """Where the shot's frames come from; asked as its turn comes, as what memory has left by then decides it."""
        request = self._job.request
        finished = self._locked.get(shot.number)
        if finished is not None:
            return Locked(job=self._job, shot=shot, finished=finished, shelf=self._shelf, with_source=self._with_source)
        own = self._pass_of(shot)
        if own is None:
            return Untouched(job=self._job, shot=shot)
        if own.drawing is not None:
            own.drawing.ladder.join(one.ladder for one in drawings(self._passes))
        path = None if request.fresh or not request.keep_frames else self._shelf.find(own.shelf_key(shot))
        if path is not None:
            return Kept(shot_pass=own, shot=shot, path=path, shelf=self._shelf, with_source=self._with_source)
        return Sampled(shot_pass=own, shot=shot, shelf=self._shelf if request.keep_frames else None)

    def cached(self) -> Iterator[FrameRange]:
        """The shots that need not be sampled or finished, as what is kept of them will be used."""
        request = self._job.request
        for shot in self._job.shots:
            own = None if request.fresh or not request.keep_frames else self._pass_of(shot)
            if shot.number in self._locked or (own is not None and self._shelf.has(own.shelf_key(shot))):
                yield shot.frames

    def written(self, source: ShotSource) -> None:
        """All frames of a shot are written."""
        key = source.shelf_key()
        if key is not None and self._job.request.keep_frames:
            frames = source.shot.frames
            self._finished.append(FinishedShot(frames=frames, key=key, first=frames.start))

    def remember(self) -> None:
        """The render is done: what its shots consist of is found by the next, and what no shot needs is removed."""
        job = self._job
        if self._remembers:
            part = job.frames if job.request.keep_frames else FrameRange(start=0, stop=len(job.index))
            self._shelf.keep_only(self._finished, source=job.source_key, rendered=part)

    def _pass_of(self, shot: Shot) -> Pass | None:
        """What makes the shot; None where it passes through."""
        return next((one for one in self._passes if shot in one.job.own_shots and one.changes(shot)), None)


def _locked(job: Job, shelf: FinishedFrames) -> dict[int, FinishedShot]:
    """What the last render left of the locked shots. Raises InputError where one has a look and was never rendered."""
    found: dict[int, FinishedShot] = {}
    rendered = {shot.number: shot for shot in job.shots}
    whole = {shot.number: shot for shot in job.request.shots or ()}
    for number in sorted(job.request.locked):
        # What lies outside the rendered part too, where it is kept: it outlives this render.
        spans = [shot.frames for shot in (whole.get(number), rendered.get(number)) if shot is not None]
        held = (shelf.remembered(span, source=job.source_key) for span in spans)
        kept = next((one for one in held if one is not None), None)
        if kept is not None:
            found[number] = kept
        elif number in rendered and (job.request.looks is None or number in job.request.looks):
            raise InputError(
                f"shot {number} is locked, but no finished frames of it are kept",
                remedy="render it once without the lock, or leave it as the source with untouched = true",
            )
    return found
