"""The conversation of a command with a render: its progress, its plan first, each note once, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypedDict

from vedit.cli.console import note, say_plan
from vedit.cli.progress import progress
from vedit.cli.stopping import stopping

if TYPE_CHECKING:
    from vedit.progress.callbacks import OnProgress
    from vedit.render.outcome import RenderPlan


class Heard(TypedDict):
    """What a render is given to speak with its caller: `restyle(request, **heard)`."""

    on_progress: OnProgress
    on_plan: Callable[[RenderPlan], None]
    on_note: Callable[[str], None]
    stop: Callable[[], bool]


class Telling:
    """Tells the plans and the notes of a command's renders; nothing where it is to be quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._said: set[str] = set()

    def plan(self, plan: RenderPlan) -> None:
        """Tell what will be rendered, and its notes."""
        if not self.quiet:
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
                if not self.quiet:
                    note(line)


@contextmanager
def talking(
    telling: Telling,
    *,
    each: str = "shot",
    on_plan: Callable[[RenderPlan], None] | None = None,
    renders: bool = True,
) -> Generator[Heard]:
    """A conversation with a render, for the time of the `with` block; Ctrl-C ends the render between units.

    Args:
        telling: what is said of it.
        each: what the parts are called that a step is one of.
        on_plan: told of the plan instead.
        renders: there are units to finish first; False: Ctrl-C stops at once.
    """
    stopped = stopping() if renders else nullcontext(_never)
    with stopped as stop, progress(quiet=telling.quiet, each=each) as report:
        yield Heard(on_progress=report, on_plan=on_plan or telling.plan, on_note=telling.note, stop=stop)


def _never() -> bool:
    return False
