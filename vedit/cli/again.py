"""`vedit again`: a render once more, from the record beside its result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from vedit.cli import params
from vedit.cli.console import estimate, jsonable, result_line, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.models_local import model_dir_option
from vedit.cli.progress import progress
from vedit.cli.setting_options import gathered, option_of
from vedit.cli.several import Folder, file_of
from vedit.cli.shared_options import Messages, fresh_option, messages_options, overwrite_option
from vedit.cli.telling import Telling, talking
from vedit.errors import InputError, VeditError
from vedit.media.output import OutputOptions
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.source import SourceOptions
from vedit.options.table import setting_of

if TYPE_CHECKING:
    from vedit.render.outcome import RenderPlan
    from vedit.render.replay import Replay


_LOOK = {
    "prompt": "Another look.",
    "variation": "Another part that is drawn from the seed.",
    "seed": "Another seed.",
    "strength": "Another strength.",
    "quality": "Another quality, with its own steps and size.",
}
_WRITING = {"codec": "Another codec.", "preset": "Another preset of the codec."}


def _other(holder: type, name: str, text: str) -> Any:
    """A setting of the record as an option, which says nothing of it where it is not given."""
    return option_of(setting_of(holder, name), help=text, default=None)


def _said(**values: object) -> dict[str, object]:
    """What is given."""
    return {name: value for name, value in values.items() if value is not None}


@click.command("again", short_help="Render again what OUT.vedit.json records.")
@input_argument("record", "OUT.vedit.json")
@click.option("-o", "--output", type=params.OUTPUT, help="The result, or FOLDER/.  [default: OUT beside the record]")
@click.option("--source", type=params.FILE, help="The source, where it has moved.")
@gathered("look", [_other(RestyleOptions, name, text) for name, text in _LOOK.items()], _said)
@gathered("writing", [_other(OutputOptions, name, text) for name, text in _WRITING.items()], _said)
@option_of(setting_of(SourceOptions, "frames"))
@model_dir_option
@_other(RenderRequest, "device", "Where to run.  [default: as it was rendered]")
@overwrite_option
@fresh_option
@click.option("--dry-run", is_flag=True, help="Check all that the record names, print the plan and stop.")
@messages_options
def again_command(
    *,
    record: Path,
    output: Path | Folder | None,
    source: Path | None,
    look: dict[str, Any],
    writing: dict[str, Any],
    frames: str | None,
    device: str | None,
    overwrite: bool,
    fresh: bool,
    dry_run: bool,
    messages: Messages,
) -> None:
    """Render again what OUT.vedit.json, the record beside a result, says: with the same settings, weights and frames.

    \b
    Examples:
      vedit again input.vedit.mp4.vedit.json -o copy.mp4
      vedit again input.vedit.mp4.vedit.json --variation 0.6 --seed 7 -o seed7.mp4
      vedit again out.mov.vedit.json --source /footage/input.mov --codec prores -o master.mov
      vedit again out.mov.vedit.json -o copy.mov --dry-run

    The source, masks and weights are checked by their hashes first, and the frames of the result in the end. Neither a
    config file nor VEDIT_* variables decide anything here: all settings are the record's, or typed.
    """
    from vedit.render.replay import read_replay

    replay = read_replay(record, source=source, device=device)
    request = replace(
        _changed(replay.request, look),
        output=file_of(output, lambda folder: folder / replay.result.name) or replay.result,
        frames=frames or replay.request.frames,
        fresh=fresh,
        writing=replace(replay.request.writing, overwrite=overwrite, **writing),
    )
    same = not look and frames is None
    elsewhere = replay.elsewhere() if same else ()
    telling = Telling(quiet=messages.quiet)
    telling.notes(elsewhere)
    with replay.on_its_threads():
        if dry_run:
            _dry_run(replay, request, same=frames is None, messages=messages)
        else:
            exact, whole = not elsewhere, frames is None
            _render(replay, request, telling, same=same, exact=exact, whole=whole, as_json=messages.as_json)


def _changed(request: RenderRequest, look: dict[str, Any]) -> RenderRequest:
    """The request with another look.

    Raises:
        InputError: it has several and is given one prompt, or is given a seed of which nothing is drawn.
    """
    from vedit.models.recipes import without_recipe
    from vedit.models.resolve import model_of

    if request.looks is not None and "prompt" in look:
        raise InputError(
            "the record is of a plan, with a look for each shot: --prompt would replace all of them",
            remedy="change the plan and use `vedit edit`",
        )

    model = model_of(request)

    def changed(options: RestyleOptions) -> RestyleOptions:
        if not {"prompt", "quality"} & look.keys():
            return replace(options, **look)
        at = without_recipe(options, model)
        at = at.at_quality(look["quality"]) if "quality" in look else at
        return replace(at, **look)

    looks = None if request.looks is None else {number: changed(options) for number, options in request.looks.items()}
    found = replace(request, options=changed(request.options), looks=looks)
    if "seed" in look:
        params.check_seed(look["seed"], found.all_looks, model)
    return found


def _dry_run(replay: Replay, request: RenderRequest, *, same: bool, messages: Messages) -> None:
    from vedit.render.replay import check_shots
    from vedit.render.run import plan

    with progress(quiet=messages.quiet) as report:
        planned = plan(request, on_progress=report)
    if same:
        check_shots(replay, planned.shots)
    if messages.as_json:
        show_json(planned)
        return
    show(f"{planned.output}: {planned.frames} frames of {planned.source}, {estimate(planned)}")
    for line in planned.notes:
        show(f"note: {line}")


def _render(
    replay: Replay,
    request: RenderRequest,
    telling: Telling,
    *,
    same: bool,
    exact: bool,
    whole: bool,
    as_json: bool,
) -> None:
    from vedit.render.replay import check_shots, frames_of
    from vedit.render.run import restyle

    def tell_plan(planned: RenderPlan) -> None:
        if whole:
            check_shots(replay, planned.shots)
        telling.plan(planned)

    with talking(telling, on_plan=tell_plan) as heard:
        result = restyle(request, **heard)
    telling.notes(result.notes)
    equal = frames_of(Path(result.output)) == replay.frames_sha256 if same else None
    if as_json:
        show_json({**cast("dict[str, object]", jsonable(result)), "same_frames": equal})
    else:
        show(f"{result_line(result)}{', the same frames' if equal else ''}")
    if equal is False and not exact:
        telling.note("the frames are not those of the record to the last bit")
    elif equal is False:
        raise VeditError(
            f"the frames of {Path(result.output).name} are not those of the record, though source, settings, weights "
            "and machine are",
            remedy="the result was kept; please report this",
        )
