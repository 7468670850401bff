"""`vedit restyle`: a clip, regenerated under a new prompt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
from click.core import ParameterSource

from vedit.cli import params
from vedit.cli.configured import ConfiguredRestyle
from vedit.cli.console import count, estimate, jsonable, note, result_line, say_plan, show, show_json, show_rows
from vedit.cli.inputs import input_argument
from vedit.cli.mask_params import mask_choices, mask_options, region_choices
from vedit.cli.progress import progress
from vedit.cli.several import Folder, failure_of, folder_made, places, run_each
from vedit.cli.stopping import stopping
from vedit.errors import InputError
from vedit.masking import parse_region
from vedit.options import NO_RATE, QUALITIES, BlackBars, Keep, QualityName, RenderRequest, RestyleOptions, Upscale
from vedit.output_names import look_name

if TYPE_CHECKING:
    from fractions import Fraction

    from vedit.options import RenderPlan

DEFAULTS = RestyleOptions(prompt="")


@click.command("restyle", cls=ConfiguredRestyle, short_help="Give a clip a new look.")
@input_argument("sources", several=True)
@click.option("-p", "--prompt", default="", help="The look to give, for instance 'woodcut'.")
@click.option("--negative-prompt", default=DEFAULTS.negative_prompt, help="What the result should not look like.")
@click.option(
    "--source-prompt",
    default=DEFAULTS.source_prompt,
    show_default=True,
    help="What the source shows, in words.",
)
@click.option(
    "--strength",
    type=params.number("strength"),
    default=DEFAULTS.strength,
    show_default=True,
    help="How much is regenerated; 0 passes the source through.",
)
@click.option(
    "--guidance",
    type=params.number("guidance"),
    help="How strictly the prompt is followed; 1 is without guidance.  [default: the model's own]",
)
@click.option(
    "--control",
    "control_texts",
    multiple=True,
    metavar="KIND[:SCALE[@START-END]][,mask=FILE]",
    help="What keeps the structure; repeatable; 'none' for no control.  [default: tile, softedge]",
)
@click.option("--keep", type=click.Choice(list(get_args(Keep))), help="Controls by intent, instead of --control.")
@click.option(
    "--from",
    "source_texts",
    multiple=True,
    metavar="KIND=FILE",
    help="A control video made elsewhere, on INPUT's timing; repeatable.",
)
@mask_options
@click.option(
    "--region",
    "region_texts",
    multiple=True,
    metavar="MASK=PROMPT",
    help="A part of the picture with a prompt of its own; without --prompt only it changes; repeatable.",
)
@click.option(
    "--variation",
    type=params.number("variation"),
    help="How much is drawn from the seed: more gives the look's own strokes, and less of the source's detail.  "
    "[default: 0]",
)
@click.option(
    "--seed",
    type=params.number("seed"),
    default=DEFAULTS.seed,
    show_default=True,
    help="Same seed, same frames; another one is another variation.",
)
@click.option(
    "--quality",
    type=click.Choice(list(QUALITIES)),
    default=DEFAULTS.quality,
    show_default=True,
    help="Sets the steps and the size that the model works at.",
)
@click.option("--steps", type=params.number("steps"), help="Sampling steps, instead of the quality's.")
@click.option(
    "--model", default="embedded", show_default=True, help="Listed name, diffusers folder, .safetensors file or hub id."
)
@click.option(
    "--controlnet",
    "controlnet_texts",
    multiple=True,
    metavar="KIND=MODEL",
    help="A further control branch for --model: folder, .safetensors file or hub id; repeatable.",
)
@params.device_option
@params.anchor_option
@click.option(
    "--window",
    type=params.number("window"),
    default=DEFAULTS.window,
    show_default=True,
    help="Frames sampled together; decides the frames, like the seed.",
)
@click.option(
    "--batch",
    type=params.number("batch"),
    default=DEFAULTS.batch,
    show_default=True,
    help="Frames per network call: memory and speed, and the frames by a level at most.",
)
@click.option(
    "--upscale",
    type=click.Choice(["guided", "lanczos"]),
    default=DEFAULTS.upscale,
    show_default=True,
    help="Back to the source's size: guided by the source's edges, or plain.",
)
@click.option(
    "--bars",
    type=click.Choice(list(get_args(BlackBars))),
    default=DEFAULTS.bars,
    show_default=True,
    help="Black bars around the picture, found in each shot: left as they are, or restyled too.",
)
@click.option(
    "-o",
    "--output",
    type=params.OUTPUT,
    help="The result, or FOLDER/ for NAME.LOOK.EXT in it.  [default: NAME.vedit.EXT beside the source]",
)
@click.option("--side-by-side", type=params.FILE, metavar="FILE", help="Also write source and result side by side.")
@params.range_option
@params.rate_option
@params.track_option
@params.huge_option
@params.output_options
@click.option("--fresh", is_flag=True, help="Do not go on from what an earlier run has kept in OUT.vedit.")
@params.switch(
    "--keep-work", "Keep what the model made: the same OUT with another --codec or --upscale does not run it again."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--preview", is_flag=True, help="Render three stills per shot into a PNG and stop.")
@params.json_option
@params.progress_option
@params.quiet_option
def restyle_command(
    *,
    sources: tuple[Path, ...],
    prompt: str,
    negative_prompt: str,
    source_prompt: str,
    strength: float,
    guidance: float | None,
    control_texts: tuple[str, ...],
    keep: str | None,
    source_texts: tuple[str, ...],
    region_texts: tuple[str, ...],
    variation: float | None,
    seed: int,
    quality: str,
    steps: int | None,
    model: str,
    controlnet_texts: tuple[str, ...],
    device: str,
    anchor: str | None,
    window: int,
    batch: int,
    upscale: str,
    bars: str,
    output: Path | Folder | None,
    side_by_side: Path | None,
    frames: str | None,
    rate: Fraction | None,
    track: int | None,
    allow_huge: bool,
    fresh: bool,
    keep_work: bool,
    dry_run: bool,
    preview: bool,
    as_json: bool,
    quiet: bool,
    **more: Any,
) -> None:
    """Give INPUT a new look, and keep its timing and sound.

    \b
    Examples:
      vedit restyle input.mp4 --prompt "woodcut"
      vedit restyle input.mp4 --prompt "pencil sketch" --quality draft --range 2..4
      vedit restyle input.mov --prompt "engraving" --strength 0.7 -o out.mov
      vedit restyle input.mov --prompt "oil painting" --variation 0.6 --seed 3
      vedit restyle input.mp4 --prompt "night" --control softedge:0.8@0-0.6 --control tile
      vedit restyle input.mp4 --prompt "bronze" --mask person.mp4 --feather 12
      vedit restyle input.mp4 --region person.mp4="bronze statue" --region sky.png="starry night"
      vedit restyle input.mp4 --prompt "marble" --anchor 12.5
      vedit restyle input.mp4 --prompt "ice" --keep faces --from softedge=maps/input.softedge.mp4
      vedit restyle input.mp4 --prompt "neon" --dry-run --json
      vedit restyle input.mp4 --prompt "anime" --model path/to/diffusers-folder
      vedit restyle input.mov --prompt "noir" --codec prores -o out.mov
      vedit restyle "plates/shot_%04d.png" --rate 24 --prompt "poster" -o "out/shot_%04d.png"

    The result has the frame count, rate, times of every frame, start timecode, size and sound of INPUT; this is
    checked on the written file. A render that was stopped goes on when the same command is run again; the first
    Ctrl-C finishes the current unit (about a second of film), the second stops at once.
    """
    regions = tuple(parse_region(text) for text in region_texts)
    if not prompt.strip() and not regions:
        raise InputError("the prompt is empty", remedy='say the look, for instance --prompt "woodcut"')
    shaped = [f"--{name}" for name in ("grow", "feather") if more[name]]
    if shaped and not regions and mask_choices(**params.split(more)[1]) is None:
        raise click.UsageError(f"{shaped[0]} has no mask to act on: name one with --mask, --mask-box or --subject")
    if keep is not None and control_texts:
        raise click.UsageError("--keep and --control exclude each other")
    if dry_run and preview:
        raise click.UsageError("--dry-run and --preview exclude each other")
    chosen = params.controls(control_texts)
    writing, masking = params.split(more)
    options = RestyleOptions(
        prompt=prompt,
        negative_prompt=negative_prompt,
        source_prompt=source_prompt,
        strength=strength,
        guidance=guidance,
        controls=params.controls_from(source_texts, DEFAULTS.controls if chosen is None else chosen),
        keep=cast("Keep | None", keep),
        mask=mask_choices(**masking),
        regions=region_choices(regions, **masking),
        variation=variation,
        seed=seed,
        quality=cast("QualityName", quality),
        steps=steps,
        anchor=anchor,
        window=window,
        batch=batch,
        upscale=cast("Upscale", upscale),
        bars=cast("BlackBars", bars),
    )
    if _typed("seed"):
        params.check_seed(seed, [options])
    choices = params.output_choices(**writing)
    if side_by_side is not None and len(sources) > 1:
        raise InputError(
            f"--side-by-side names one file, for {count(len(sources), 'input')}",
            remedy="leave it out, or name one input",
        )

    def run(source: Path, target: Path | None) -> object:
        request = RenderRequest(
            source=source,
            options=options,
            output=target,
            frames=frames,
            model=model,
            controlnets=params.controlnets(controlnet_texts),
            device=device,
            writing=choices,
            rate=rate,
            track=track,
            allow_huge=allow_huge,
            fresh=fresh,
            keep_work=keep_work,
        )
        _check(request, side_by_side)
        if preview:
            return _preview(request, as_json=as_json, quiet=quiet)
        if dry_run:
            return _dry_run(request, side_by_side=side_by_side, as_json=as_json, quiet=quiet)
        return _restyle(request, side_by_side=side_by_side, as_json=as_json, quiet=quiet)

    with folder_made(output):
        jobs = places(sources, output, look_name(options), track=track, codec=choices.codec)
        told, failed = run_each(jobs, run, quiet=quiet)
    if as_json:
        show_json(told[0] if len(jobs) == 1 else {"results": told, "failed": failed})
    if failed:
        raise failure_of(failed, len(jobs))


def _check(request: RenderRequest, side_by_side: Path | None) -> None:
    """Refuse what cannot be done before anything heavy is loaded."""
    from vedit.media.isolate import check_file
    from vedit.models import resolve

    source = request.source
    if side_by_side is not None:
        from vedit.killed import beside_of
        from vedit.media.containers import default_output

        left = beside_of(request.output or default_output(source)) if source.exists() else ()
        params.check_output(side_by_side, overwrite=request.writing.overwrite, source=source, replaces=left)
    # Before anything heavy is loaded or opened: what the model is takes milliseconds.
    resolve(request.model, dict(request.controlnets))
    # Hostile bytes can crash a decoder: a process of its own meets them first.
    check_file(source, rate=request.rate, track=request.track, allow_huge=request.allow_huge)
    for path in request.options.files:
        check_file(path, rate=None, allow_huge=request.allow_huge)


def _typed(name: str) -> bool:
    """Whether an option stands on the command line itself."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _restyle(request: RenderRequest, *, side_by_side: Path | None, as_json: bool, quiet: bool) -> object:
    from vedit.render import restyle

    said: list[str] = []

    def tell(plan: RenderPlan) -> None:
        if not quiet:
            say_plan(plan)
            _notes(plan.notes)
            said.extend(plan.notes)

    def tell_note(line: str) -> None:
        if not quiet:
            note(line)
            said.append(line)

    with stopping() as stop, progress(quiet=quiet) as report:
        result = restyle(
            request,
            on_progress=report,
            on_plan=tell,
            on_note=tell_note,
            stop=stop,
            side_by_side=side_by_side,
        )
    if not quiet:
        _notes(line for line in result.notes if line not in said)
    if not as_json:
        show(result_line(result))
    beside = None if side_by_side is None else str(side_by_side)
    return {**cast("dict[str, object]", jsonable(result)), "side_by_side": beside}


