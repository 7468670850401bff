"""One picture of a render to come: a few stills of each shot, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.finishing import finished_stills
from vedit.options import OnProgress, Progress, RenderRequest, ignore_progress
from vedit.planning import load_restyler, make_job, reopen_source
from vedit.sheet import contact_sheet

if TYPE_CHECKING:
    from vedit.types import IntFrames


def preview(request: RenderRequest, *, on_progress: OnProgress = ignore_progress) -> Path:
    """First, middle and last frame of each shot, source above result, as one PNG; the clip itself is not rendered.

    The picture is NAME.preview.png beside the planned output.

    Raises:
        InputError: the request cannot be carried out.
    """
    job = make_job(request, on_progress=on_progress)
    target = job.output.path.with_suffix(".preview.png")
    if target.exists() and not request.writing.overwrite:
        raise InputError(f"{target} exists", remedy="use --overwrite, or name another output with -o")
    restyler, _ = load_restyler(job)
    rows: list[list[IntFrames]] = []
    labels: list[list[str]] = []
    with reopen_source(job) as reader:
        for done, shot in enumerate(job.shots):
            on_progress(
                Progress(stage="preview", done=done, total=len(job.shots), shot=shot.number, shots=len(job.shots))
            )
            last = shot.frames.stop - 1
            numbers = sorted({shot.frames.start, (shot.frames.start + last) // 2, last})
            pairs = finished_stills(job, restyler, reader, numbers)
            rows += [[source for source, _ in pairs], [result for _, result in pairs]]
            labels += [[f"shot {shot.number}, frame {n}" for n in numbers], [request.options.prompt] * len(numbers)]
    on_progress(Progress(stage="preview", done=len(job.shots), total=len(job.shots)))
    return contact_sheet(rows, labels, target, bit_depth=job.metadata.bit_depth)
