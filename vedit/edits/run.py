"""The render of a plan file: what may be replaced, what a preview is, and each shot under its own look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vedit.checks.arguments import checked
from vedit.display.contact_sheet import is_sheet
from vedit.edits.plan_file import PlanFile, ResolvedPlan, plan_request, read_plan, resolve_plan
from vedit.errors import InputError
from vedit.media.output import OutputOptions
from vedit.media.reading.admitted import admit
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.writing.atomic import Stamp
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import check_output
from vedit.media.writing.sidecar import own_files, own_record, read_record, sidecar_path
from vedit.media.writing.target import check_target
from vedit.options.output_names import in_folder, is_folder, preview_path, slug
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.render import preview as stills
from vedit.render import run as render
from vedit.render.killed import beside_of, finish_killed
from vedit.render.outcome import RenderPlan, RenderResult, ignore_plan
from vedit.render.sample_shot import OnNote, Stop, ignore_note, never

PlanPreview = Literal["stills", "draft"]


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """What came of a plan file: one of its three is there, by what was asked for."""

    output: Path
    """The result, which a dry run and stills do not write."""
    render: RenderResult | None = None
    plan: RenderPlan | None = None
    stills: Path | None = None
    """The PNG with one frame of each shot."""

    def _repr_html_(self) -> str | None:
        """What the render, or what it would be, shows of itself in a notebook."""
        shown = self.render or self.plan
        return None if shown is None else shown._repr_html_()  # pyright: ignore[reportPrivateUsage]


@checked
def edit(
    plan_file: Path | str,
    *,
    output: Path | str | None = None,
    preview: PlanPreview | None = None,
    dry_run: bool = False,
    frames: str | None = None,
    side_by_side: Path | str | None = None,
    keep: bool = True,
    fresh: bool = False,
    allow_outside: bool = False,
    allow_unknown: bool = False,
    allow_huge: bool = False,
    writing: OutputOptions | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
) -> EditResult:
    """Render the clip of a plan file, each shot in the look that the plan gives it; the others stay as they are.

    What was rendered is kept in OUT.vedit, so that a second call renders only the shots that changed in the plan. A
    file in the result's place is replaced without `overwrite` only if vedit wrote it and nothing has changed it since.

    Args:
        plan_file: what `vedit plan` wrote, with looks in it.
        output: the result, or a folder that is there for NAME.PLAN.EXT in it; None is the plan's, or NAME.vedit.EXT.
        preview: "stills" makes a PNG with one frame of each shot instead; "draft" renders the whole clip at draft
            quality, as NAME.draft.EXT.
        dry_run: say what would be rendered; nothing is written.
        frames: START..END in seconds, timecode or "#36..#96"; None is the whole clip.
        side_by_side: also write source and result beside each other to this file.
        keep: keep what was rendered; False keeps locked shots alone, and the next call renders the others anew.
        fresh: do not go on from what an earlier call has kept.
        allow_outside: the plan may name files outside its own folder.
        allow_unknown: render prompts of which the model knows no word, too.
        allow_huge: read sources beyond the limits on frame size and length.
        writing: the written file: codec, preset, what may be left out.
        overwrite: replace files that are there; the source never.
        on_progress: told as frames pass the stages.
        on_plan: told what will be done, before a model is loaded.
        on_note: told of what happens on the way.
        stop: asked between units; True ends the render there, and the same call goes on.

    Raises:
        InputError: the plan is not understood, or cannot be carried out; nothing was written.
        ContractError: the written file broke the timing or sound contract; it was removed.
        Interrupted: `stop` said so; what is finished is kept.
    """
    plan = read_plan(Path(plan_file), anywhere=allow_outside)
    admit(plan.source, rate=plan.rate, track=plan.track, allow_huge=allow_huge)
    choices = writing or OutputOptions()
    choices = replace(choices, overwrite=overwrite or choices.overwrite)
    target = _target(output, plan, preview)
    beside = None if side_by_side is None else Path(side_by_side)
    allowed = _allowed(target, plan.source, choices, preview, writes=not (dry_run or preview))
    if beside is not None:
        check_target(beside, plan.source, overwrite=choices.overwrite, replaces=beside_of(target))
    check_output(target, plan.source, allowed)
    settings: dict[str, Any] = {"frames": frames, "allow_huge": allow_huge, "fresh": fresh, "writing": allowed}
    if not keep:
        settings |= {"keep_work": False, "keep_frames": False}
    with open_video(
        plan.source, rate=plan.rate, track=plan.track, allow_huge=allow_huge, interlaced=choices.interlaced
    ) as reader:
        resolved = _resolved(plan, reader, preview, allow_unknown=allow_unknown)
        request = plan_request(plan, resolved, output=target, **settings)
        if preview == "stills":
            made = stills.preview(
                request, reader=reader, numbers_of=stills.middle_of, on_progress=on_progress, on_note=on_note
            )
            return EditResult(output=target, stills=made)
        if dry_run:
            told = render.plan(request, reader=reader, on_progress=on_progress)
            return EditResult(output=target, plan=told)
        result = render.restyle(
            request,
            reader=reader,
            on_progress=on_progress,
            on_plan=on_plan,
            on_note=on_note,
            stop=stop,
            side_by_side=beside,
        )
    return EditResult(output=target, render=result)


def _target(output: Path | str | None, plan: PlanFile, preview: PlanPreview | None) -> Path:
    """The result; of a draft NAME.draft.EXT beside it."""
    if output is not None and is_folder(output):
        named = in_folder(output, plan.source, slug(plan.path.stem), track=plan.track)
    else:
        named = plan.output if output is None else Path(output)
    target = named or default_output(plan.source, plan.track)
    return target.with_name(f"{target.stem}.draft{target.suffix}") if preview == "draft" else target


def _allowed(
    target: Path, source: Path, choices: OutputOptions, preview: PlanPreview | None, *, writes: bool
) -> OutputOptions:
    """How the result may be written: over what vedit itself has written, and for stills not at all.

    Args:
        target: the result.
        source: the clip.
        choices: what the caller allows.
        preview: of the plan.
        writes: the result itself is written; what a killed render of it had ready gets its name first.

    Raises:
        InputError: something is in the way.
    """
    if writes:
        finish_killed(target)
    if preview == "stills":
        _check_stills(preview_path(target, source), overwrite=choices.overwrite)
        return replace(choices, overwrite=True)  # a look at what the plan says now touches no result
    return choices if choices.overwrite else replace(choices, replaces=(*choices.replaces, *_own_result(target)))


def _resolved(plan: PlanFile, reader: VideoReader, preview: PlanPreview | None, *, allow_unknown: bool) -> ResolvedPlan:
    """The plan on its clip, as it is asked for: a draft is of draft quality, and of locked shots too."""
    resolved = resolve_plan(plan, reader)
    if allow_unknown:
        looks = {number: replace(look, allow_unknown=True) for number, look in resolved.looks.items()}
        resolved = replace(resolved, looks=looks)
    if preview == "draft":
        looks = {number: look.at_quality("draft") for number, look in resolved.looks.items()}
        resolved = replace(resolved, looks=looks, locked=frozenset[int]())
    return resolved


def _check_stills(picture: Path, *, overwrite: bool) -> None:
    """Raises InputError where something else than the stills of an earlier run has their name."""
    if (picture.is_symlink() or picture.exists()) and not (overwrite or is_sheet(picture)):
        raise InputError(
            f"{picture} exists, and is no preview that was written here, or was changed since",
            remedy="use --overwrite, or name another output with -o",
        )


def _own_result(target: Path) -> tuple[Stamp, ...]:
    """The files of what is there, if it was rendered from a plan, and is as it was written.

    Raises:
        InputError: it was rendered from a plan and is another file now.
    """
    recipe = (read_record(sidecar_path(target)) or {}).get("recipe")
    if not (isinstance(recipe, dict) and "looks" in recipe):
        return ()
    # Seen before they are read: what takes their place meanwhile, or while the render runs, is not among them.
    files = own_files(target)
    if own_record(target) is not None:
        return files
    if target.exists():
        raise InputError(
            f"{target} is not as it was rendered: it was changed or replaced since",
            remedy="use --overwrite, or name another output with -o",
        )
    return ()
