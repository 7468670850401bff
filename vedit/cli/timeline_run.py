"""What `vedit timeline` does where it does not only list: the plan, the renders, the new timeline."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.cli.console import count, note, say, say_plan, show, show_json
from vedit.cli.progress import progress
from vedit.cli.stopping import stopping
from vedit.edits.confined_paths import NamedFiles
from vedit.nle.jobs import clock_notes, media_facts, needed_media, plan_timeline, sequence_rates, skipped_clips
from vedit.nle.looks import Looks, read_looks
from vedit.nle.read import check_output, default_timeline, read_timeline, write_timeline
from vedit.nle.rendering import rehearse, render_timeline
from vedit.nle.report import check_record, describe_render, describe_run, span_of, write_record
from vedit.nle.results import RenderChoices, State, TimelineRender, timeline_renders
from vedit.render.prompts import word_notes

if TYPE_CHECKING:
    from vedit.nle.model import TimelineDocument
    from vedit.render.outcome import RenderPlan

_PLANNED: dict[State, str] = {"missing": "render", "there": "kept", "other": "in the way"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line says."""

    source: Path
    edits: Path | None
    output: Path | None
    handles: int
    rate: Fraction | None
    folders: tuple[Path, ...]
    any_media: bool
    skip_missing: bool
    allow_outside: bool
    results: Path | None
    ending: str
    choices: RenderChoices


class Run:
    """One run over a timeline: everything is read and checked when it is made, nothing is rendered.

    Args:
        wanted: what the command line says.
        quiet: no messages but errors.

    Raises:
        InputError: the timeline, the looks or a media file cannot be used, or the result may not be written.
    """

    def __init__(self, wanted: Wanted, *, quiet: bool) -> None:
        from vedit.media.reading.isolate import check_file

        self._wanted = wanted
        self._quiet = quiet
        self._notes: list[str] = []
        self._source = Path(wanted.source)
        self._output = wanted.output or default_timeline(self._source)
        self._looks = Looks() if wanted.edits is None else read_looks(wanted.edits)
        self._document = self._read()
        writing = wanted.choices.writing
        check_output(self._source, self._output, overwrite=writing.overwrite)
        if writing.sidecar:
            check_record(self._output)
        timeline = self._document.timeline
        self._tell(*timeline.notes)
        self._skipped = skipped_clips(self._document, self._looks, skip_missing=wanted.skip_missing)
        self._tell(*(f"clip {clip.number} ({clip.name}) stays as it is: {why}" for clip, why in self._skipped))
        self._idle = self._looks.idle(timeline.clips)
        self._tell(*(f"no clip gets the look {name!r}" for name in self._idle))
        self._tell(*self._relative())
        huge = wanted.choices.allow_huge
        rates = sequence_rates(self._document)
        needed = needed_media(self._document, self._looks, skip_missing=wanted.skip_missing)
        self._facts = {path: media_facts(path, rate=rates.get(path), allow_huge=huge) for path in needed}
        self._tell(*clock_notes(self._document, self._facts))
        jobs = plan_timeline(
            self._document,
            self._looks,
            handles=wanted.handles,
            facts=self._facts,
            folder=wanted.results.absolute() if wanted.results is not None else None,
            ending=wanted.ending,
            skip_missing=wanted.skip_missing,
        )
        self._renders = timeline_renders(
            self._document,
            jobs,
            files=NamedFiles(path=wanted.edits or self._source, anywhere=wanted.allow_outside),
            facts=self._facts,
            choices=wanted.choices,
        )
        self._tell(*dict.fromkeys(line for render in self._renders for line in word_notes(render.request)))
        for path in dict.fromkeys(path for render in self._renders for path in render.request.options.files):
            check_file(path, rate=None, allow_huge=huge)

    def plan(self, *, as_json: bool) -> None:
        """Say what would be rendered, where, with which look."""
        rehearse(self._read(), self._renders, self._facts)
        states = [_PLANNED[self._state(render)] for render in self._renders]
        if as_json:
            show_json(self._described(states))
            return
        for render, state in zip(self._renders, states, strict=True):
            show(_line(render, state))
            for entry in _clips(self._document, render):
                show(f"  {entry}")
        show(f"timeline: {self._output}")

    def render(self, *, as_json: bool) -> None:
        """Render what is missing, relink, and write the timeline."""
        rehearse(self._read(), self._renders, self._facts)
        with stopping() as stop, progress(quiet=self._quiet, each="render") as report:
            results = render_timeline(
                self._document,
                self._renders,
                facts=self._facts,
                on_progress=report,
                on_plan=self._tell_plan,
                on_note=self._tell,
                on_render=self._tell_render,
                stop=stop,
            )
        for result in results:
            self._tell(*(line for line in result.notes if line not in self._notes))
        states = ["kept" if result.kept else "rendered" for result in results]
        told = self._described(states)
        writing = self._wanted.choices.writing
        write_timeline(self._document, self._source, self._output, overwrite=writing.overwrite)
        if writing.sidecar:
            write_record(self._source, self._output, told)
        if as_json:
            show_json(told)
            return
        clips = count(sum(len(render.job.clips) for render in self._renders), "clip")
        made = states.count("rendered")
        show(f"{self._output}: {clips} relinked, {made} rendered, {len(states) - made} kept from before")

    def _read(self) -> TimelineDocument:
        wanted = self._wanted
        return read_timeline(self._source, rate=wanted.rate, folders=wanted.folders, anywhere=wanted.any_media)

    def _state(self, render: TimelineRender) -> State:
        if render.state == "missing" or not render.request.fresh:
            return render.state if not (render.state == "other" and render.request.writing.overwrite) else "missing"
        return "missing" if render.request.writing.overwrite else "other"

    def _relative(self) -> list[str]:
        """A relative address counts from the timeline's own folder, which is another one now."""
        if self._output.absolute().parent == self._source.absolute().parent:
            return []
        written = [clip.media.written for clip in self._document.timeline.clips if clip.media is not None]
        names = self._source.suffix.lower() == ".edl"
        relative = [text for text in written if text and not _is_absolute(text)]
        if names or not relative:
            return []
        return [f"{relative[0]} and its like count from {self._source.absolute().parent}: write the result there"]

    def _described(self, states: list[str]) -> dict[str, object]:
        timeline = self._document.timeline
        return describe_run(
            timeline,
            source=self._source,
            output=self._output,
            renders=[
                describe_render(timeline, render, done=state)
                for render, state in zip(self._renders, states, strict=True)
            ],
            skipped=self._skipped,
            idle=self._idle,
            notes=self._notes,
        )

    def _tell(self, *lines: str) -> None:
        for line in lines:
            self._notes.append(line)
            if not self._quiet:
                note(line)

    def _tell_plan(self, plan: RenderPlan) -> None:
        if not self._quiet:
            say_plan(plan)
        self._tell(*(line for line in plan.notes if line not in self._notes))

    def _tell_render(self, number: int, render: TimelineRender) -> None:
        if not self._quiet:
            say(f"{number} of {len(self._renders)}: {_line(render, _PLANNED[self._state(render)])}")


def _line(render: TimelineRender, state: str) -> str:
    job = render.job
    return f"{job.source.name} {span_of(job)} as {job.look.name!r} -> {job.output} [{state}]"


def _clips(document: TimelineDocument, render: TimelineRender) -> list[str]:
    clips = [document.timeline.clips[number - 1] for number in render.job.clips]
    return [f"clip {clip.number} on {clip.track}: {clip.name}" for clip in clips]


def _is_absolute(written: str) -> bool:
    return written.startswith(("/", "\\")) or ":" in written[:8]
