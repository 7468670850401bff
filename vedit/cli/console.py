"""What the command line writes, and how numbers read: results to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vedit.media.rates import NO_RATE
from vedit.media.reading.facts import span as span
from vedit.media.reading.sequence import is_still

if TYPE_CHECKING:
    from vedit.render.outcome import RenderPlan, RenderResult


LONGEST = 6000
"""Letters of a line: a path of the longest kind fits, a name of 100 kB does not."""
CELL = 60
"""Letters of a name in a table."""
_JOINERS = "\u200c\u200d"
"""Signs without a shape that scripts and emoji are spelled with."""

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


def printable(text: str, longest: int = LONGEST) -> str:
    """A line that a terminal only shows: what would steer it, or turn the order of letters around, in escapes.

    Names of files, tags and clips come from anywhere.

    Args:
        text: one line; a line break in it is escaped too.
        longest: letters; of a longer one the middle is left out.
    """
    if len(text) > longest:
        head, tail = longest * 2 // 3, longest // 3
        text = f"{text[:head]}...{text[len(text) - tail :]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(sign) if steers(sign) else sign for sign in text)


def steers(sign: str) -> bool:
    """Whether a letter is a control or format sign (Unicode's Cc, Cf, Zl, Zp), or half of one."""
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in _JOINERS


def _escaped(sign: str) -> str:
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte of a file's name that is no UTF-8
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def tell(event: str, **values: object) -> None:
    """One event on stderr, as one line of JSON; see docs/nle/progress.md."""
    click.echo(json.dumps({"event": event, **{key: jsonable(value) for key, value in values.items()}}), file=sys.stderr)


def say(line: str) -> None:
    """A message on stderr; the stream is looked up here, since progress bars put themselves in its place."""
    if writes_events():
        tell("message", text=line)
    else:
        click.echo(printable(f"vedit: {line}"), file=sys.stderr)


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
        click.echo(printable(f"vedit: error: {' '.join((f'{line}; {remedy}' if remedy else line).split())}"), err=True)


def show(text: str) -> None:
    """A line of a result on stdout."""
    click.echo(printable(text))


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
    if not text.isascii():
        # JSON leaves signs beyond ASCII as they are, and terminals obey some of them.
        text = "".join(json.dumps(sign)[1:-1] if not sign.isascii() and steers(sign) else sign for sign in text)
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
    on_gpu = "" if plan.peak_device_bytes is None else f", {size(plan.peak_device_bytes)} on the GPU"
    return form.format(time=span(plan.seconds), memory=size(plan.peak_memory_bytes) + on_gpu)


def plan_line(plan: RenderPlan) -> str:
    """A render's plan in one line."""
    width, height = plan.source_size
    working_width, working_height = plan.working_size
    first = f" from #{plan.first_frame}" if plan.first_frame else ""
    frames = (f"{count(plan.frames, 'frame')}{first} at {plan.rate}", count(len(plan.shots), "shot"))
    if plan.rate == NO_RATE:
        frames = ("a still picture",)
    return ", ".join(
        (
            f"plan: {frames[0]}",
            *frames[1:],
            f"{width}x{height} worked at {working_width}x{working_height}",
            f"model {plan.network}",
            f"{plan.steps} steps",
            estimate(plan),
        )
    )


def result_line(result: RenderResult) -> str:
    """A finished render in one line; a breach of the contract would have been an error before it."""
    what = "picture" if is_still(result.output) else "frame"
    return f"{result.output}: {count(result.frames, what)} in {span(result.seconds)}, contract ok"
