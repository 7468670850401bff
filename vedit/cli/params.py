"""What the options of the commands accept: every value is checked here, before anything heavy is imported."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from vedit.checks.nearest import VERY_ALIKE, did_you_mean
from vedit.checks.rationals import frame_rate
from vedit.cli import completion
from vedit.cli.console import write_events
from vedit.cli.inputs import FileType, OutputType
from vedit.errors import InputError
from vedit.media.output import BitDepth, CodecName, Interlaced, OutputOptions, PresetName
from vedit.media.rates import snap
from vedit.options.table import BOUNDS

if TYPE_CHECKING:
    from vedit.media.writing.atomic import Stamp
    from vedit.options.request import RestyleOptions
    from vedit.types import ControlSpec


class FiniteRange(click.FloatRange):
    """`click.FloatRange` that refuses nan and infinity, which pass every comparison or the open side."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number

    def _describe_range(self) -> str:
        """For the help: nothing where there are no bounds, which click writes as `x<=None`."""
        return "" if self.min is None and self.max is None else super()._describe_range()


if TYPE_CHECKING:
    _AnyChoice = click.Choice[str]
else:  # not generic in early releases of click 8
    _AnyChoice = click.Choice


class Choice(_AnyChoice):
    """`click.Choice` that names the nearest of its words where another was typed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = did_you_mean(str(value), self.choices, cutoff=VERY_ALIKE)
            if not near:
                raise
            raise click.BadParameter(f"{error.message.rstrip('.')}; {near}", ctx, param) from None


Command = TypeVar("Command", bound=Callable[..., Any])


class Switch(click.Option):
    """A switch whose opposite, `--no-strict` of `--strict`, is there to overrule what is said once for all renders.

    The help shows the switch alone: without such settings its opposite does nothing.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        opposites, self.secondary_opts = self.secondary_opts, []
        try:
            return super().get_help_record(ctx)
        finally:
            self.secondary_opts = opposites


def switch(name: str, text: str, *short: str) -> Callable[[Command], Command]:
    """A switch that is off where nothing is said, and its opposite.

    Args:
        name: the switch, with its dashes.
        text: its help.
        short: further names of it.
    """
    opposite = f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else f"--no-{name.removeprefix('--')}"
    called = name.removeprefix("--").replace("-", "_")
    return click.option(f"{name}/{opposite}", *short, called, cls=Switch, is_flag=True, default=False, help=text)


FILE = FileType()
OUTPUT = OutputType()
NON_NEGATIVE = FiniteRange(min=0)


