"""What `vedit timeline` says of a run: each render, what is made of it, and the clips that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.cli.console import count, say, show, show_json
from vedit.nle.report import span_of

if TYPE_CHECKING:
    from vedit.nle.results import TimelineRender
    from vedit.nle.run import TimelineRun


def say_render(number: int, total: int, render: TimelineRender) -> None:
    """Say which render begins."""
    say(f"{number} of {total}: {_line(render, render.planned)}")


def show_run(run: TimelineRun, *, dry: bool, as_json: bool) -> None:
    """Show what a run has done, or of a dry one what it would do: what is rendered, where, with which look."""
    if as_json:
        show_json(run.as_dict())
        return
    if not dry:
        clips = count(sum(len(render.job.clips) for render in run.renders), "clip")
        made = run.states.count("rendered")
        show(f"{run.output}: {clips} relinked, {made} rendered, {len(run.states) - made} kept from before")
        return
    for render, state in zip(run.renders, run.states, strict=True):
        show(_line(render, state))
        for number in render.job.clips:
            clip = run.timeline.clips[number - 1]
            show(f"  clip {clip.number} on {clip.track}: {clip.name}")
    show(f"timeline: {run.output}")


def _line(render: TimelineRender, state: str) -> str:
    job = render.job
    return f"{job.source.name} {span_of(job)} as {job.look.name!r} -> {job.output} [{state}]"
