"""The options of `vedit restyle`, in the order of its help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from vedit.cli import completion, params
from vedit.cli.inputs import input_argument
from vedit.cli.mask_params import mask_options
from vedit.cli.prompts import allow_unknown_option, prompt_file_option
from vedit.options.request import QUALITIES, BlackBars, Preserve, RestyleOptions

DEFAULTS = RestyleOptions(prompt="")
Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    input_argument("sources", "INPUT...", several=True),
    click.option(
        "-p", "--prompt", default="", shell_complete=completion.looks, help="The look to give, for instance 'woodcut'."
    ),
    prompt_file_option,
    click.option("--negative-prompt", default=DEFAULTS.negative_prompt, help="What the result should not look like."),
    click.option(
        "--source-prompt",
        default=DEFAULTS.source_prompt,
        show_default=True,
        help="What the source shows, in words.",
    ),
    allow_unknown_option,
    click.option(
        "--strength",
        type=params.number("strength"),
        default=DEFAULTS.strength,
        show_default=True,
        help="How much is regenerated; 0 passes the source through.",
    ),
    click.option(
        "--guidance",
        type=params.number("guidance"),
        help="How strictly the prompt is followed; 1 is without guidance.  [default: the model's own]",
    ),
    params.control_option,
    click.option(
        "--keep", type=params.Choice(list(get_args(Preserve))), help="Controls by intent, instead of --control."
    ),
    click.option(
        "--from",
        "source_texts",
        multiple=True,
        metavar="KIND=FILE",
        help="A control video made elsewhere, on INPUT's timing; repeatable.",
    ),
    mask_options,
    click.option(
        "--region",
        "region_texts",
        multiple=True,
        metavar="MASK=PROMPT",
        help="A part of the picture with a prompt of its own; without --prompt only it changes; repeatable.",
    ),
    click.option(
        "--variation",
        type=params.number("variation"),
        help="How much is drawn from the seed: more gives the look's own strokes, and less of the source's detail.  "
        "[default: the look's own, mostly 0]",
    ),
    click.option(
        "--seed",
        type=params.number("seed"),
        default=DEFAULTS.seed,
        show_default=True,
        help="Same seed, same frames; another one is another variation.",
    ),
    click.option(
        "--quality",
        type=params.Choice(list(QUALITIES)),
        default=DEFAULTS.quality,
        show_default=True,
        help="Sets the steps and the size that the model works at.",
    ),
    click.option("--steps", type=params.number("steps"), help="Sampling steps, instead of the quality's."),
    params.model_option,
    params.controlnet_option,
    params.device_option,
    params.anchor_option,
    click.option(
        "--window",
        type=params.number("window"),
        default=DEFAULTS.window,
        show_default=True,
        help="Frames sampled together; decides the frames, like the seed.",
    ),
    click.option(
        "--batch",
        type=params.number("batch"),
        default=DEFAULTS.batch,
        show_default=True,
        help="Frames per network call: memory and speed, and the frames by a level at most.",
    ),
    click.option(
        "--upscale",
        type=params.Choice(["guided", "lanczos"]),
        default=DEFAULTS.upscale,
        show_default=True,
        help="Back to the source's size: guided by the source's edges, or plain.",
    ),
    click.option(
        "--bars",
        type=params.Choice(list(get_args(BlackBars))),
        default=DEFAULTS.bars,
        show_default=True,
        help="Black bars around the picture, found in each shot: left as they are, or restyled too.",
    ),
    click.option(
        "-o",
        "--output",
        type=params.OUTPUT,
        help="The result, or FOLDER/ for NAME.LOOK.EXT in it.  [default: NAME.vedit.EXT beside the source]",
    ),
    click.option("--side-by-side", type=params.FILE, metavar="FILE", help="Also write source and result side by side."),
    params.range_option,
    params.rate_option,
    params.track_option,
    params.huge_option,
    params.output_options,
    click.option("--fresh", is_flag=True, help="Do not go on from what an earlier run has kept in OUT.vedit."),
    params.switch(
        "--keep-work", "Keep what the model made: the same OUT with another --codec or --upscale does not run it again."
    ),
    click.option("--dry-run", is_flag=True, help="Print the plan and stop."),
    click.option(
        "--count",
        "seeds",
        type=click.IntRange(min=1, max=64),
        metavar="N",
        help="Make one frame under N seeds, from --seed on, as OUT.seed-S.png, and stop.",
    ),
    click.option(
        "--at",
        metavar="TIME",
        help="The frame of --count: seconds, timecode or #frame.  [default: the middle]",
    ),
    click.option("--preview", is_flag=True, help="Render three stills per shot into OUT.LOOK.preview.png and stop."),
    params.json_option,
    params.progress_option,
    params.quiet_option,
)


def restyle_options(function: Function) -> Function:
    """Give a command's function all of them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
