"""`vedit plan` and `vedit edit`: a clip's shots as a file to write looks into, and the render of that file."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from vedit.cli import completion, params
from vedit.cli.configured import Configured
from vedit.cli.console import count, estimate, note, result_line, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.progress import progress
from vedit.cli.prompts import allow_unknown_option, prompt_file_option, said_prompt
from vedit.cli.several import Folder, file_of
from vedit.cli.shots import choices_of, detection_options
from vedit.cli.stopping import stopping
from vedit.cli.telling import Telling
from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.edits.plan_file import PlanFile
    from vedit.media.output import Interlaced
    from vedit.media.reading.reader import VideoReader
    from vedit.media.writing.atomic import Stamp
    from vedit.options.request import RenderRequest


def _print_schema(context: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from vedit.edits.plan_schema import plan_schema

        show_json(plan_schema())
        context.exit()


@click.command("plan", short_help="Write a clip's shots as a file to put looks in.")
@input_argument()
@click.option(
    "-o", "--output", type=params.OUTPUT, help="The plan, or FOLDER/.  [default: NAME.plan.toml beside INPUT]"
)
@click.option(
    "-p", "--prompt", default="", shell_complete=completion.looks, help="The look of every shot that says nothing else."
)
@prompt_file_option
@click.option("--no-thumbnails", is_flag=True, help="Write no folder of pictures beside the plan.")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON schema of plan files, for editors, and stop.",
)
@detection_options
@params.overwrite_option
@params.rate_option
@params.track_option
@params.huge_option
@params.interlaced_option
@params.json_option
def plan_command(
    *,
    source: Path,
    output: Path | Folder | None,
    prompt: str,
    prompt_file: Path | None,
    no_thumbnails: bool,
    overwrite: bool,
    rate: Fraction | None,
    track: int | None,
    allow_huge: bool,
    interlaced: Interlaced,
    as_json: bool,
    **detection: Any,
) -> None:
    """Find the shots of INPUT and write a plan: a TOML file with a table for each shot, and its picture beside.

    Write prompts into the plan, for all shots or for some, then render it with 'vedit edit'.

    \b
    Examples:
      vedit plan input.mp4
      vedit plan input.mp4 -o plan.toml --prompt "pencil sketch"
      vedit plan input.mp4 --detector content --add-cut 12.4 -o plan.toml
      vedit plan --schema > plan.schema.json
    """
    from vedit.edits.plan_template import plan_text, thumbnail_files, write_thumbnails
    from vedit.media.reading.isolate import check_file
    from vedit.media.reading.read import open_video
    from vedit.options.request import RenderRequest, RestyleOptions
    from vedit.render.prompts import word_notes
    from vedit.shots.corrections import find_shots
    from vedit.shots.formats import write_text

    prompt = said_prompt(prompt, prompt_file)
    name = f"{source.stem}.plan.toml"
    target = file_of(output, lambda folder: folder / name) or source.with_name(name)
    params.check_output(target, overwrite=overwrite, source=source)
    choices = choices_of(**detection)
    check_file(source, rate=rate, track=track, allow_huge=allow_huge)
    folder = target.absolute().parent
    with open_video(source, rate=rate, track=track, allow_huge=allow_huge, interlaced=interlaced) as reader:
        found = find_shots(reader, choices)
        pictures: list[Path] = []
        if not no_thumbnails:
            pictures = thumbnail_files(found.shots, folder / f"{target.stem}.thumbnails", overwrite=overwrite)
        text = plan_text(
            reader,
            found,
            source=_from(folder, source),
            prompt=prompt,
            rate=rate,
            track=track,
            thumbnails=[_from(folder, picture) for picture in pictures],
        )
        if pictures:
            write_thumbnails(reader, found.shots, pictures)
        for warning in reader.warnings:
            note(warning)
    if not source.resolve().is_relative_to(folder.resolve()):
        note(f"{source.name} is outside the folder of {target.name}: 'vedit edit' asks for --allow-outside")
    for line in word_notes(RenderRequest(source=source, options=RestyleOptions(prompt=prompt))):
        note(line)
    write_text(target, text)
    if as_json:
        show_json({"plan": target, "shots": len(found.shots), "thumbnails": pictures})
    else:
        show(f"{target}: {count(len(found.shots), 'shot')}")


@click.command("edit", cls=Configured, short_help="Render a plan: each shot under its own look.")
@input_argument("plan_path", "PLAN")
@click.option(
    "-o", "--output", type=params.OUTPUT, help="The result, or FOLDER/ for NAME.PLAN.EXT in it, instead of the plan's."
)
@click.option(
    "--preview",
    type=params.Choice(["stills", "draft"]),
    help="stills: a PNG with one frame of each shot; draft: the whole clip at draft quality, NAME.draft.EXT.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be rendered and stop.")
@click.option("--side-by-side", type=params.FILE, metavar="FILE", help="Also write source and result side by side.")
@click.option("--no-keep", is_flag=True, help="Keep nothing but locked shots: the next run renders the others anew.")
@click.option("--allow-outside", is_flag=True, help="The plan may name files outside its own folder.")
@allow_unknown_option
@params.range_option
@params.huge_option
@params.output_options
@click.option("--fresh", is_flag=True, help="Do not go on from what an earlier run has kept in OUT.vedit.")
@params.json_option
@params.progress_option
@params.quiet_option
def edit_command(
    *,
    plan_path: Path,
    output: Path | Folder | None,
    preview: str | None,
    dry_run: bool,
    side_by_side: Path | None,
    no_keep: bool,
    allow_outside: bool,
    allow_unknown: bool,
    frames: str | None,
    allow_huge: bool,
    fresh: bool,
    as_json: bool,
    quiet: bool,
    **writing: Any,
) -> None:
    """Render the clip of PLAN: each shot in the look that the plan gives it. Shots without a look stay as they are.

    What was rendered is kept in OUT.vedit, so that a second run renders only the shots that changed in the plan.

    A file in the result's place is replaced without asking only if vedit wrote it and nothing has changed it since
    (OUT.vedit.json holds its hash). Any other file needs --overwrite, and so does a result of --no-sidecar. The
    picture of --preview stills, OUT.preview.png, is replaced in the same way: vedit knows its own by a mark inside it.
    The side-by-side video always needs --overwrite.

    \b
    Examples:
      vedit edit plan.toml --preview stills
      vedit edit plan.toml --preview draft
      vedit edit plan.toml
      vedit edit plan.toml -o out.mov --codec prores
    """
    from vedit.edits.plan_file import plan_request, read_plan, resolve_plan
    from vedit.media.reading.isolate import check_file
    from vedit.media.reading.read import open_video
    from vedit.media.writing.output_plan import check_output
    from vedit.render.killed import beside_of, finish_killed
    from vedit.options.output_names import in_folder, preview_path, slug

    plan = read_plan(plan_path, anywhere=allow_outside)
    check_file(plan.source, rate=plan.rate, track=plan.track, allow_huge=allow_huge)
    choices = params.output_choices(**writing)
    named = file_of(output, lambda folder: in_folder(folder, plan.source, slug(plan_path.stem), track=plan.track))
    target = _target(named or plan.output, plan, preview)
    if not (dry_run or preview):
        finish_killed(target)
    if preview == "stills":
        _check_stills(preview_path(target, plan.source), overwrite=choices.overwrite)
        allowed = replace(choices, overwrite=True)  # a look at what the plan says now touches no result
    else:
        allowed = choices if choices.overwrite else replace(choices, replaces=_own_result(target))
    if side_by_side is not None:
        left = beside_of(target)
        params.check_output(side_by_side, overwrite=choices.overwrite, source=plan.source, replaces=left)
    check_output(target, plan.source, allowed)
    with open_video(
        plan.source, rate=plan.rate, track=plan.track, allow_huge=allow_huge, interlaced=choices.interlaced
    ) as reader:
        resolved = resolve_plan(plan, reader)
        if allow_unknown:
            looks = {number: replace(look, allow_unknown=True) for number, look in resolved.looks.items()}
            resolved = replace(resolved, looks=looks)
        request = plan_request(
            plan,
            resolved,
            output=target,
            frames=frames,
            allow_huge=allow_huge,
            fresh=fresh,
            writing=allowed,
            **({"keep_work": False, "keep_frames": False} if no_keep else {}),
        )
        if preview == "draft":
            looks = {number: look.at_quality("draft") for number, look in resolved.looks.items()}
            request = replace(request, looks=looks, locked=frozenset[int]())
        for path in dict.fromkeys(path for look in resolved.looks.values() for path in look.files):
            check_file(path, rate=None, allow_huge=allow_huge)
        if preview == "stills":
            _stills(request, reader, as_json=as_json, quiet=quiet)
        elif dry_run:
            _dry_run(request, reader, as_json=as_json, quiet=quiet)
        else:
            _render(request, reader, side_by_side=side_by_side, as_json=as_json, quiet=quiet)


def _render(
    request: RenderRequest, reader: VideoReader, *, side_by_side: Path | None, as_json: bool, quiet: bool
) -> None:
    from vedit.render.run import restyle

    telling = Telling(quiet=quiet)
    with stopping() as stop, progress(quiet=quiet) as report:
        result = restyle(
            request,
            reader=reader,
            on_progress=report,
            on_plan=telling.plan,
            on_note=telling.note,
            stop=stop,
            side_by_side=side_by_side,
        )
    telling.notes(result.notes)
    if as_json:
        show_json(result)
    else:
        show(result_line(result))


def _dry_run(request: RenderRequest, reader: VideoReader, *, as_json: bool, quiet: bool) -> None:
    from vedit.render.run import plan

    with progress(quiet=quiet) as report:
        planned = plan(request, reader=reader, on_progress=report)
    if as_json:
        show_json(planned)
        return
    looks = cast("list[dict[str, Any]]", planned.settings["looks"])
    for look in looks:
        show(
            f"shots {', '.join(map(str, look['shots']))}: {look['prompt'] or 'regions'}, strength {look['strength']:g}"
        )
    show(f"{planned.output}: {estimate(planned)}, all shots made anew")
    for line in planned.notes:
        show(f"note: {line}")


def _stills(request: RenderRequest, reader: VideoReader, *, as_json: bool, quiet: bool) -> None:
    from vedit.render.preview import middle_of, preview

    with progress(quiet=quiet) as report:
        path = preview(
            request,
            reader=reader,
            numbers_of=middle_of,
            on_progress=report,
            on_note=lambda line: None if quiet else note(line),
        )
    if as_json:
        show_json({"preview": path})
    else:
        show(str(path))


def _target(named: Path | None, plan: PlanFile, preview: str | None) -> Path:
    from vedit.media.writing.containers import default_output

    target = named or default_output(plan.source, plan.track)
    return target.with_name(f"{target.stem}.draft{target.suffix}") if preview == "draft" else target


def _check_stills(picture: Path, *, overwrite: bool) -> None:
    """Raises InputError where something else than the stills of an earlier run has their name."""
    from vedit.display.contact_sheet import is_sheet

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
    from vedit.media.writing.sidecar import own_files, own_record, read_record, sidecar_path

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


def _from(folder: Path, path: Path) -> str:
    """A path as a plan in `folder` names it, with forward slashes."""
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()
