"""`vedit unit` and `vedit finish`: a prepared render, made in parts by any scheduler, and put together."""

from __future__ import annotations

import os
from pathlib import Path

import click

from vedit.cli import params
from vedit.cli.console import count, jsonable, result_line, say, show, show_json
from vedit.cli.telling import Telling, talking
from vedit.errors import DoesNotFitError, InputError, Interrupted, NotFiniteError, VeditError

RETRY = 75
"""The exit code of what may go well another time (EX_TEMPFAIL of sysexits.h)."""
INDEXES = ("SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX")
"""What Slurm, AWS Batch and indexed Jobs of Kubernetes call a task's number."""
_run = click.argument("run", metavar="OUT.vedit", type=params.FILE)


@click.command("unit", short_help="Make some units of a prepared run.")
@_run
@click.option(
    "--index",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"The unit, or the part of --count units.  [default: the first of {', '.join(INDEXES)} that is set]",
)
@click.option("--count", "size", type=click.IntRange(min=1), default=1, show_default=True, help="Units of a part.")
@params.json_option
@params.quiet_option
def unit_command(*, run: Path, index: int | None, size: int, as_json: bool, quiet: bool) -> None:
    """Make units of a run that 'vedit restyle --prepare-only' has prepared, in any order and wherever it is seen.

    With --count the units go in parts, so that a process loads the model once for several: part N begins with unit
    N times K. What is there already is left, so a task may be run again.

    \b
    Examples:
      vedit unit out.mp4.vedit --index 3
      vedit unit out.mp4.vedit --index 1 --count 4
      sbatch --array=0-11 --wrap "vedit unit /shared/out.mp4.vedit"

    Exit codes: 0 made or there already, 1 and 2 do not try again, 4 memory ran out: the run has to be prepared with
    smaller windows, 75 try again.
    """
    from vedit.render.by_unit import make_units

    number = _given() if index is None else index
    telling = Telling(quiet=quiet)
    try:
        with talking(telling) as heard:
            made = make_units(
                run,
                number * size,
                size,
                on_progress=heard["on_progress"],
                on_note=heard["on_note"],
                stop=heard["stop"],
            )
    except (InputError, DoesNotFitError, NotFiniteError, Interrupted):
        raise
    except VeditError as error:
        error.exit_code = RETRY
        raise
    if as_json:
        show_json(made)
    elif not quiet:
        say(f"{count(made.made, 'unit')} made, {made.there} there already")


@click.command("finish", short_help="Finish a prepared run from its units.")
@_run
@params.json_option
@params.quiet_option
def finish_command(*, run: Path, as_json: bool, quiet: bool) -> None:
    """Finish a run whose units are all made: decode, steady, write and check it, as 'vedit restyle' does.

    \b
    Examples:
      vedit finish out.mp4.vedit
      sbatch --dependency=afterok:1234 --wrap "vedit finish /shared/out.mp4.vedit"

    Missing units are named, with exit code 2. The pixels are those of one process.
    """
    from vedit.render.by_unit import finish

    telling = Telling(quiet=quiet)
    with talking(telling) as heard:
        result = finish(run, on_progress=heard["on_progress"], on_note=heard["on_note"], stop=heard["stop"])
    telling.notes(result.notes)
    if as_json:
        show_json(jsonable(result))
    else:
        show(result_line(result))


def _given() -> int:
    """The number that a scheduler says."""
    name = next((name for name in INDEXES if name in os.environ), None)
    if name is None:
        raise click.UsageError(f"which unit? Give --index N; a scheduler says it in {', '.join(INDEXES)}")
    if not os.environ[name].isdecimal():
        raise click.UsageError(f"{name} is {os.environ[name]!r}, no number from 0 on; give --index N")
    return int(os.environ[name])
