"""What a command is to work on: one file, and one line of what to do where another thing is named.

Addresses are not fetched, a pattern that the shell left alone is expanded here, and several inputs are either rendered
one after another or answered with the loop that runs the command for each.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import click

from vedit.cli.several import Folder
from vedit.errors import InputError, MediaError
from vedit.media.reading.addresses import check_address
from vedit.media.reading.sequence import SUFFIXES, find_sequence
from vedit.options.output_names import FILMS, is_folder

Command = TypeVar("Command", bound=Callable[..., Any])

SHOWN = 4
"""Names that a line lists."""

WORDS: ContextVar[tuple[str, ...]] = ContextVar("WORDS", default=())
"""The words behind `vedit` on this command line."""


class FileType(click.Path):
    """`click.Path` that refuses addresses, which no file of this machine has, and says how to get what is there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str):
            check_address(value, written=param is not None and param.name in ("output", "side_by_side", "outputs"))
        return super().convert(value, param, ctx)


class OutputType(FileType):
    """A file to write, or a `Folder` where a folder is there or the name ends with a slash."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        return Folder(found) if isinstance(value, str) and is_folder(value) else found


def input_argument(
    name: str = "source", metavar: str = "INPUT", *, required: bool = True, several: bool = False
) -> Callable[[Command], Command]:
    """The argument of the file that a command works on; `several` hands on all of them, as a tuple."""

    def settle(context: click.Context, _param: click.Parameter, values: tuple[Path, ...]) -> object:
        if context.resilient_parsing:
            return values if several else None
        found = tuple(path for value in values for path in _expanded(value))
        if several:
            return found
        if len(found) > 1:
            raise _one_each(context, metavar, found, [str(value) for value in values])
        return found[0] if found else None

    return click.argument(name, metavar=metavar, nargs=-1, required=required, type=FileType(), callback=settle)


def _expanded(value: Path) -> list[Path]:
    """The files that a word of the command line stands for; a folder of one image sequence stands for itself."""
    if str(value) == "-":
        raise InputError("standard input is not read", remedy="write it to a file first")
    # A bundle is one document, though it is a folder on the disk.
    if value.is_dir() and value.suffix.lower() != ".fcpxmld":
        return _in_folder(value)
    if not re.search(r"[*?\[]", str(value)) or value.exists():
        return [value]
    if not re.search(r"[*?\[]", str(value.parent)):
        found = sorted(value.parent.glob(value.name))
    else:
        base = Path(value.anchor)
        found = sorted(base.glob(str(value.relative_to(base))))
    if not found:
        raise InputError(f"no file matches {value}", remedy="check the path")
    return found


def _in_folder(folder: Path) -> list[Path]:
    """The folder as an image sequence, or the films and pictures in it."""
    try:
        find_sequence(folder)
    except MediaError:
        kinds = (*SUFFIXES, *FILMS)
        held = sorted(path for path in folder.iterdir() if path.suffix.lower() in kinds and path.is_file())
        runs = Counter((re.sub("[0-9]+$", "", path.stem), path.suffix) for path in held if path.stem[-1:].isdigit())
        if not held or (max(runs.values(), default=0) > 1 and not any(path.suffix.lower() in FILMS for path in held)):
            raise  # it says what is wrong with the sequence
        return held
    return [folder]


def _one_each(context: click.Context, metavar: str, found: Sequence[Path], written: Sequence[str]) -> InputError:
    named = ", ".join(map(str, found[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
    return InputError(
        f"'{context.command_path}' takes one {metavar}, and {len(found)} are named ({named})",
        remedy=f"run it for each: {loop(found, written)}",
    )


def loop(found: Sequence[Path], written: Sequence[str]) -> str:
    """The shell's loop that runs this command line for each of several inputs.

    Args:
        found: the inputs.
        written: the words of the command line that they came from.
    """
    folders, endings = {path.parent for path in found}, {path.suffix for path in found}
    listed = " ".join(shlex.quote(str(path)) for path in found)
    if len(found) > SHOWN and len(folders) == 1:
        listed = f"{shlex.quote(str(folders.pop()))}/*{endings.pop() if len(endings) == 1 else ''}".removeprefix("./")
    words: list[str] = []
    left, inputs = list(WORDS.get()), set(written)
    placed = False
    while left:
        word = left.pop(0)
        if word in ("-o", "--output"):
            left = left[1:]  # every result has a name of its own
        elif word.startswith("--output="):
            continue
        elif str(Path(word)) in inputs:
            words += [] if placed else ['"$f"']
            placed = True
        else:
            words.append(shlex.quote(word))
    return f"for f in {listed}; do vedit {' '.join(words)}; done"
