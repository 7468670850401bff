"""`vedit plan` and `vedit edit`: a clip's shots as a file to write looks into, and the render of that file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from vedit.cli import params
from vedit.cli.configured import Configured
from vedit.cli.console import count, estimate, note, result_line, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.models_local import model_dir_option
from vedit.cli.prompts import prompt_file_option, said_prompt
from vedit.cli.setting_options import gathered, held, option_of
from vedit.cli.several import Folder, file_of, place_of
from vedit.cli.shared_options import (
    PROMPT,
    Messages,
    allow_unknown_option,
    messages_options,
    overwrite_option,
    side_by_side_option,
    whole_clip_options,
    writing_options,
)
from vedit.cli.shots import detection_options
from vedit.cli.telling import Telling, talking
from vedit.options.request import RenderRequest

if TYPE_CHECKING:
    from vedit.edits.run import PlanPreview
    from vedit.media.output import OutputOptions
    from vedit.render.outcome import RenderPlan
    from vedit.shots.corrections import ShotChoices


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
@gathered(
    "prompt",
    (option_of(PROMPT, help="The look of every shot that says nothing else."), prompt_file_option),
    said_prompt,
)
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
@overwrite_option
@whole_clip_options
@params.json_option
def plan_command(
    *,
    source: Path,
    output: Path | Folder | None,
    prompt: str,
    no_thumbnails: bool,
    detection: ShotChoices,
    overwrite: bool,
    reading: dict[str, Any],
    as_json: bool,
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
    from vedit.media.reading.read import open_video
    from vedit.models.resolve import resolve
    from vedit.models.source import DEFAULT
    from vedit.options.request import RestyleOptions
    from vedit.render.prompts import word_notes
    from vedit.shots.corrections import find_shots
    from vedit.shots.formats import write_text

    name = f"{source.stem}.plan.toml"
    target = file_of(output, lambda folder: folder / name) or source.with_name(name)
    params.check_output(target, overwrite=overwrite, source=source)
    folder = target.absolute().parent
    with open_video(source, **reading) as reader:
        found = find_shots(reader, detection)
        pictures: list[Path] = []
        if not no_thumbnails:
            pictures = thumbnail_files(found.shots, folder / f"{target.stem}.thumbnails", overwrite=overwrite)
        text = plan_text(
            reader,
            found,
            source=_from(folder, source),
            prompt=prompt,
            rate=reading["rate"],
            track=reading["track"],
            thumbnails=[_from(folder, picture) for picture in pictures],
        )
        if pictures:
            write_thumbnails(reader, found.shots, pictures)
        for warning in reader.warnings:
            note(warning)
    if not source.resolve().is_relative_to(folder.resolve()):
        note(f"{source.name} is outside the folder of {target.name}: 'vedit edit' asks for --allow-outside")
    for line in word_notes([RestyleOptions(prompt=prompt)], resolve(DEFAULT)):
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
@side_by_side_option
@click.option("--no-keep", is_flag=True, help="Keep nothing but locked shots: the next run renders the others anew.")
@click.option("--allow-outside", is_flag=True, help="The plan may name files outside its own folder.")
@allow_unknown_option
@held("job", RenderRequest, "frames", "allow_huge", "fresh")
@model_dir_option
@writing_options
@messages_options
def edit_command(
    *,
    plan_path: Path,
    output: Path | Folder | None,
    preview: PlanPreview | None,
    dry_run: bool,
    side_by_side: Path | None,
    no_keep: bool,
    allow_outside: bool,
    allow_unknown: bool,
    job: dict[str, Any],
    writing: OutputOptions,
    messages: Messages,
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
    from vedit.edits.run import edit

    telling, as_json = Telling(quiet=messages.quiet), messages.as_json
    with talking(telling, renders=not dry_run and preview != "stills") as heard:
        done = edit(
            plan_path,
            output=place_of(output),
            preview=preview,
            dry_run=dry_run,
            side_by_side=side_by_side,
            keep=not no_keep,
            allow_outside=allow_outside,
            allow_unknown=allow_unknown,
            writing=writing,
            **job,
            **heard,
        )
    if done.stills is not None:
        _show({"preview": done.stills}, [str(done.stills)], as_json=as_json)
    elif done.plan is not None:
        _show(done.plan, _plan_lines(done.plan), as_json=as_json)
    elif done.render is not None:
        telling.notes(done.render.notes)
        _show(done.render, [result_line(done.render)], as_json=as_json)


def _show(told: object, lines: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        show_json(told)
    else:
        for line in lines:
            show(line)


def _plan_lines(plan: RenderPlan) -> list[str]:
    """The plan of a dry run, to be read."""
    looks = cast("list[dict[str, Any]]", plan.settings["looks"])
    return [
        *(
            f"shots {', '.join(map(str, look['shots']))}: {look['prompt'] or 'regions'}, strength {look['strength']:g}"
            for look in looks
        ),
        f"{plan.output}: {estimate(plan)}, all shots made anew",
        *(f"note: {line}" for line in plan.notes),
    ]


def _from(folder: Path, path: Path) -> str:
    """A path as a plan in `folder` names it, with forward slashes."""
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()
