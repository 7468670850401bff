"""The options that say where the picture changes, as every command that takes a mask has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast, get_args

import click

from vedit.cli.params import Choice, number
from vedit.options.masks import MaskSpec, Propagation, RegionSpec, parse_box, parse_mask, parse_point

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--mask",
        "masks",
        multiple=True,
        metavar="FILE[@TIME]",
        help="White where the picture changes: a video or image sequence on INPUT's timing, or a picture; one "
        "drawn on the frame at TIME (seconds, timecode, #frame) is tracked through its shot. Repeatable.",
    ),
    click.option(
        "--mask-box",
        "mask_boxes",
        multiple=True,
        metavar="X,Y,W,H[@TIME]",
        help="A box in pixels or per cent (25%,10%,50%,80%); several with TIME are one box that moves. Repeatable.",
    ),
    click.option(
        "--mask-point",
        "mask_points",
        multiple=True,
        metavar="[!]X,Y[@TIME]",
        help="A point on the subject, with ! one outside it; needs SAM 2. Repeatable.",
    ),
    click.option(
        "--mask-point-out",
        "mask_points_out",
        multiple=True,
        metavar="X,Y[@TIME]",
        help="A point that the subject does not reach, like --mask-point '!X,Y'. Repeatable.",
    ),
    click.option("--subject", metavar="WORDS", help="Change what the words name, for instance 'the dog'."),
    click.option("--background", metavar="WORDS", help="Change all but what the words name."),
    click.option("--invert-mask", is_flag=True, help="Change what is outside the mask."),
    click.option(
        "--grow",
        type=number("grow"),
        default=0.0,
        metavar="PIXELS",
        help="Move the mask's edge outwards; negative moves it inwards.",
    ),
    click.option(
        "--feather",
        type=number("feather"),
        default=0.0,
        metavar="PIXELS",
        help="Width over which the mask's edge fades.",
    ),
    click.option(
        "--propagate",
        type=Choice(get_args(Propagation)),
        default="auto",
        show_default=True,
        help="How a mask drawn on one frame is tracked: flow (auto), sam2, or none: it stays where it is.",
    ),
)


def mask_options(command: Command) -> Command:
    """Decorate a command with every option of a mask; its parameters go to `mask_choices`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def mask_choices(
    *,
    masks: Sequence[str],
    mask_boxes: Sequence[str],
    mask_points: Sequence[str],
    mask_points_out: Sequence[str],
    subject: str | None,
    background: str | None,
    invert_mask: bool,
    grow: float,
    feather: float,
    propagate: str,
) -> MaskSpec | None:
    """The values of the options that `mask_options` adds; None where none of them is a mask.

    Raises:
        InputError: a value cannot be understood.
    """
    for words, option in ((subject, "--subject"), (background, "--background")):
        if words is not None and not words.strip():
            raise click.BadParameter("it names nothing, for instance 'the dog'", param_hint=f"'{option}'")
    spec = MaskSpec(
        files=tuple(parse_mask(text) for text in masks),
        boxes=tuple(parse_box(text) for text in mask_boxes),
        points=(
            *(parse_point(text) for text in mask_points),
            *(parse_point(text, inside=False) for text in mask_points_out),
        ),
        subject=subject,
        background=background,
        invert=invert_mask,
        grow=grow,
        feather=feather,
        propagate=cast("Propagation", propagate),
    )
    if invert_mask and not spec:
        raise click.UsageError("--invert-mask has no mask to invert: name one with --mask, --mask-box or --subject")
    return spec or None


def region_choices(
    regions: Sequence[RegionSpec], *, grow: float, feather: float, propagate: str, **_: Any
) -> tuple[RegionSpec, ...]:
    """Regions with the edge, and the way through a shot, that `mask_options` says; takes all of its values."""
    return tuple(
        replace(
            region,
            mask=replace(region.mask, grow=grow, feather=feather, propagate=cast("Propagation", propagate)),
        )
        for region in regions
    )
