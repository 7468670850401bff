"""The files of a render: the result, and where it is asked for, source and result beside each other in a video."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.finishing.upsample import side_by_side
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import plan_output, temporary_for
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.write import VideoWriter
from vedit.render.killed import beside_of

if TYPE_CHECKING:
    from vedit.media.output import OutputOptions
    from vedit.options.request import RenderRequest
    from vedit.render.job import Job
    from vedit.types import Clip, IntFrames

DIVIDER = 2
"""Pixels between source and result."""


@dataclass(frozen=True, kw_only=True)
class RenderedFiles:
    """The open files of a render."""

    result: VideoWriter
    comparison: VideoWriter | None
    comparison_path: Path | None

    @property
    def count(self) -> int:
        """How many there are."""
        return 1 if self.comparison is None else 2

    def write(self, source: Clip, frames: IntFrames) -> None:
        """Append finished frames (T, 3 or 4, H, W) to each, beside those of the source where both are shown.

        Raises:
            VeditError: the encoder or the disk refuses.
        """
        self.result.write(frames)
        if self.comparison is not None:
            left, right = source.frames[:, :3], frames[:, :3]
            self.comparison.write(side_by_side(left, right, bit_depth=source.bit_depth, divider=DIVIDER))


@contextmanager
def open_files(
    output: OutputSpec, comparison: OutputSpec | None, folder: Path, recipe: dict[str, object]
) -> Generator[RenderedFiles]:
    """Begin the files of a render, unfinished in its work folder, where a killed run's are found and removed.

    Args:
        output: the result, as it was planned.
        comparison: from `plan_comparison`; None is none.
        folder: of the work.
        recipe: how the result is made.

    Raises:
        MediaError: one of them cannot be written.
    """
    with ExitStack() as stack:
        planned = replace(output, temporary=temporary_for(output.path, folder), recipe=recipe)
        result = stack.enter_context(VideoWriter(planned, hash_frames=True))
        beside = None
        if comparison is not None:
            planned = replace(comparison, temporary=temporary_for(comparison.path, folder), recipe={})
            beside = stack.enter_context(VideoWriter(planned))
        path = None if comparison is None else comparison.path
        yield RenderedFiles(result=result, comparison=beside, comparison_path=path)


def plan_comparison(job: Job, path: Path) -> OutputSpec:
    """The video of source and result beside each other: the source's timing and sound, twice its width.

    Raises:
        InputError: it cannot be written, or has a name that the result takes.
    """
    planned = plan_output(
        path,
        replace(job.metadata, width=2 * job.metadata.width + DIVIDER, has_alpha=False),
        job.index,
        frames=job.output.frames,
        options=comparison_options(job.request),
    )
    if any(map(planned.takes, job.output.finals)) or any(map(job.output.takes, planned.finals)):
        raise InputError(f"{path} is named twice", remedy="give the result and the side-by-side video two names")
    return planned


def comparison_options(request: RenderRequest) -> OutputOptions:
    """The options of the comparison: those of the result, as far as they hold for a file of another size."""
    left = beside_of(request.output or default_output(request.source))
    replaces = (*request.writing.replaces, *left)
    return replace(request.writing, drop_unsupported=True, codec=None, sidecar=False, strict=False, replaces=replaces)
