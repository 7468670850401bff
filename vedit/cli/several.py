"""One command for several inputs: where each result goes, and one after another, past those that fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vedit.cli.console import count, say
from vedit.errors import InputError, Interrupted, VeditError

if TYPE_CHECKING:
    from vedit.media.output import CodecName

LISTED = 3
"""Failures whose reasons are told at the end."""


@dataclass(frozen=True)
class Folder:
    """An output that is a folder: results are named in it."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An input that was not rendered."""

    source: Path
    message: str
    remedy: str
    exit_code: int


@contextmanager
def folder_made(output: Path | Folder | None) -> Generator[None]:
    """Have the folder of an output there; one that was made for it and stays empty is removed again."""
    made = isinstance(output, Folder) and not output.path.exists()
    if made and isinstance(output, Folder):
        try:
            output.path.mkdir()
        except OSError as error:
            raise InputError(
                f"the folder {output.path} cannot be made: {error.strerror}", remedy="name another with -o"
            ) from error
    try:
        yield
    finally:
        if made and isinstance(output, Folder):
            with contextlib.suppress(OSError):
                output.path.rmdir()  # succeeds only where nothing is in it


def file_of(output: Path | Folder | None, name: Callable[[Path], Path]) -> Path | None:
    """The file of a command that writes one, its folder made until the command ends.

    Args:
        output: as it was asked for.
        name: the file in a folder.
    """
    if not isinstance(output, Folder):
        return output
    click.get_current_context().with_resource(folder_made(output))
    return name(output.path)


def place_of(output: Path | Folder | None) -> Path | str | None:
    """An output as the library has it, a folder with a slash at its end; it is there until the command ends."""
    if not isinstance(output, Folder):
        return output
    click.get_current_context().with_resource(folder_made(output))
    return f"{output.path}/"


def places(
    sources: Sequence[Path],
    output: Path | Folder | None,
    name: str,
    *,
    track: int | None = None,
    codec: CodecName | None = None,
) -> dict[Path, Path | None]:
    """Input -> result, in order; None is the name beside the input. Results of earlier runs among them are left out.

    Args:
        sources: at least one.
        output: as it was asked for.
        name: of the look.
        track: see `vedit.options.output_names.in_folder`.
        codec: the same.

    Raises:
        InputError: one file is named for several results, or two would get one name.
    """
    from vedit.media.writing.sidecar import is_record, sidecar_path
    from vedit.options.output_names import in_folder

    several = len(sources) > 1
    if several and isinstance(output, Path):
        raise InputError(
            f"{output} is one file, for the results of {count(len(sources), 'input')}",
            remedy="name a folder, with a slash at its end: -o results/",
        )
    left = [path for path in sources if not (several and is_record(sidecar_path(path.absolute())))]
    if len(left) < len(sources):
        say(f"note: {count(len(sources) - len(left), 'input')} left out: results of an earlier run, by their records")
    if not left:
        raise InputError("every input is a result of an earlier run", remedy="name one alone to restyle it again")
    found: dict[Path, Path | None] = {}
    taken: dict[Path, Path] = {}
    for source in left:
        target = output if not isinstance(output, Folder) else None
        if isinstance(output, Folder) and source.exists():
            target = in_folder(output.path, source, name, track=track, codec=codec)
            if target in taken:
                raise InputError(
                    f"{taken[target]} and {source} would both become {target}", remedy="render them into two folders"
                )
            taken[target] = source
        elif isinstance(output, Folder):
            target = output.path / source.name  # what is absent is said when it is opened
        found[source] = target
    return found


def run_each(
    jobs: dict[Path, Path | None], run: Callable[[Path, Path | None], object], *, quiet: bool
) -> tuple[list[object], list[Failure]]:
    """Run every job; an error of one ends the whole where there is no other.

    Args:
        jobs: input -> result.
        run: makes one, and returns what there is to tell of it.
        quiet: say nothing between them.

    Returns:
        What was told of those that went well, and the others.
    """
    if len(jobs) == 1:
        return [run(*job) for job in jobs.items()], []
    told: list[object] = []
    failed: list[Failure] = []
    for number, (source, target) in enumerate(jobs.items(), 1):
        if not quiet:
            say(f"input {number} of {len(jobs)}: {source}")
        try:
            told.append(run(source, target))
        except Interrupted:
            raise
        except VeditError as error:
            failed.append(Failure(source=source, message=error.message, remedy=error.remedy, exit_code=error.exit_code))
            if not quiet:
                say(f"not rendered: {error}")
    return told, failed


def failure_of(failed: Sequence[Failure], count_of_all: int) -> VeditError:
    """The error that tells which inputs of several were not rendered, and why."""
    reasons = "; ".join(one.message for one in failed[:LISTED])
    more = f"; and {len(failed) - LISTED} more" if len(failed) > LISTED else ""
    rest = "the others are done" if len(failed) < count_of_all else "none is done"
    return VeditError(f"{len(failed)} of {count_of_all} inputs were not rendered: {reasons}{more}", remedy=rest)
