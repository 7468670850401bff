"""Options that know their group, and commands whose help lists them so: the common ones first, then by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vedit.checks.setting import Stage

Command = TypeVar("Command", bound=Callable[..., Any])

GROUPS: dict[Stage, str] = {
    "look": "Look",
    "mask": "Where the picture changes",
    "sampling": "Sampling",
    "consistency": "Consistency",
    "model": "Model and machine",
    "finishing": "Finishing",
    "source": "Source",
    "output": "Written file",
    "run": "Run",
}
"""The headings of the help, in order."""
COMMON, OTHER = "Options", "Messages"
"""The first heading, of what is used most and what a command has alone; and the last."""


class Option(click.Option):
    """An option of a group.

    Args:
        declarations: as click has them.
        stage: that it belongs to; None is what a command says and to whom.
        common: it is among those that are used most.
        more: as click has it.
    """

    def __init__(self, *declarations: Any, stage: Stage | None = None, common: bool = False, **more: Any) -> None:
        super().__init__(*declarations, **more)
        self.heading = COMMON if common else OTHER if stage is None else GROUPS[stage]


class Switch(Option):
    """A switch whose opposite, `--no-strict` of `--strict`, is there to overrule what is said once for all renders.

    The help shows the switch alone: without such settings its opposite does nothing.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        opposites, self.secondary_opts = self.secondary_opts, []
        try:
            return super().get_help_record(ctx)
        finally:
            self.secondary_opts = opposites


class Grouped(click.Command):
    """A command whose help lists its options by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group that has an option; in it they stand as they were declared."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in (COMMON, *GROUPS.values(), OTHER)}
        asked = self.get_help_option(ctx)
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                groups[OTHER if param is asked else getattr(param, "heading", COMMON)].append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def option(*declarations: str, cls: type[Option] = Option, **more: Any) -> Callable[[Command], Command]:
    """`click.option` of a group, see `Option`."""
    return click.option(*declarations, cls=cls, **more)


def switch(name: str, text: str, *short: str, **more: Any) -> Callable[[Command], Command]:
    """A switch that is off where nothing is said, and its opposite.

    Args:
        name: the switch, with its dashes.
        text: its help.
        short: further names of it.
        more: as `Option` has it.
    """
    opposite = f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else f"--no-{name.removeprefix('--')}"
    called = name.removeprefix("--").replace("-", "_")
    return option(f"{name}/{opposite}", *short, called, cls=Switch, is_flag=True, default=False, help=text, **more)
