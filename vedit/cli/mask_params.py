"""The options that say where the picture changes, as every command that takes a mask has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from vedit.cli.grouped import option
from vedit.cli.setting_options import gathered, options_of, values_of
from vedit.options.loras import LoraSpec
from vedit.options.masks import MaskSpec, RegionSpec, parse_box, parse_mask, parse_point

MASK_OPTIONS = (
    *options_of(MaskSpec, "files", "boxes", "points"),
    option(
        "--mask-point-out",
        "mask_point_out_texts",
        multiple=True,
        metavar="X,Y[@TIME]",
        help="A point that the subject does not reach, like --mask-point '!X,Y'; repeatable.",
        stage="mask",
    ),
    *options_of(MaskSpec, "subject", "background", "invert", "grow", "feather", "propagate"),
)


def mask_choices(**values: Any) -> MaskSpec | None:
    """The values of `MASK_OPTIONS`; None where none of them is a mask.

    Raises:
        InputError: a value cannot be understood.
    """
    for key in ("subject", "background"):
        words = values[key]
        if words is not None and not words.strip():
            raise click.BadParameter("it names nothing, for instance 'the dog'", param_hint=f"'--{key}'")
    spec = MaskSpec(
        files=tuple(parse_mask(text) for text in values["mask_texts"]),
        boxes=tuple(parse_box(text) for text in values["mask_box_texts"]),
        points=(
            *(parse_point(text) for text in values["mask_point_texts"]),
            *(parse_point(text, inside=False) for text in values["mask_point_out_texts"]),
        ),
        **values_of(MaskSpec, values),
    )
    if spec.invert and not spec:
        raise click.UsageError("--invert-mask has no mask to invert: name one with --mask, --mask-box or --subject")
    return spec or None


mask_options = gathered("mask", MASK_OPTIONS, mask_choices)
"""`mask: MaskSpec | None`."""


def region_choices(regions: Sequence[RegionSpec], **values: Any) -> tuple[RegionSpec, ...]:
    """Regions with the edge, and the way through a shot, that `MASK_OPTIONS` say; takes all of their values."""
    edge = {key: values[key] for key in ("grow", "feather", "propagate")}
    return tuple(replace(region, mask=replace(region.mask, **edge)) for region in regions)


def lora_choices(loras: Sequence[LoraSpec], **values: Any) -> tuple[LoraSpec, ...]:
    """LoRAs with the edge of their masks, as `region_choices` has it of regions."""
    edge = {key: values[key] for key in ("grow", "feather", "propagate")}
    return tuple(lora if lora.mask is None else replace(lora, mask=replace(lora.mask, **edge)) for lora in loras)
