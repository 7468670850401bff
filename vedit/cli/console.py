"""What the command line writes, and how numbers read: results to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vedit.options import RenderPlan, RenderResult


_AS_EVENTS = ContextVar("as_events", default=False)


@contextmanager
def plain_messages() -> Generator[None]:
    """Messages are lines to read, until `write_events`; what it sets ends with the `with` block."""
    token = _AS_EVENTS.set(False)
    try:
        yield
    finally:
        _AS_EVENTS.reset(token)


def write_events(wanted: bool) -> None:
    """Whether stderr holds one JSON object a line, for a program that follows, instead of lines to read."""
    _AS_EVENTS.set(wanted)


def writes_events() -> bool:
    """Whether `--progress json` was given."""
    return _AS_EVENTS.get()


def tell(event: str, **values: object) -> None:
    """One event on stderr, as one line of JSON; see docs/nle/progress.md."""
    click.echo(json.dumps({"event": event, **{key: jsonable(value) for key, value in values.items()}}), file=sys.stderr)


def say(line: str) -> None:
    """A message on stderr; the stream is looked up here, since progress bars put themselves in its place."""
    if writes_events():
        tell("message", text=line)
    else:
        click.echo(f"vedit: {line}", file=sys.stderr)


def note(line: str) -> None:
    """Something that the user should know of the result, on stderr."""
    if writes_events():
        tell("note", text=line)
    else:
        say(f"note: {line}")


def say_plan(plan: RenderPlan) -> None:
    """What a render will do, on stderr."""
    if writes_events():
        tell("plan", **{entry.name: getattr(plan, entry.name) for entry in fields(plan)})
    else:
        say(plan_line(plan))


def complain(line: str, *, remedy: str = "", code: int = 1) -> None:
    """An error on stderr, always one line.

    Args:
        line: what was wrong.
        remedy: what to do about it.
        code: the exit code that the process will end with.
    """
    if writes_events():
        tell("error", message=" ".join(line.split()), remedy=" ".join(remedy.split()), exit_code=code)
    else:
        click.echo(f"vedit: error: {' '.join((f'{line}; {remedy}' if remedy else line).split())}", err=True)


def show(text: str) -> None:
    """A result on stdout."""
    click.echo(text)


def show_rows(rows: Mapping[str, str]) -> None:
    """Names and values on stdout, the values in one column."""
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        show(f"{name:<{width}}  {value}".rstrip())


def show_json(value: object) -> None:
    """One JSON object on stdout."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """Values of vedit as JSON. A name of a file that is not Unicode is written in escapes, which UTF-8 can hold."""
    told = jsonable(value)
    text = json.dumps(told, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(told, indent=2)
    return text


def jsonable(value: object) -> object:
    """Values of vedit as JSON has them: fractions as "24000/1001", paths as text, dataclasses as objects."""
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: jsonable(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return str(value)


def span(seconds: float) -> str:
    """A span of time to read: 8.4 s, 53 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def size(count: int) -> str:
    """Bytes to read: 512 B, 41 MB, 1.7 GB."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} GB"
    if count >= 1_000_000:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1000 else f"{count} B"


def count(number: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def estimate(plan: RenderPlan, form: str = "about {time} and {memory}") -> str:
    """Time and memory in words."""
    if plan.seconds is None or plan.peak_memory_bytes is None:
        return "time and memory not known"
    return form.format(time=span(plan.seconds), memory=size(plan.peak_memory_bytes))


def plan_line(plan: RenderPlan) -> str:
    """A render's plan in one line."""
    width, height = plan.source_size
    working_width, working_height = plan.working_size
    first = f" from #{plan.first_frame}" if plan.first_frame else ""
    return ", ".join(
        (
            f"plan: {count(plan.frames, 'frame')}{first} at {plan.rate}",
            count(len(plan.shots), "shot"),
            f"{width}x{height} worked at {working_width}x{working_height}",
            f"model {plan.model} on {plan.device}",
            f"{plan.steps} steps",
            estimate(plan),
        )
    )


def result_line(result: RenderResult) -> str:
    """A finished render in one line; a breach of the contract would have been an error before it."""
    return f"{result.output}: {count(result.frames, 'frame')} in {span(result.seconds)}, contract ok"
