"""`vedit again`: a render once more, from the record beside its result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from vedit.cli import completion, params
from vedit.cli.console import estimate, jsonable, result_line, show, show_json
from vedit.cli.inputs import input_argument
from vedit.cli.progress import progress
from vedit.cli.several import Folder, file_of
from vedit.cli.telling import Telling, talking
from vedit.errors import InputError, VeditError
from vedit.media.output import CodecName, PresetName
from vedit.options.request import QUALITIES

_LOOK = ("variation", "seed", "strength", "quality")

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest, RestyleOptions
    from vedit.render.outcome import RenderPlan
    from vedit.render.replay import Replay


@click.command("again", short_help="Render again what OUT.vedit.json records.")
@input_argument("record", "OUT.vedit.json")
@click.option("-o", "--output", type=params.OUTPUT, help="The result, or FOLDER/.  [default: OUT beside the record]")
@click.option("--source", type=params.FILE, help="The source, where it has moved.")
@click.option("-p", "--prompt", shell_complete=completion.looks, help="Another look.")
@click.option("--variation", type=params.number("variation"), help="Another part that is drawn from the seed.")
@click.option("--seed", type=params.number("seed"), help="Another seed.")
@click.option("--strength", type=params.number("strength"), help="Another strength.")
@click.option("--quality", type=params.Choice(list(QUALITIES)), help="Another quality, with its own steps and size.")
@params.range_option
@click.option("--codec", type=params.Choice(get_args(CodecName)), help="Another codec.")
@click.option("--preset", type=params.Choice(get_args(PresetName)), help="Another preset of the codec.")
@click.option(
    "--device",
    type=params.Choice(["auto", "cpu", "cuda", "mps"]),
    help="Where to run.  [default: as it was rendered]",
)
@params.overwrite_option
@click.option("--fresh", is_flag=True, help="Do not go on from what an earlier run has kept in OUT.vedit.")
@click.option("--dry-run", is_flag=True, help="Check all that the record names, print the plan and stop.")
@params.json_option
@params.progress_option
@params.quiet_option
def again_command(
    *,
    record: Path,
    output: Path | Folder | None,
    source: Path | None,
    prompt: str | None,
    frames: str | None,
    device: str | None,
    overwrite: bool,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **changes: Any,
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

    look = {name: changes[name] for name in _LOOK if changes[name] is not None}
    if prompt is not None:
        look["prompt"] = prompt
    writing = {name: changes[name] for name in ("codec", "preset") if changes[name] is not None}
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
    telling = Telling(quiet=quiet)
    telling.notes(elsewhere)
    with replay.on_its_threads():
        if dry_run:
            _dry_run(replay, request, same=frames is None, as_json=as_json, quiet=quiet)
        else:
            exact, whole = not elsewhere, frames is None
            _render(replay, request, telling, same=same, exact=exact, whole=whole, as_json=as_json)


def _changed(request: RenderRequest, look: dict[str, Any]) -> RenderRequest:
    """The request with another look.

    Raises:
        InputError: it has several and is given one prompt, or is given a seed of which nothing is drawn.
    """
    from vedit.models.recipes import without_recipe

    if request.looks is not None and "prompt" in look:
        raise InputError(
            "the record is of a plan, with a look for each shot: --prompt would replace all of them",
            remedy="change the plan and use `vedit edit`",
        )

    def changed(options: RestyleOptions) -> RestyleOptions:
        if not {"prompt", "quality"} & look.keys():
            return replace(options, **look)
        at = without_recipe(options, request.model)
        at = at.at_quality(look["quality"]) if "quality" in look else at
        return replace(at, **look)

    looks = None if request.looks is None else {number: changed(options) for number, options in request.looks.items()}
    found = replace(request, options=changed(request.options), looks=looks)
    if "seed" in look:
        params.check_seed(look["seed"], found.all_looks, found.model)
    return found


def _dry_run(replay: Replay, request: RenderRequest, *, same: bool, as_json: bool, quiet: bool) -> None:
    from vedit.render.replay import check_shots
    from vedit.render.run import plan

    with progress(quiet=quiet) as report:
        planned = plan(request, on_progress=report)
    if same:
        check_shots(replay, planned.shots)
    if as_json:
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
