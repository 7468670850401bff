"""What a command tells of a render while it runs: the plan first, and each note once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vedit.cli.console import note, say_plan

if TYPE_CHECKING:
    from vedit.render.outcome import RenderPlan


class Telling:
    """Tells the plan and the notes of one render; nothing where it is to be quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: set[str] = set()

    def plan(self, plan: RenderPlan) -> None:
        """Tell what will be rendered, and its notes."""
        if not self._quiet:
            say_plan(plan)
        self.notes(plan.notes)

    def note(self, line: str) -> None:
        """Tell one note, unless it was told before."""
        self.notes([line])

    def notes(self, lines: Iterable[str]) -> None:
        """Tell those notes that were not told before."""
        for line in lines:
            if line not in self._said:
                self._said.add(line)
                if not self._quiet:
                    note(line)
