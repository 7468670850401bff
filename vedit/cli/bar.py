"""The progress of a whole command on a terminal: one bar, the time that is left, and under it the stage in words."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType
from rich.text import Text

from vedit.cli.console import span
from vedit.cli.plain_lines import PlainLines, in_words, percent

if TYPE_CHECKING:
    from vedit.progress.callbacks import OnProgress, Progress

INTERVAL = 1.0
"""Seconds between two drawings: a slow line, a log or a recorded session holds all of them."""
WIDEST = 72
"""Columns of what is drawn; a terminal that is made narrower than it is breaks its lines."""
LONGEST = 32
"""Columns of the bar itself."""
_SHORTEST = 8
_LEAST_LEFT = 0.5
"""The part of the time left that the next step is waited for with, however long it takes."""


@contextmanager
def on_terminal(*, each: str = "shot", console: Console | None = None) -> Generator[OnProgress]:
    """A bar on stderr for the time of the `with` block, above which messages go on; nothing of it stays.

    Args:
        each: what the parts are called that a step is one of.
        console: to draw on; None is stderr.
    """
    console = console or Console(stderr=True)  # honours NO_COLOR
    if console.is_dumb_terminal:
        yield PlainLines(each=each)
        return
    bar = Bar(console, each=each)
    before = sys.stderr
    console.push_render_hook(bar)
    # What writes to stderr meanwhile has its lines above the bar.
    sys.stderr = cast("IO[str]", FileProxy(console, before))
    stopped = threading.Event()
    ticks = threading.Thread(target=lambda: _redraw(bar, stopped), name="progress", daemon=True)
    ticks.start()
    try:
        yield bar
    finally:
        stopped.set()
        ticks.join()
        sys.stderr.flush()
        sys.stderr = before
        console.pop_render_hook()
        bar.clear()


def _redraw(bar: Bar, stopped: threading.Event) -> None:
    while not stopped.wait(INTERVAL):
        bar.refresh()


class Bar(RenderHook):
    """Draws where a command is; what is drawn is wiped before anything else is written, and drawn again below it.

    The cursor is never hidden: a process that is killed cannot show it again.
    """

    def __init__(self, console: Console, *, each: str = "shot") -> None:
        self._console, self._each = console, each
        self._step: Progress | None = None
        self._told = time.monotonic()
        self._drawn: tuple[str, ...] = ()
        self._lock = threading.RLock()

    def __call__(self, step: Progress) -> None:
        with self._lock:
            first = self._step is None
            self._step, self._told = step, time.monotonic()
        if first:
            self.refresh()

    def refresh(self) -> None:
        """Draw what has changed since it was drawn last."""
        with self._lock:
            changed = tuple(line.plain for line in self._lines()) != self._drawn
        if changed:
            self._console.print(Control())

    def clear(self) -> None:
        """Wipe what is drawn."""
        with self._lock:
            self._console.control(self._wiped())
            self._drawn = ()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What the console is about to write, with the bar below it."""
        with self._lock:
            wiped, lines = self._wiped(), self._lines()
            self._drawn = tuple(line.plain for line in lines)
            return [wiped, *renderables, Text("\n", end="").join(lines)]

    def _wiped(self) -> Control:
        """From the end of what is drawn to where it began, all of it gone."""
        # A terminal that was made narrower has broken the lines.
        columns = max(self._console.width, 1)
        rows = sum(max(1, -(-cell_len(line) // columns)) for line in self._drawn)
        if not rows:
            return Control()
        return Control(
            ControlType.CARRIAGE_RETURN,
            (ControlType.ERASE_IN_LINE, 2),
            *[(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * (rows - 1),
        )

    def _lines(self) -> list[Text]:
        """What there is to see: nothing before the first step."""
        if self._step is None:
            return []
        # One column less: a terminal may break a line that fills it.
        columns = min(self._console.width - 1, WIDEST)
        lines = [self._bar(self._step, columns)] if self._step.share is not None else []
        lines.append(Text(in_words(self._step, each=self._each), style="dim"))
        for line in lines:
            line.no_wrap, line.end = True, ""
            line.truncate(max(columns, 1))
        return lines

    def _bar(self, step: Progress, columns: int) -> Text:
        share = step.share or 0.0
        told = percent(share)
        if step.seconds_left is not None:
            # A step that takes longer than was thought has not brought the end nearer.
            least = step.seconds_left * _LEAST_LEFT
            told += f", {span(max(step.seconds_left - (time.monotonic() - self._told), least))} left"
        length = min(columns - len(told) - 1, LONGEST)
        if length < _SHORTEST:
            return Text(told)
        full, empty = ("━", "─") if self._console.encoding.lower().startswith("utf") else ("#", "-")
        done = int(length * share)
        return Text.assemble((full * done, "green"), (empty * (length - done), "dim"), f" {told}")
