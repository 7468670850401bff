"""Rendering what a timeline asks for: one after another, with progress over all, then every clip relinked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.errors import ContractError, InputError, Interrupted
from vedit.models.loading import loading_of
from vedit.nle.jobs import relink
from vedit.nle.model import NewMedia, TimelineDocument
from vedit.nle.ranges import MediaFacts
from vedit.nle.results import TimelineRender
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.progress.course import Overall
from vedit.render.costs import Outline, expected_of
from vedit.render.evaluations import outline_of_look
from vedit.render.fitting import fit_of
from vedit.render.outcome import RenderPlan, ignore_plan
from vedit.render.sample_shot import OnNote, Stop, ignore_note, never
from vedit.render.settle import pick_device


@dataclass(frozen=True, kw_only=True)
class TimelineResult:
    """A result that is there, and how the clips were relinked to it."""

    render: TimelineRender
    media: NewMedia
    kept: bool
    """An earlier run had rendered it."""
    notes: tuple[str, ...] = ()


def rehearse(document: TimelineDocument, renders: Sequence[TimelineRender], facts: Mapping[Path, MediaFacts]) -> None:
    """Relink a copy of the timeline to what will be rendered, so that no fault of it shows after the rendering.

    Args:
        document: read for this; it is changed.
        renders: from `timeline_renders`.
        facts: of every job's source.

    Raises:
        InputError: a result would not fit its clips.
    """
    from vedit.media.writing.containers import container_for

    for render in renders:
        # Beside pictures alone the sound lies in a file of its own, which no clip names.
        sounds = facts[render.job.source].has_sound and not container_for(render.job.output).beside
        relink(document, render.job, render.job.new_media(has_sound=sounds))
    document.serialise()


def render_timeline(
    document: TimelineDocument,
    renders: Sequence[TimelineRender],
    *,
    facts: Mapping[Path, MediaFacts],
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    on_render: Callable[[int, TimelineRender], None] = lambda number, render: None,
    stop: Stop = never,
) -> tuple[TimelineResult, ...]:
    """Render what is missing and relink every clip; the timeline itself is not written.

    A result that is there already is taken as it is. What a stopped run has finished is kept, and the next run goes on
    from there.

    Args:
        document: the timeline; its clips are relinked.
        renders: from `timeline_renders`.
        facts: of every job's source.
        on_progress: told of frames over all renders together.
        on_plan: told of each render's plan before its model is loaded.
        on_note: told of what happens on the way.
        on_render: told of each render, counted from 1, before it begins.
        stop: asked between units; True ends it there.

    Raises:
        InputError: a result is in the way, or a render cannot be carried out.
        ContractError: a result is not what the timeline needs.
        Interrupted: `stop` said so.
    """
    from vedit.render.run import restyle

    _check_free(renders)
    due = [render for render in renders if render.due]
    total = sum(len(render.job.frames) for render in due)
    before = 0
    overall = Overall(
        on_progress,
        [_weight(render, facts[render.job.source]) for render in renders],
        kept=[number for number, render in enumerate(renders, start=1) if not render.due],
    )
    results: list[TimelineResult] = []
    for number, render in enumerate(renders, start=1):
        if stop():
            raise Interrupted(
                f"stopped; {len(results)} of {len(renders)} results are there", remedy="the same command goes on"
            )
        on_render(number, render)
        notes: tuple[str, ...] = ()
        if render.due:
            count = len(render.job.frames)
            told = restyle(
                render.request,
                on_progress=overall.of(number, before=before, count=count, total=total),
                on_plan=on_plan,
                on_note=on_note,
                stop=stop,
            )
            notes = told.notes
            before += count
            overall.end(number)
        media = _media(render, facts[render.job.source], decode=not render.due)
        relink(document, render.job, media)
        results.append(TimelineResult(render=render, media=media, kept=not render.due, notes=notes))
    return tuple(results)


def _weight(render: TimelineRender, facts: MediaFacts) -> float:
    """What a render is expected to take beside the others."""
    options, part = render.request.options, render.job.frames
    size = facts.size or (1, 1)
    fit = fit_of(size, options, render.model.traits)
    traits, plain = render.model.traits, loading_of(render.request, pick_device(render.request.device))
    loading = plain.on_this_machine(bears_bfloat16=traits.bears_bfloat16)
    look = outline_of_look(render.model, options, fit, (part,), loading)
    outline = Outline(
        pixels=size[0] * size[1],
        source_codec="",
        model=render.model.name,
        loading=loading,
        frames=part,
        looks=(look,),
        scanned=facts.frames,
        searched=len(part),
        codec="",
    )
    return sum(leg.seconds for legs in expected_of(outline).values() for leg in legs)


def _check_free(renders: Sequence[TimelineRender]) -> None:
    """Raises InputError where a result may not be replaced, before anything is rendered."""
    in_the_way = [
        render
        for render in renders
        if render.job.output.exists() and render.due and not render.request.writing.overwrite
    ]
    if in_the_way:
        first = in_the_way[0]
        others = f" (and {len(in_the_way) - 1} more)" if len(in_the_way) > 1 else ""
        why = "of other settings, weights or another source, or was changed since"
        if first.state == "there":
            why = "as it would be rendered again"
        raise InputError(f"{first.job.output}{others} exists, {why}", remedy="use --overwrite to render it again")


def _media(render: TimelineRender, facts: MediaFacts, *, decode: bool) -> NewMedia:
    """A result as clips are relinked to it; what a render has just written was checked by the render."""
    from vedit.media.reading.probe import probe

    job = render.job
    if decode:
        from vedit.nle.jobs import media_facts

        found = media_facts(job.output, allow_huge=True)
        if (found.frames, found.rate) != (len(job.frames), job.rate):
            raise ContractError(
                f"{job.output} holds {found.frames} frames at {found.rate}, not {len(job.frames)} at {job.rate}",
                remedy="remove it, and run the same command again",
            )
    metadata = probe(job.output, allow_huge=True)
    if metadata.timecode is not None and render.timecode is not None and metadata.timecode != render.timecode:
        raise ContractError(
            f"{job.output} begins at {metadata.timecode}, not at {render.timecode}",
            remedy="remove it, and run the same command again",
        )
    size = (metadata.width, metadata.height)
    return job.new_media(has_sound=bool(metadata.audio), size=None if size == facts.size else size)
