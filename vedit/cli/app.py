"""The `vedit` command: its subcommands, and the one place where an error becomes a line and an exit code.

Exit codes: 0 done, 1 failed, 2 bad input or usage, 3 a requirement is not met, 130 interrupted, 143 terminated; and of
`vedit unit`, for schedulers, 4 memory ran out, 75 try again.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import click

from vedit import __version__
from vedit.cli.again import again_command
from vedit.cli.completion import VARIABLE, completion_command, register
from vedit.cli.config import config_group
from vedit.cli.console import complain, plain_messages, say, writes_events
from vedit.cli.controls import controls_command
from vedit.cli.doctor import doctor_command
from vedit.cli.evaluate import compare_command, evaluate_command
from vedit.cli.identity import identity_command
from vedit.cli.inputs import WORDS
from vedit.cli.inspect import probe_command
from vedit.cli.keys import keys_group
from vedit.cli.looks import looks_command
from vedit.cli.mask import mask_command
from vedit.cli.mistyped import Group
from vedit.cli.models import models_group
from vedit.cli.nle import nle_group
from vedit.cli.plan import edit_command, plan_command
from vedit.cli.restyle import restyle_command
from vedit.cli.sample import sample_command
from vedit.cli.shots import shots_command
from vedit.cli.starting import starting
from vedit.cli.stopping import TERMINATED, Terminated, terminable
from vedit.cli.timeline import timeline_command
from vedit.cli.unit import finish_command, unit_command
from vedit.cli.verify import verify_command
from vedit.errors import VeditError
from vedit.memory import is_out_of_memory

DEBUG = "VEDIT_DEBUG"


class Program(Group):
    """A group that ends every error as one line on stderr and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line, and leave the process with the exit code.

        Args:
            args: the words behind `vedit`; None takes those of the process.
            prog_name: how the program calls itself.
            complete_var: see click.
            standalone_mode: False returns the exit code instead.
            extra: see click.
        """
        # OpenMP threads that spin while they wait make a render many times slower where anything else runs. The library
        # reads this when torch, which no command has imported yet, loads it.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
        if VARIABLE in os.environ:
            register()
        with starting(), plain_messages():
            WORDS.set(tuple(sys.argv[1:] if args is None else args))
            try:
                with terminable(), warnings.catch_warnings():
                    # A user of the command line can do nothing about a library's deprecations.
                    if not _debugging():
                        warnings.simplefilter("ignore")
                    done = super().main(args, "vedit", complete_var, standalone_mode=False, **extra)
                # Click hands back the code of `--help` and `--version`, else what the command returned.
                code = done if isinstance(done, int) else 0
            except Terminated:
                complain("terminated", remedy=_kept(), code=TERMINATED)
                code = TERMINATED
            except Exception as error:
                code = _report(error)
        if standalone_mode:
            sys.exit(code)
        return code


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vedit", message="%(prog)s %(version)s")
def main() -> None:
    """Give footage a new look, named in words, and keep its timing, sound and camera motion.

    \b
    Examples:
      vedit looks input.mp4
      vedit restyle input.mp4 --prompt "woodcut"
      vedit restyle input.mp4 --prompt "pencil sketch" --dry-run
      vedit again input.vedit.mp4.vedit.json -o copy.mp4
      vedit probe input.mp4 --json
      vedit sample -o sample.mp4

    Results go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 bad input or usage,
    3 a requirement is not met, 130 interrupted, 143 terminated.
    """


for _command in (
    restyle_command,
    looks_command,
    probe_command,
    shots_command,
    plan_command,
    edit_command,
    again_command,
    unit_command,
    finish_command,
    controls_command,
    mask_command,
    keys_group,
    identity_command,
    verify_command,
    evaluate_command,
    compare_command,
    sample_command,
    timeline_command,
    models_group,
    nle_group,
    config_group,
    completion_command,
    doctor_command,
):
    main.add_command(_command)


def _report(error: Exception) -> int:
    """One line on stderr for any error, and its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 2
    if _debugging():
        traceback.print_exception(error)
    if isinstance(error, click.Abort):
        if writes_events():
            complain("interrupted", remedy=_kept(), code=130)
        else:
            say(f"interrupted; {_kept()}")
        return 130
    message, remedy, code = _explain(error)
    complain(message, remedy=remedy, code=code)
    return code


def _explain(error: Exception) -> tuple[str, str, int]:
    """What was wrong, what to do about it, and the exit code."""
    if isinstance(error, VeditError):
        return error.message, error.remedy, error.exit_code
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        message = " ".join(error.format_message().split()).rstrip(".")
        return message, f"see '{context.command_path if context else 'vedit'} --help'", error.exit_code
    if is_out_of_memory(error):
        return "out of memory", "use a smaller --batch or --window, or --quality draft", 1
    if isinstance(error, OSError) and error.strerror:
        # A full disk or a folder that went away: the system's own words say it best.
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror.lower()}{where}", f"set {DEBUG}=1 to see where it happened", 1
    message = f"unexpected {type(error).__name__}: {error}"
    return message, f"this is a fault of vedit: set {DEBUG}=1 to see the traceback", 1


def _kept() -> str:
    """What a command that was ended leaves."""
    pulls = WORDS.get()[:2] == ("models", "pull")
    return "what has come is kept" if pulls else "no result was written, finished units are kept"


def _debugging() -> bool:
    return os.environ.get(DEBUG, "") not in ("", "0")
