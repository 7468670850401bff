"""What a render tells of its last stages: frames finished and written, files checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vedit.progress.callbacks import OnProgress, Progress

if TYPE_CHECKING:
    from vedit.render.job import Job
    from vedit.types import Shot


def step_of(stage: str, job: Job, shot: Shot, stop: int) -> Progress:
    """A stage has reached a frame of a shot."""
    done, total = stop - job.frames.start, len(job.frames)
    return Progress(stage=stage, done=done, total=total, shot=shot.number, shots=len(job.shots))


class Checking:
    """Tells how far the written files are closed and checked, one after another."""

    def __init__(self, on_progress: OnProgress, job: Job, *, files: int) -> None:
        self._on_progress, self._frames, self._total = on_progress, len(job.frames), files * len(job.frames)
        self._written = step_of("write", job, job.shots[-1], job.frames.stop)
        self._before = -len(job.frames)

    def next_file(self) -> Callable[[int], None]:
        """What the next file's writer tells."""
        self._before += self._frames
        before = self._before

        def tell(done: int) -> None:
            if not done and not before:
                # What the encoder held back is written.
                self._on_progress(self._written)
            # Its sound is compared, and it gets its name, behind its last frame.
            self._on_progress(Progress(stage="verify", done=min(before + done, self._total - 1), total=self._total))

        return tell

    def end(self) -> None:
        """The files have their names."""
        self._on_progress(Progress(stage="verify", done=self._total, total=self._total))
