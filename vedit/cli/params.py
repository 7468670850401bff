"""What the options of the commands accept: every value is checked here, before anything heavy is imported."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.checks.nearest import VERY_ALIKE, did_you_mean
from vedit.checks.rationals import frame_rate
from vedit.cli.console import write_events
from vedit.cli.grouped import option, switch
from vedit.cli.inputs import FileType, OutputType
from vedit.errors import InputError
from vedit.media.rates import snap

if TYPE_CHECKING:
    from vedit.checks.bounds import Bound
    from vedit.media.writing.atomic import Stamp
    from vedit.models.ref import ModelRef
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


FILE = FileType()
OUTPUT = OutputType()
NON_NEGATIVE = FiniteRange(min=0)


def number(bound: Bound) -> click.ParamType:
    """The type of an option whose value lies within bounds."""
    high = bound.high if math.isfinite(bound.high) else None
    if bound.kind == "integer":
        return click.IntRange(min=int(bound.low), max=None if high is None else int(high))
    return FiniteRange(min=bound.low, max=high)


json_option = option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def _choose_messages(_context: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        write_events(value == "json")


# Eager, so that a word behind it that is not understood is told as JSON too.
progress_option = option(
    "--progress",
    type=Choice(["auto", "json"]),
    expose_value=False,
    is_eager=True,
    callback=_choose_messages,
    help="What stderr holds: lines to read, or one JSON object a line for a program that follows.  [default: auto]",
)
quiet_option = switch("--quiet", "No messages but errors.", "-q")


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


def check_seed(seed: int, looks: Iterable[RestyleOptions], model: ModelRef) -> None:
    """Raises InputError where a seed that is typed decides nothing, since nothing is drawn from it."""
    from vedit.models.recipes import by_recipe
    from vedit.pipelines.seeds import draws

    if not any(draws(model.traits.settled(by_recipe(look, model))) for look in looks):
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
