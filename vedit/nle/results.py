"""The renders of a timeline: each stretch once, beside its source, found again by the next run, and relinked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vedit.errors import InputError
from vedit.guides import plain
from vedit.media.choices import OutputOptions
from vedit.media.sequence import find_sequence
from vedit.media.sidecar import sidecar_path, source_hash, stage_sidecar, versions
from vedit.media.timecode import add_frames, can_drop, format_timecode
from vedit.nle.model import TimelineDocument
from vedit.nle.ranges import MediaFacts
from vedit.nle.settings import look_options
from vedit.options import QualityName, RenderRequest
from vedit.timeline import TimelineJob

if TYPE_CHECKING:
    from vedit.options import RestyleOptions

State = Literal["missing", "there", "other"]
"""Of a result: not rendered yet; there, as it would be rendered again; there, of other settings or another source."""
KEY = "timeline"
"""Of the sidecar's part that says what a result was asked to be."""


@dataclass(frozen=True, kw_only=True)
class RenderChoices:
    """What holds for all renders of a timeline; None leaves it to the looks."""

    model: str | None = None
    quality: QualityName | None = None
    device: str = "auto"
    writing: OutputOptions = field(default_factory=OutputOptions)
    allow_huge: bool = False
    fresh: bool = False
    """Render again what is there, and forget what an earlier run has kept."""
    keep_work: bool = False


@dataclass(frozen=True, kw_only=True)
class TimelineRender:
    """One render of a timeline: the job, what it asks for, and whether an earlier run has done it."""

    job: TimelineJob
    request: RenderRequest
    recipe: Mapping[str, object]
    """All that decides the result, as JSON has it."""
    state: State
    timecode: str | None
    """Of the result's first frame."""

    @property
    def due(self) -> bool:
        """Whether it is to be rendered."""
        return self.state != "there" or self.request.fresh


def timeline_renders(
    document: TimelineDocument,
    jobs: Sequence[TimelineJob],
    *,
    folder: Path,
    facts: Mapping[Path, MediaFacts],
    choices: RenderChoices,
) -> tuple[TimelineRender, ...]:
    """What the jobs of a timeline ask of the renderer, and which of them are done. Nothing is written or decoded.

    Args:
        document: the timeline.
        jobs: from `plan_timeline`.
        folder: relative names in looks count from here.
        facts: of every job's source.
        choices: what holds for all of them.

    Raises:
        InputError: a look's value is not understood, or names a model or file that is not there.
    """
    from vedit.models import resolve

    hashes: dict[Path, str] = {}
    renders: list[TimelineRender] = []
    for job in jobs:
        asked = look_options(job.look, folder=folder)
        options = asked.options if choices.quality is None else replace(asked.options, quality=choices.quality)
        model = choices.model or asked.model
        resolve(model, {})
        known = facts[job.source]
        media = document.timeline.clips[job.clips[0] - 1].media
        drop = document.timeline.drop or (media is not None and media.drop)
        origin = known.timecode or _origin(job, drop=drop)
        request = RenderRequest(
            source=job.source,
            options=options,
            output=job.output,
            frames=f"#{job.frames.start}..#{job.frames.stop}",
            model=model,
            device=choices.device,
            writing=replace(choices.writing, timecode=origin),
            allow_huge=choices.allow_huge,
            fresh=choices.fresh,
            keep_work=choices.keep_work,
        )
        recipe = _recipe(request, hashes)
        renders.append(
            TimelineRender(
                job=job,
                request=request,
                recipe=recipe,
                state=_state(job.output, recipe),
                timecode=add_frames(origin, job.frames.start, job.rate) if origin is not None else None,
            )
        )
    return tuple(renders)


def _origin(job: TimelineJob, *, drop: bool) -> str | None:
    """The timecode that the timeline gives to the first frame of a source that has none itself.

    Without one in the result its clock would begin at 0, some frames off the clock that the clips count by.
    """
    frame = job.start * job.rate - job.frames.start
    if frame < 0 or frame.denominator != 1:
        return None
    return format_timecode(int(frame), job.rate, drop=drop and can_drop(job.rate))


def _recipe(request: RenderRequest, hashes: dict[Path, str]) -> dict[str, object]:
    def digest(path: Path) -> str:
        if path not in hashes:
            hashes[path] = source_hash(path)[0]
        return hashes[path]

    files = further_media(request.options)
    missing = next((path for path in files if not path.exists() and find_sequence(path) is None), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist", remedy="names in looks count from the folder that they lie in")
    told = {
        "source": digest(request.source),
        "frames": request.frames,
        "options": plain(replace(request.options, batch=0)),  # it never changes the frames
        "files": {str(path): digest(path) for path in files},
        "model": request.model,
        "writing": plain(replace(request.writing, overwrite=False, sidecar=True, strict=False)),
        "vedit": dict(versions())["vedit"],
    }
    return json.loads(json.dumps(told))


def further_media(options: RestyleOptions) -> list[Path]:
    """The masks and control videos that options name."""
    specs = [*([options.mask] if options.mask else []), *(region.mask for region in options.regions)]
    masks = [file.path for spec in specs for file in spec.files]
    controls = [path for spec in options.controls for path in (spec.source, spec.mask) if path is not None]
    return list(dict.fromkeys([*masks, *controls]))


def _state(output: Path, recipe: Mapping[str, object]) -> State:
    if not output.exists():
        return "missing"
    try:
        told: object = json.loads(sidecar_path(output).read_text("utf-8"))[KEY]["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return "other"
    return "there" if told == recipe else "other"


def record_result(render: TimelineRender) -> None:
    """Say in the result's sidecar what it was asked to be, so that the next run knows it again."""
    path = sidecar_path(render.job.output)
    if not path.exists():
        return  # none was wanted
    used = render.job.used
    told = json.loads(path.read_text("utf-8"))
    told[KEY] = {
        "recipe": render.recipe,
        "look": render.job.look.name,
        "used": {"start": used.start, "stop": used.stop},
        "handles": list(render.job.handles),
    }
    stage_sidecar(path, told).replace(path)
