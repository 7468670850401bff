"""A timeline read and checked, with everything that is to be rendered for it; nothing is rendered here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vedit.edits.confined_paths import NamedFiles
from vedit.errors import Interrupted
from vedit.media.reading.admitted import admit
from vedit.nle.jobs import clock_notes, media_facts, needed_media, plan_timeline, sequence_rates, skipped_clips
from vedit.nle.looks import Looks
from vedit.nle.model import TimelineClip, TimelineDocument
from vedit.nle.ranges import MediaFacts
from vedit.nle.read import check_output, read_timeline
from vedit.nle.report import check_record
from vedit.nle.results import RenderChoices, TimelineRender, timeline_renders
from vedit.render.outcome import RenderPlan
from vedit.render.prompts import made_looks, word_notes
from vedit.render.sample_shot import OnNote, Stop


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for."""

    source: Path
    output: Path
    rules: Looks
    files: NamedFiles
    handles: int
    rate: Fraction | None
    folders: tuple[Path, ...]
    any_media: bool
    skip_missing: bool
    results: Path | None
    ending: str
    choices: RenderChoices

    def read(self) -> TimelineDocument:
        """The timeline, each time anew."""
        return read_timeline(self.source, rate=self.rate, folders=self.folders, anywhere=self.any_media)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A timeline that was read and checked, and what is to be rendered for it."""

    wanted: Wanted
    document: TimelineDocument
    facts: Mapping[Path, MediaFacts]
    renders: tuple[TimelineRender, ...]
    skipped: tuple[tuple[TimelineClip, str], ...]
    idle: tuple[str, ...]


class Notes:
    """Every line that is told, in order."""

    def __init__(self, on_note: OnNote) -> None:
        self.told: list[str] = []
        self._on_note = on_note

    def tell(self, *lines: str) -> None:
        """Tell each."""
        for line in lines:
            self.told.append(line)
            self._on_note(line)

    def with_plan(self, on_plan: Callable[[RenderPlan], None]) -> Callable[[RenderPlan], None]:
        """The same, with the notes of a plan among what was told: whoever is told of the plan is told of them."""

        def told(plan: RenderPlan) -> None:
            on_plan(plan)
            self.told += (line for line in plan.notes if line not in self.told)

        return told


def prepared(wanted: Wanted, notes: Notes, stop: Stop) -> Cut:
    """Read and check everything; nothing is rendered. Raises InputError, and Interrupted where `stop` says so."""
    document, rules, choices = wanted.read(), wanted.rules, wanted.choices
    check_output(wanted.source, wanted.output, overwrite=choices.writing.overwrite)
    if choices.writing.sidecar:
        check_record(wanted.output)
    notes.tell(*document.timeline.notes)
    skipped = skipped_clips(document, rules, skip_missing=wanted.skip_missing)
    notes.tell(*(f"clip {clip.number} ({clip.name}) stays as it is: {why}" for clip, why in skipped))
    idle = rules.idle(document.timeline.clips)
    notes.tell(*(f"no clip gets the look {name!r}" for name in idle))
    notes.tell(*_relative(wanted, document))
    rates = sequence_rates(document)
    facts: dict[Path, MediaFacts] = {}
    for path in needed_media(document, rules, skip_missing=wanted.skip_missing):
        if stop():
            raise Interrupted("stopped; nothing was rendered", remedy="the same command begins again")
        facts[path] = media_facts(path, rate=rates.get(path), allow_huge=choices.allow_huge)
    notes.tell(*clock_notes(document, facts))
    jobs = plan_timeline(
        document,
        rules,
        handles=wanted.handles,
        facts=facts,
        folder=wanted.results,
        ending=wanted.ending,
        skip_missing=wanted.skip_missing,
    )
    renders = timeline_renders(document, jobs, files=wanted.files, facts=facts, choices=choices)
    notes.tell(
        *dict.fromkeys(line for render in renders for line in word_notes(made_looks(render.request), render.model))
    )
    for path in dict.fromkeys(path for render in renders for path in render.request.options.files):
        admit(path, allow_huge=choices.allow_huge)
    return Cut(wanted=wanted, document=document, facts=facts, renders=renders, skipped=skipped, idle=idle)


def _relative(wanted: Wanted, document: TimelineDocument) -> list[str]:
    """A relative address counts from the timeline's own folder, which is another one now."""
    folder = wanted.source.absolute().parent
    if wanted.output.absolute().parent == folder:
        return []
    written = [clip.media.written for clip in document.timeline.clips if clip.media is not None]
    names = wanted.source.suffix.lower() == ".edl"
    relative = [text for text in written if text and not _is_absolute(text)]
    if names or not relative:
        return []
    return [f"{relative[0]} and its like count from {folder}: write the result there"]


def _is_absolute(written: str) -> bool:
    return written.startswith(("/", "\\")) or ":" in written[:8]
