"""`vedit restyle`: a clip, regenerated under a new prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from vedit.cli import params
from vedit.cli.configured import ConfiguredRestyle
from vedit.cli.console import count, show_json
from vedit.cli.controlnets import controlnets
from vedit.cli.mask_params import mask_choices, region_choices
from vedit.cli.prompts import said_prompt
from vedit.cli.restyle_options import DEFAULTS, restyle_options
from vedit.cli.restyling import make_preview, make_variations, run_restyle, say_plan_of
from vedit.cli.several import Folder, failure_of, folder_made, places, run_each
from vedit.errors import InputError
from vedit.options.masks import parse_region
from vedit.options.output_names import look_name
from vedit.options.request import BlackBars, Preserve, QualityName, RenderRequest, RestyleOptions, Upscale

if TYPE_CHECKING:
    from fractions import Fraction


@click.command("restyle", cls=ConfiguredRestyle, short_help="Give a clip a new look.")
@restyle_options
def restyle_command(
    *,
    sources: tuple[Path, ...],
    prompt: str,
    prompt_file: Path | None,
    negative_prompt: str,
    source_prompt: str,
    allow_unknown: bool,
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
    seeds: int | None,
    at: str | None,
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
    prompt = said_prompt(prompt, prompt_file)
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
    if seeds is not None and (dry_run or preview or side_by_side is not None):
        other = "--dry-run" if dry_run else "--preview" if preview else "--side-by-side"
        raise click.UsageError(f"--count and {other} exclude each other")
    if at is not None and seeds is None:
        raise click.UsageError("--at names the frame of --count: add it, or leave --at out")
    if seeds is not None and len(sources) > 1:
        raise click.UsageError("--count makes variations of one input: name one")
    chosen = params.controls(control_texts)
    writing, masking = params.split(more)
    options = RestyleOptions(
        prompt=prompt,
        negative_prompt=negative_prompt,
        source_prompt=source_prompt,
        allow_unknown=allow_unknown,
        strength=strength,
        guidance=guidance,
        controls=params.controls_from(source_texts, DEFAULTS.controls if chosen is None else chosen),
        keep=cast("Preserve | None", keep),
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
            controlnets=controlnets(controlnet_texts),
            device=device,
            writing=choices,
            rate=rate,
            track=track,
            allow_huge=allow_huge,
            fresh=fresh,
            keep_work=keep_work,
        )
        _check(request, side_by_side, seeds=seeds)
        if seeds is not None:
            return make_variations(request, seeds, at, as_json=as_json, quiet=quiet)
        if preview:
            return make_preview(request, as_json=as_json, quiet=quiet)
        if dry_run:
            return say_plan_of(request, side_by_side=side_by_side, as_json=as_json, quiet=quiet)
        return run_restyle(request, side_by_side=side_by_side, as_json=as_json, quiet=quiet)

    with folder_made(output):
        jobs = places(sources, output, look_name(options), track=track, codec=choices.codec)
        told, failed = run_each(jobs, run, quiet=quiet)
    if as_json:
        show_json(told[0] if len(jobs) == 1 else {"results": told, "failed": failed})
    if failed:
        raise failure_of(failed, len(jobs))


def _check(request: RenderRequest, side_by_side: Path | None, *, seeds: int | None) -> None:
    """Refuse what cannot be done before anything heavy is loaded."""
    from vedit.models.resolve import resolve

    source = request.source
    if side_by_side is not None:
        from vedit.media.writing.containers import default_output
        from vedit.render.killed import beside_of

        left = beside_of(request.output or default_output(source)) if source.exists() else ()
        params.check_output(side_by_side, overwrite=request.writing.overwrite, source=source, replaces=left)
    # Before anything heavy is loaded or opened: what the model is takes milliseconds.
    resolve(request.model, dict(request.controlnets))
    if _typed("seed") and seeds is None:
        params.check_seed(request.options.seed, [request.options], request.model)


def _typed(name: str) -> bool:
    """Whether an option stands on the command line itself."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
