"""What was meant where a word is no command: the nearest command, or the command that takes such a file."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from vedit.checks.nearest import nearest
from vedit.errors import InputError

_MEANT = {
    "convert": "restyle",
    "download": "models pull",
    "help": "--help",
    "info": "probe",
    "render": "restyle",
    "replay": "again",
    "settings": "config show",
    "stylize": "restyle",
    "version": "--version",
}
"""Words of other programs, and what they are here."""


class Group(click.Group):
    """A group of commands that says what was meant where a word is none of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises InputError for an option of one of the commands, written before it."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            owner = _owner(self, error.option_name)
            if owner is None:
                raise
            raise InputError(
                f"{error.option_name} is an option of a command, and stands behind it",
                remedy=f"write {ctx.command_path} {owner} ... {error.option_name}",
            ) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises InputError where the first word is no command, with what it could have been."""
        word = args[0]
        if ctx.resilient_parsing or word.startswith("-") or self.get_command(ctx, word) is not None:
            return super().resolve_command(ctx, args)
        if ctx.parent is None and _is_file(word, self.commands):
            raise _no_command_before(word, args[1:])
        raise _no_such(word, self.commands, ctx.command_path)


def _owner(group: click.Group, option: str) -> str | None:
    """The first command that takes an option."""
    return next(
        (name for name, command in group.commands.items() if any(option in p.opts for p in command.params)), None
    )


def _is_file(word: str, commands: Collection[str]) -> bool:
    """Whether a word is meant as a file; a folder whose name is nearly a command's is meant as the command."""
    path = Path(word)
    try:
        there = path.exists()
    except (OSError, ValueError):  # no name of a file
        return False
    return bool(path.suffix) or len(path.parts) > 1 or (there and not nearest(word, commands))


def _no_command_before(word: str, rest: Sequence[str]) -> InputError:
    from vedit.nle.read import FORMATS

    file = shlex.quote(word)
    if word.lower().endswith(".vedit.json"):
        remedy = f"to render again what it records, write: vedit again {file}{_joined(rest) or ' -o NEW.mp4'}"
    elif word.lower().endswith(".toml"):
        remedy = f"to render a plan, write: vedit edit {file}{_joined(rest)}"
    elif word.lower().endswith(FORMATS):
        remedy = f"to see what a timeline holds, write: vedit timeline {file}{_joined(rest) or ' --list'}"
    else:
        asked = _joined(rest) or ' --prompt "woodcut"'
        remedy = f"to give it a look, write: vedit restyle {file}{asked}; to see what it holds: vedit probe {file}"
    return InputError(f"{word} is no command", remedy=remedy)


def _no_such(word: str, commands: Collection[str], path: str) -> InputError:
    near = (_MEANT.get(word.lower()) if path == "vedit" else None) or nearest(word, commands)
    known = f"there are {', '.join(commands)}"
    return InputError(f"there is no command {word!r}", remedy=f"did you mean {path} {near}?" if near else known)


def _joined(words: Sequence[str]) -> str:
    return f" {shlex.join(words)}" if words else ""