def number(name: str) -> click.ParamType:
    """The type of an option whose bounds are in the table under this name."""
    bound = BOUNDS[name]
    if bound.kind == "integer":
        return click.IntRange(min=int(bound.low), max=int(bound.high))
    return FiniteRange(min=bound.low, max=bound.high)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def _choose_messages(_context: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        write_events(value == "json")


# Eager, so that a word behind it that is not understood is told as JSON too.
progress_option = click.option(
    "--progress",
    type=Choice(["auto", "json"]),
    expose_value=False,
    is_eager=True,
    callback=_choose_messages,
    help="What stderr holds: lines to read, or one JSON object a line for a program that follows.  [default: auto]",
)
quiet_option = switch("--quiet", "No messages but errors.", "-q")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
range_option = click.option(
    "--range",
    "frames",
    metavar="START..END",
    help="Part of the clip, END exclusive: seconds (1.5..4), timecode (00:00:01:12..00:00:04:00) or frames (#36..#96).",
)
anchor_option = click.option(
    "--anchor",
    metavar="TIME",
    help="A frame whose look all shots share, as seconds, timecode or #frame; it may lie outside --range.",
)


def controls(texts: tuple[str, ...]) -> tuple[ControlSpec, ...] | None:
    """The values of `--control`; None where it was not given, an empty tuple for `--control none`."""
    if not texts:
        return None
    from vedit.options.controls import parse_controls

    return parse_controls(texts)


def controls_from(texts: tuple[str, ...], specs: tuple[ControlSpec, ...]) -> tuple[ControlSpec, ...]:
    """The values of `--from`, KIND=FILE each, laid over the controls."""
    if not texts:
        return specs
    from vedit.options.controls import parse_source, with_sources

    return with_sources(specs, [parse_source(text) for text in texts])


def kinds(text: str) -> tuple[str, ...]:
    """`softedge,tile` -> ("softedge", "tile"), each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise click.BadParameter("no kind named, for instance softedge,tile", param_hint="'--kind'")
    return names


def check_output(path: Path, *, overwrite: bool, source: Path | None = None, replaces: Collection[Stamp] = ()) -> None:
    """Refuse a file that cannot or may not be written, before any work is done; `replaces` may be replaced.

    Raises:
        InputError: the folder is absent or closed, the path is a folder or the source, or a file is in the way.
    """
    from vedit.media.writing.target import check_target

    check_target(path, source, overwrite=overwrite, replaces=replaces)


def check_seed(seed: int, looks: Iterable[RestyleOptions], model: str) -> None:
    """Raises InputError where a seed that is typed decides nothing, since nothing is drawn from it."""
    from vedit.models.recipes import by_recipe

    if not any(by_recipe(look, model).draws for look in looks):
        raise InputError(
            f"--seed {seed} would decide nothing: the render begins at the inverted source, where nothing is drawn",
            remedy="add --variation, 0.6 for instance, or leave --seed out",
        )


class RateType(click.ParamType):
    """Frames per second as a number or a fraction, exactly: 25, 23.976 (24000/1001), 30000/1001."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if isinstance(value, Fraction):
            return value
        try:
            given = frame_rate(value)
        except ValueError as error:
            self.fail(f"{error}; write 25, 23.976 or 30000/1001", param, ctx)
        return snap(given) or given  # 23.976 and 29.97 are how people write the NTSC rates


huge_option = switch("--allow-huge", "Read sources beyond the limits on frame size and length.")
rate_option = click.option(
    "--rate", type=RateType(), metavar="RATE", help="Frames per second of an image sequence: 25, 23.976, 30000/1001."
)
track_option = click.option(
    "--track",
    type=click.IntRange(min=0),
    metavar="N",
    help="The video stream to take, by the number that 'vedit probe' lists.  [default: the film]",
)

model_option = click.option(
    "--model",
    default="embedded",
    show_default=True,
    shell_complete=completion.models,
    help="Listed name, diffusers folder, .safetensors file or hub id.",
)
controlnet_option = click.option(
    "--controlnet",
    "controlnet_texts",
    multiple=True,
    metavar="KIND=MODEL",
    help="A further control branch for --model: folder, .safetensors file or hub id; repeatable.",
)
control_option = click.option(
    "--control",
    "control_texts",
    multiple=True,
    shell_complete=completion.controls,
    metavar="KIND[:SCALE[@START-END]][,mask=FILE]",
    help="What keeps the structure; repeatable; 'none' for no control.  [default: tile, softedge]",
)
device_option = click.option(
    "--device",
    type=Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to run.",
)
interlaced_option = click.option(
    "--interlaced",
    type=Choice(get_args(Interlaced)),
    default="deinterlace",
    show_default=True,
    help="What is done with the fields of an interlaced source.",
)


def preset_option(default: PresetName) -> Callable[[Command], Command]:
    """`--preset`: how a written video is encoded."""
    return click.option(
        "--preset",
        type=Choice(get_args(PresetName)),
        default=default,
        show_default=True,
        help="web: small, plays everywhere; edit: visually lossless; archive: lossless where the codec can be.",
    )


_OUTPUT_OPTIONS = (
    click.option(
        "--codec",
        type=Choice(get_args(CodecName)),
        help="Codec of the result.  [default: the container's usual one]",
    ),
    preset_option("edit"),
    click.option(
        "--bit-depth",
        type=Choice([str(depth) for depth in get_args(BitDepth)]),
        help="Bits per sample, or the codec's next higher.  [default: the source's]",
    ),
    switch("--hardware", "Encode with this machine's hardware encoder for the codec."),
    switch("--no-label", "Leave out the IPTC label of media made with trained models."),
    switch("--no-sidecar", "Write no OUT.vedit.json beside the result."),
    switch("--strict", "Stop before rendering where anything of the source cannot be kept."),
    overwrite_option,
    switch("--drop-unsupported", "Leave out what the output's container or codec cannot hold."),
    switch("--drop-alpha", "Leave out transparency that the codec cannot hold."),
    switch("--even", "Pad an odd side by a pixel instead of writing yuv444p."),
    interlaced_option,
)


def output_options(command: Command) -> Command:
    """Decorate a command with every option of `OutputOptions`; its parameters go to `output_choices`."""
    for option in reversed(_OUTPUT_OPTIONS):
        command = option(command)
    return command


def split(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a command's remaining options: those of `output_options`, and the others."""
    names = inspect.signature(output_choices).parameters
    return (
        {name: value for name, value in values.items() if name in names},
        {name: value for name, value in values.items() if name not in names},
    )


def output_choices(
    *,
    codec: str | None,
    preset: str,
    bit_depth: str | None,
    hardware: bool,
    no_label: bool,
    no_sidecar: bool,
    strict: bool,
    overwrite: bool,
    drop_unsupported: bool,
    drop_alpha: bool,
    even: bool,
    interlaced: str,
) -> OutputOptions:
    """The values of the options that `output_options` adds."""
    return OutputOptions(
        codec=cast("CodecName | None", codec),
        preset=cast("PresetName", preset),
        bit_depth=cast("BitDepth | None", int(bit_depth)) if bit_depth is not None else None,
        hardware=hardware,
        label=not no_label,
        sidecar=not no_sidecar,
        strict=strict,
        overwrite=overwrite,
        drop_unsupported=drop_unsupported,
        drop_alpha=drop_alpha,
        even=even,
        interlaced=cast("Interlaced", interlaced),
    )
