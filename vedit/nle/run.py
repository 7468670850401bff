"""A run over a timeline: everything is read and checked, what is missing is rendered, and the new timeline written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.nearest import suggest
from vedit.edits.confined_paths import NamedFiles
from vedit.errors import SettingError
from vedit.media.output import OutputOptions
from vedit.media.writing.containers import CONTAINERS
from vedit.nle.looks import Looks, read_looks
from vedit.nle.model import Timeline, TimelineClip
from vedit.nle.prepare import Cut, Notes, Wanted, prepared
from vedit.nle.ranges import HANDLES
from vedit.nle.read import default_timeline, write_timeline
from vedit.nle.rendering import rehearse, render_timeline
from vedit.nle.report import describe_render, describe_run, write_record
from vedit.nle.results import RenderChoices, TimelineRender
from vedit.options.request import AttentionBackend, Offload, Precision, QualityName, Quantize
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.render.outcome import RenderPlan, ignore_plan
from vedit.render.sample_shot import OnNote, Stop, ignore_note, never

OnRender = Callable[[int, int, TimelineRender], None]
"""Called with the number of a render, from 1, how many there are, and the render."""


@dataclass(frozen=True, kw_only=True)
class TimelineRun:
    """What a run over a timeline has done, or would do."""

    source: Path
    output: Path
    """The timeline that shows the results; a dry run does not write it."""
    timeline: Timeline
    renders: tuple[TimelineRender, ...]
    states: tuple[str, ...]
    """Of each render: "rendered" or "kept"; of a dry run "render", "kept" or "in the way"."""
    skipped: tuple[tuple[TimelineClip, str], ...]
    """Clips that get a look and cannot be edited, and why."""
    idle: tuple[str, ...]
    """Looks that no clip gets."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""

    def as_dict(self) -> dict[str, object]:
        """The same as JSON has it."""
        pairs = zip(self.renders, self.states, strict=True)
        return describe_run(
            self.timeline,
            source=self.source,
            output=self.output,
            renders=[describe_render(self.timeline, render, done=state) for render, state in pairs],
            skipped=self.skipped,
            idle=self.idle,
            notes=self.notes,
        )


def ignore_render(number: int, count: int, render: TimelineRender) -> None:
    """The caller that does not want to know."""


@checked
def timeline(
    timeline_file: Path | str,
    looks: Looks | Path | str | None = None,
    *,
    output: Path | str | None = None,
    handles: int = HANDLES,
    rate: Fraction | int | None = None,
    media: Sequence[Path | str] = (),
    any_media: bool = False,
    skip_missing: bool = False,
    allow_outside: bool = False,
    results: Path | str | None = None,
    container: str | None = None,
    model: str | None = None,
    quality: QualityName | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    quantize: Quantize = "none",
    offload: Offload = "none",
    attention_backend: AttentionBackend = "auto",
    writing: OutputOptions | None = None,
    overwrite: bool = False,
    allow_unknown: bool = False,
    allow_huge: bool = False,
    fresh: bool = False,
    keep_work: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    on_render: OnRender = ignore_render,
    stop: Stop = never,
) -> TimelineRun:
    """Restyle clips of a timeline, and write a timeline that shows the results at the same place.

    What each clip shows of its media is rendered once, with handles, beside its source and with its timecode and
    sound. All else in the timeline stays as it is. A run that was stopped goes on when the same call is made again;
    results that are there are not rendered again.

    Args:
        timeline_file: FCPXML, FCP7 XML, a Kdenlive or MLT project, a CMX 3600 EDL, .otio or .aaf.
        looks: which clips get which look, or the file that says so; None: those that a note "VEDIT: prompt" names.
        output: the timeline that shows the results; None is NAME.vedit.EXT beside it.
        handles: frames on either side of what a clip shows, where the media has them.
        rate: frames per second of an EDL.
        media: folders whose media is read too, beside that of the timeline's own folder.
        any_media: read media wherever the timeline says it lies.
        skip_missing: leave clips as they are whose media is not found.
        allow_outside: the file of looks may name files outside its own folder.
        results: the folder of the results; None is beside each source.
        container: what the results are written as, "mov" for instance; None is as each source is.
        model: for all clips, whatever the looks say.
        quality: "draft", "standard" or "high", for all clips, whatever the looks say.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32", "float16" or "bfloat16": what the networks compute in.
        quantize: "none", "int8", "fp8", "int4" or "nf4": what the network's weights are held in.
        offload: "none", "model" or "group": what waits in host memory beside a GPU.
        attention_backend: "auto", "flash", "efficient", "cudnn" or "math": the kernel that computes attention.
        writing: the written files: codec, preset, what may be left out.
        overwrite: replace results and a timeline that are there; the source never.
        allow_unknown: render prompts of which the model knows no word, too.
        allow_huge: read sources beyond the limits on frame size and length.
        fresh: render again what is there already; takes `overwrite`.
        keep_work: keep what the model made of every clip.
        dry_run: say what would be rendered; nothing is written.
        on_progress: told of frames over all renders together.
        on_plan: told of each render's plan before its model is loaded.
        on_note: told of what the user should know, and of what happens on the way.
        on_render: told of each render before it begins.
        stop: asked between units; True ends the run there.

    Raises:
        InputError: the timeline, the looks or a media file cannot be used, or a file may not be written.
        ContractError: a result is not what the timeline needs.
        Interrupted: `stop` said so; what is finished is kept.
    """
    writing = writing or OutputOptions()
    source = Path(timeline_file)
    wanted = Wanted(
        source=source,
        output=default_timeline(source) if output is None else Path(output),
        rules=looks if isinstance(looks, Looks) else Looks() if looks is None else read_looks(Path(looks)),
        files=_named_files(looks, source, anywhere=allow_outside),
        handles=handles,
        rate=None if rate is None else Fraction(rate),
        folders=tuple(map(Path, media)),
        any_media=any_media,
        skip_missing=skip_missing,
        results=_folder(results),
        ending=_ending(container),
        choices=RenderChoices(
            model=model,
            quality=quality,
            device=device,
            precision=precision,
            quantize=quantize,
            offload=offload,
            attention_backend=attention_backend,
            writing=replace(writing, overwrite=overwrite or writing.overwrite),
            allow_huge=allow_huge,
            fresh=fresh,
            keep_work=keep_work,
            allow_unknown=allow_unknown,
        ),
    )
    notes = Notes(on_note)
    cut = _rehearsed(wanted, notes, stop)
    if dry_run:
        return _run(cut, notes, [render.planned for render in cut.renders])
    return _rendered(cut, notes, _Callbacks(on_progress=on_progress, on_plan=on_plan, on_render=on_render, stop=stop))


