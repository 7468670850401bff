"""What the options of the commands accept: every value is checked here, before anything heavy is imported."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.types import ControlSpec


class FiniteRange(click.FloatRange):
    """`click.FloatRange` that refuses nan and infinity, which pass every comparison or the open side."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


FILE = click.Path(path_type=Path)
UNIT = FiniteRange(min=0, max=1)
NON_NEGATIVE = FiniteRange(min=0)
SEED = click.IntRange(min=0, max=2**63 - 1)
STEPS = click.IntRange(min=1, max=1000)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No messages but errors.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
range_option = click.option(
    "--range",
    "frames",
    metavar="START..END",
    help="Part of the clip, END exclusive: seconds (1.5..4), timecode (00:00:01:12..00:00:04:00) or frames (#36..#96).",
)


def controls(texts: tuple[str, ...]) -> tuple[ControlSpec, ...] | None:
    """The values of `--control`; None where it was not given, an empty tuple for `--control none`."""
    if not texts:
        return None
    if texts == ("none",):
        return ()
    if "none" in texts:
        raise click.BadParameter("'none' stands alone, it cannot be combined", param_hint="'--control'")
    from vedit.controls import parse_control

    specs: list[ControlSpec] = []
    for text in texts:
        try:
            spec = parse_control(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r}: {error}", param_hint="'--control'") from error
        if spec.kind in (earlier.kind for earlier in specs):
            raise click.BadParameter(f"{spec.kind!r} is given twice", param_hint="'--control'")
        specs.append(spec)
    return tuple(specs)


def controlnets(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The values of `--controlnet`, KIND=MODEL each, as pairs."""
    pairs: dict[str, str] = {}
    for text in texts:
        kind, equals, model = (part.strip() for part in text.partition("="))
        if not (kind and equals and model):
            raise click.BadParameter(
                f"{text!r} is not KIND=MODEL, for instance depth=path/to/folder", param_hint="'--controlnet'"
            )
        if kind in pairs:
            raise click.BadParameter(f"{kind!r} is given twice", param_hint="'--controlnet'")
        pairs[kind] = model
    return tuple(pairs.items())


def kinds(text: str) -> tuple[str, ...]:
    """`softedge,tile` -> ("softedge", "tile"), each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise click.BadParameter("no kind named, for instance softedge,tile", param_hint="'--kind'")
    return names


def check_output(path: Path, *, overwrite: bool, source: Path | None = None) -> None:
    """Refuse a file that cannot or may not be written, before any work is done.

    Raises:
        InputError: the folder is absent or closed, the path is a folder or the source, or a file is in the way.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: {folder} is not a folder", remedy="create it or choose another")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder", remedy="name a file in it")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path} is the source itself", remedy="choose another output")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists", remedy="choose another name or add --overwrite")