def _notes(lines: Iterable[str]) -> None:
    for line in lines:
        note(line)


def _dry_run(request: RenderRequest, *, side_by_side: Path | None, as_json: bool, quiet: bool) -> object:
    from vedit.render import plan

    with progress(quiet=quiet) as report:
        planned = plan(request, on_progress=report, side_by_side=side_by_side)
    if not as_json:
        show_rows(_plan_rows(planned))
        for line in planned.notes:
            show(f"note      {line}")
    return planned


def _preview(request: RenderRequest, *, as_json: bool, quiet: bool) -> object:
    from vedit.stills import preview

    with progress(quiet=quiet) as report:
        path = preview(request, on_progress=report)
    if not as_json:
        show(str(path))
    return {"preview": path}


def _plan_rows(plan: RenderPlan) -> dict[str, str]:
    """The plan of a dry run, to be read."""
    frames = {
        "frames": f"{plan.frames}, #{plan.first_frame}..#{plan.first_frame + plan.frames}, at {plan.rate}",
        "shots": f"{count(len(plan.shots), 'shot')}: " + ", ".join(f"#{a}..#{b}" for a, b in plan.shots),
    }
    return {
        "source": plan.source,
        "output": plan.output,
        **({"frames": "one, a still picture"} if plan.rate == NO_RATE else frames),
        "size": "{}x{}, worked at {}x{}".format(*plan.source_size, *plan.working_size),
        "model": f"{plan.model} on {plan.device}",
        **_drawn_row(plan),
        "steps": f"{plan.steps}, {plan.network_evaluations_per_frame} network evaluations per frame",
        "estimate": estimate(plan, "{time}, {memory} of memory"),
    }


def _drawn_row(plan: RenderPlan) -> dict[str, str]:
    """What is drawn from the seed; nothing where nothing is."""
    variation, seed = plan.settings.get("variation"), plan.settings.get("seed")
    return {"variation": f"{variation:g} of seed {seed}"} if variation else {}