def _rehearsed(wanted: Wanted, notes: Notes, stop: Stop) -> Cut:
    """Read and check everything, the new timeline too, which is made of a copy. Raises as `timeline` does."""
    cut = prepared(wanted, notes, stop)
    rehearse(wanted.read(), cut.renders, cut.facts)
    return cut


@dataclass(frozen=True, kw_only=True)
class _Callbacks:
    """Who is told of the renders, and asked whether to stop."""

    on_progress: OnProgress
    on_plan: Callable[[RenderPlan], None]
    on_render: OnRender
    stop: Stop


def _rendered(cut: Cut, notes: Notes, callbacks: _Callbacks) -> TimelineRun:
    """Render what is missing, and write the timeline and its record. Raises as `timeline` does."""
    wanted, count = cut.wanted, len(cut.renders)
    made = render_timeline(
        cut.document,
        cut.renders,
        facts=cut.facts,
        on_progress=callbacks.on_progress,
        on_plan=notes.with_plan(callbacks.on_plan),
        on_note=notes.tell,
        on_render=lambda number, render: callbacks.on_render(number, count, render),
        stop=callbacks.stop,
    )
    for one in made:
        notes.tell(*(line for line in one.notes if line not in notes.told))
    run = _run(cut, notes, ["kept" if one.kept else "rendered" for one in made])
    write_timeline(cut.document, wanted.source, wanted.output, overwrite=wanted.choices.writing.overwrite)
    if wanted.choices.writing.sidecar:
        write_record(wanted.source, wanted.output, run.as_dict())
    return run


def _named_files(looks: Looks | Path | str | None, source: Path, *, anywhere: bool) -> NamedFiles:
    """Where the files that looks name may lie: beside the file that the looks are in, or else the timeline."""
    return NamedFiles(path=source if looks is None or isinstance(looks, Looks) else Path(looks), anywhere=anywhere)


def _run(cut: Cut, notes: Notes, states: Sequence[str]) -> TimelineRun:
    """The whole as it is told."""
    return TimelineRun(
        source=cut.wanted.source,
        output=cut.wanted.output,
        timeline=cut.document.timeline,
        renders=cut.renders,
        states=tuple(states),
        skipped=cut.skipped,
        idle=cut.idle,
        notes=tuple(notes.told),
    )


def _folder(results: Path | str | None) -> Path | None:
    """The folder of the results. Raises SettingError where it is not there."""
    if results is None:
        return None
    if not Path(results).is_dir():
        raise SettingError(f"results is {str(results)!r}, which is no folder", remedy="name one that is there")
    return Path(results).absolute()


def _ending(container: str | None) -> str:
    """`mov` -> `.mov`; none where each source's own is kept. Raises SettingError."""
    if container is None:
        return ""
    ending = f".{container.removeprefix('.').lower()}"
    known = [name for name, kind in CONTAINERS.items() if not kind.sequence]
    if ending not in known:
        names = [name.removeprefix(".") for name in known]
        raise SettingError(f"container is {container!r}", remedy=suggest(container, names, before="use one of "))
    return ending
