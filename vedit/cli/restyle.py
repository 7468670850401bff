"""`vedit restyle`: a clip, regenerated under a new prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from vedit.cli import params
from vedit.cli.configured import ConfiguredRestyle
from vedit.cli.console import show_json
from vedit.cli.inputs import input_argument
from vedit.cli.restyle_options import restyle_options
from vedit.cli.restyling import make_preview, make_variations, prepare_run, run_restyle, say_plan_of
from vedit.cli.several import Folder, failure_of, folder_made, places, run_each
from vedit.options.output_names import look_name
from vedit.options.request import RenderRequest, RestyleOptions

if TYPE_CHECKING:
    from vedit.cli.restyle_options import Instead
    from vedit.cli.shared_options import Messages
    from vedit.media.output import OutputOptions


@click.command("restyle", cls=ConfiguredRestyle, short_help="Give a clip a new look.")
@input_argument("sources", "INPUT...", several=True)
@restyle_options
def restyle_command(
    *,
    sources: tuple[Path, ...],
    look: RestyleOptions,
    job: dict[str, Any],
    output: Path | Folder | None,
    side_by_side: Path | None,
    writing: OutputOptions,
    evaluate: bool,
    profile: bool,
    workers: int | None,
    instead: Instead,
    messages: Messages,
) -> None:
    """Give INPUT a new look, and keep its timing and sound.

    \b
    Examples:
      vedit restyle input.mp4 --prompt "woodcut"
      vedit restyle input.mp4 --prompt "pencil sketch" --quality draft --range 2..4
      vedit restyle input.mov --prompt "engraving" --strength 0.7 -o out.mov
      vedit restyle input.mov --prompt "oil painting" --variation 0.6 --seed 3
      vedit restyle input.mov --prompt "stained glass" --count 4
      vedit restyle input.mp4 --prompt "night" --control softedge:0.8@0-0.6 --control tile
      vedit restyle input.mp4 --prompt "bronze" --mask person.mp4 --feather 12
      vedit restyle input.mp4 --region person.mp4="bronze statue" --region sky.png="starry night"
      vedit restyle input.mp4 --prompt "marble" --anchor 12.5
      vedit restyle input.mp4 --prompt "ice" --keep faces --from softedge=maps/input.softedge.mp4
      vedit restyle input.mp4 --prompt "neon" --dry-run --json
      vedit restyle input.mp4 --prompt "anime" --model path/to/diffusers-folder
      vedit restyle input.mov --prompt "noir" --codec prores -o out.mov
      vedit restyle photo.jpg --prompt "woodcut"
      vedit restyle shoot/*.jpg --prompt "pencil sketch" -o sketches/
      vedit restyle "plates/shot_%04d.png" --rate 24 --prompt "poster" -o "out/shot_%04d.png"

    INPUT is a film, a still picture (PNG, JPEG, TIFF, EXR), an image sequence, or several of them: these are rendered
    one after another, past those that fail.

    The result has the frame count, rate, times of every frame, start timecode, size and sound of INPUT; this is
    checked on the written file. A render that was stopped goes on when the same command is run again; the first
    Ctrl-C finishes the current unit (about a second of film), the second stops at once.
    """
    instead.check(sources, side_by_side, evaluate=evaluate, profile=profile, workers=workers)
    if evaluate and not writing.sidecar:
        raise click.UsageError("--evaluate keeps its report in OUT.vedit.json, which --no-sidecar leaves out")
    said = {"as_json": messages.as_json, "quiet": messages.quiet}

    def run(source: Path, target: Path | None) -> object:
        request = RenderRequest(source=source, options=look, output=target, writing=writing, **job)
        _check(request, side_by_side, seeds=instead.seeds)
        if instead.seeds is not None:
            return make_variations(request, instead.seeds, instead.at, **said)
        if instead.prepare_only:
            return prepare_run(request, **said)
        if instead.preview:
            return make_preview(request, **said)
        if instead.dry_run:
            return say_plan_of(request, side_by_side=side_by_side, **said)
        return run_restyle(
            request, side_by_side=side_by_side, evaluate=evaluate, profile=profile, workers=workers, **said
        )

    with folder_made(output):
        jobs = places(sources, output, look_name(look), track=job["track"], codec=writing.codec)
        told, failed = run_each(jobs, run, quiet=messages.quiet)
    if messages.as_json:
        show_json(told[0] if len(jobs) == 1 else {"results": told, "failed": failed})
    if failed:
        raise failure_of(failed, len(jobs))


def _check(request: RenderRequest, side_by_side: Path | None, *, seeds: int | None) -> None:
    """Refuse what cannot be done before anything heavy is loaded."""
    from vedit.models.resolve import model_of

    source = request.source
    if side_by_side is not None:
        from vedit.media.writing.containers import default_output
        from vedit.render.killed import beside_of

        left = beside_of(request.output or default_output(source)) if source.exists() else ()
        params.check_output(side_by_side, overwrite=request.writing.overwrite, source=source, replaces=left)
    # Before anything heavy is loaded or opened: what the model is takes milliseconds.
    model = model_of(request)
    if _typed("seed") and seeds is None:
        params.check_seed(request.options.seed, [request.options], model)


def _typed(name: str) -> bool:
    """Whether an option stands on the command line itself."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
