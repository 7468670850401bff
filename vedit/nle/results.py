"""The renders of a timeline: each stretch once, beside its source, found again by the next run, and relinked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from vedit.edits.confined_paths import NamedFiles
from vedit.errors import InputError
from vedit.media.contract.recorded import recorded_recipe
from vedit.media.output import OutputOptions
from vedit.media.reading.sequence import find_sequence
from vedit.media.timecode import add_frames, can_drop, format_timecode
from vedit.media.writing.sidecar import versions
from vedit.models.loading import Loading, loading_of
from vedit.models.ref import ModelRef
from vedit.models.resolve import resolve
from vedit.nle.jobs import TimelineJob
from vedit.nle.model import TimelineDocument
from vedit.nle.ranges import MediaFacts
from vedit.nle.settings import look_options
from vedit.options.request import (
    AttentionBackend,
    Offload,
    Precision,
    QualityName,
    Quantize,
    RenderRequest,
    RestyleOptions,
)
from vedit.render.conditioning import hashed, plain
from vedit.render.killed import finish_killed
from vedit.render.parts import options_facts
from vedit.render.provenance import same_weights, weights_of
from vedit.render.settle import pick_device, settle
from vedit.store.units import unit_key

State = Literal["missing", "there", "other"]
"""Of a result: not rendered yet; there, as it would be rendered again; there, of other settings, weights or another
source, or changed since."""
Planned = Literal["render", "kept", "in the way"]


@dataclass(frozen=True, kw_only=True)
class RenderChoices:
    """What holds for all renders of a timeline; None leaves it to the looks."""

    model: str | None = None
    quality: QualityName | None = None
    device: str = "auto"
    precision: Precision = "auto"
    quantize: Quantize = "none"
    offload: Offload = "none"
    attention_backend: AttentionBackend = "auto"
    writing: OutputOptions = field(default_factory=OutputOptions)
    allow_huge: bool = False
    fresh: bool = False
    """Render again what is there, and forget what an earlier run has kept."""
    keep_work: bool = False
    allow_unknown: bool = False
    """Render prompts of which the model knows no word, too, whatever the looks say."""


@dataclass(frozen=True, kw_only=True)
class TimelineRender:
    """One render of a timeline: the job, what it asks for, and whether an earlier run has done it."""

    job: TimelineJob
    request: RenderRequest
    model: ModelRef
    state: State
    timecode: str | None
    """Of the result's first frame."""

    @property
    def due(self) -> bool:
        """Whether it is to be rendered."""
        return self.state != "there" or self.request.fresh

    @property
    def planned(self) -> Planned:
        """What a run will do about it."""
        if not self.due:
            return "kept"
        return "render" if self.state == "missing" or self.request.writing.overwrite else "in the way"


def timeline_renders(
    document: TimelineDocument,
    jobs: Sequence[TimelineJob],
    *,
    files: NamedFiles,
    facts: Mapping[Path, MediaFacts],
    choices: RenderChoices,
) -> tuple[TimelineRender, ...]:
    """What the jobs of a timeline ask of the renderer, and which of them are done. Nothing is decoded.

    What a killed run had finished, but not given its name, gets it.

    Args:
        document: the timeline.
        jobs: from `plan_timeline`.
        files: where the files that looks name may lie.
        facts: of every job's source.
        choices: what holds for all of them.

    Raises:
        InputError: a look's value is not understood, or names a model or file that is not there.
    """
    device = pick_device(choices.device)
    hashes: dict[object, object] = {}
    resolved = cache(resolve)
    renders: list[TimelineRender] = []
    for job in jobs:
        asked = look_options(job.look, files=files)
        options = asked.options if choices.quality is None else asked.options.at_quality(choices.quality)
        options = replace(options, allow_unknown=options.allow_unknown or choices.allow_unknown)
        model = resolved(choices.model or asked.model)
        known = facts[job.source]
        media = document.timeline.clips[job.clips[0] - 1].media
        drop = document.timeline.drop or (media is not None and media.drop)
        origin = known.timecode or _origin(job, drop=drop)
        asked_for = RenderRequest(
            source=job.source,
            options=options,
            output=job.output,
            frames=f"#{job.frames.start}..#{job.frames.stop}",
            rate=job.rate if find_sequence(job.source) is not None else None,
            model=model.name,
            device=device,
            precision=choices.precision,
            quantize=choices.quantize,
            offload=choices.offload,
            attention_backend=choices.attention_backend,
            writing=replace(choices.writing, timecode=origin),
            allow_huge=choices.allow_huge,
            fresh=choices.fresh,
            keep_work=choices.keep_work,
        )
        request = settle(asked_for, model)
        request = replace(request, purpose=_purpose(job, request, hashes))
        renders.append(
            TimelineRender(
                job=job,
                request=request,
                model=model,
                state=_state(request, model),
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


def _purpose(job: TimelineJob, request: RenderRequest, hashes: dict[object, object]) -> dict[str, object]:
    """What the next run knows the result by, and what a reader of its record wants to know of the timeline."""

    def digest(asked: Path | RestyleOptions) -> object:
        # Of what is in the files, never of where they lie: a project's folder may be moved.
        if asked not in hashes:
            hashes[asked] = hashed(asked) if isinstance(asked, Path) else options_facts(asked)
        return hashes[asked]

    files = request.options.files
    missing = next((path for path in files if not path.exists() and find_sequence(path) is None), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist", remedy="names in looks count from the folder that they lie in")
    loading = loading_of(request, request.device)
    decides = {
        "source": digest(request.source),
        "frames": request.frames,
        # The one decides the last bits alone, the other nothing of what is rendered.
        "options": digest(replace(request.options, batch=1, allow_unknown=False)),
        # What is in a model's folder is told apart by `weights_of`.
        "model": Path(request.model).name if Path(request.model).exists() else request.model,
        "device": loading.kind,
        # Where weights wait decides nothing of the frames.
        **replace(loading, offload=Loading.offload).said(),
        "writing": plain(replace(request.writing, overwrite=False, sidecar=True, strict=False)),
        "vedit": dict(versions()).get("vedit"),
    }
    return {
        "timeline": unit_key(decides),
        "look": job.look.name,
        "used": {"start": job.used.start, "stop": job.used.stop},
        "handles": list(job.handles),
    }


def _state(request: RenderRequest, model: ModelRef) -> State:
    assert request.output is not None and request.purpose is not None
    finish_killed(request.output)
    if not request.output.exists():
        return "missing"
    recipe = recorded_recipe(request.output) or {}
    told = recipe.get("purpose")
    asked = told.get("timeline") if isinstance(told, dict) else None
    # The weights are no part of that key: those that are fetched for a render are known after it.
    same = asked == request.purpose["timeline"] and same_weights(
        recipe.get("weights"), weights_of(request.all_looks, model)
    )
    return "there" if same else "other"
